-- compatible_from: 1

-- What each call and each service track came to, said once. Customers' numbers stay out of these views.

CREATE FUNCTION tccc.quarter_of(at timestamptz) RETURNS timestamptz
LANGUAGE sql IMMUTABLE PARALLEL SAFE
RETURN date_bin('15 minutes', at, timestamptz '1970-01-01 00:00:00+00');

COMMENT ON FUNCTION tccc.quarter_of IS 'The quarter of an hour (UTC) in which a time lies; the hours and days of every time zone are made of whole ones.';

CREATE FUNCTION tccc.seconds_between(earlier timestamptz, later timestamptz) RETURNS integer
LANGUAGE sql IMMUTABLE PARALLEL SAFE
RETURN least(greatest(extract(epoch FROM later - earlier), 0), 2147483647)::integer;

COMMENT ON FUNCTION tccc.seconds_between IS 'Whole seconds, 0 where the later time is the earlier one, however odd the times that were sent.';

CREATE FUNCTION tccc.way_of(direction text, call_type smallint) RETURNS text
LANGUAGE sql IMMUTABLE PARALLEL SAFE
RETURN CASE
    WHEN call_type = 6 THEN 'internal'
    WHEN direction IS NOT NULL THEN direction
    WHEN call_type IN (2, 3) THEN 'inbound'
    WHEN call_type IN (1, 5) THEN 'outbound'
END;

COMMENT ON FUNCTION tccc.way_of IS 'inbound, outbound or internal. Older pushes lack CallType: their internal calls cannot be told from outbound ones.';

CREATE FUNCTION tccc.class_of(way text, accepted boolean, end_status text, left_voicemail boolean) RETURNS text
LANGUAGE sql IMMUTABLE PARALLEL SAFE
RETURN CASE
    WHEN way IS NULL THEN 'other'
    WHEN way = 'internal' THEN CASE WHEN accepted THEN 'internal_answered' ELSE 'internal_unanswered' END
    WHEN way = 'outbound' THEN CASE
        WHEN NOT accepted THEN 'outbound_unanswered'
        WHEN end_status IN ('waitingGiveUp', 'ringingGiveUp', 'ivrGiveUp', 'seatGiveUp', 'noSeatOnline')
            THEN 'outbound_abandoned'
        ELSE 'outbound_answered'
    END
    WHEN accepted THEN 'answered'
    WHEN left_voicemail THEN 'voicemail'
    WHEN end_status = 'ivrGiveUp' THEN 'abandoned_ivr'
    WHEN end_status = 'waitingGiveUp' THEN 'abandoned_queue'
    WHEN end_status = 'ringingGiveUp' THEN 'abandoned_ringing'
    WHEN end_status = 'seatGiveUp' THEN 'rejected'
    WHEN end_status = 'noSeatOnline' THEN 'no_agent'
    WHEN end_status = 'notWorkTime' THEN 'out_of_hours'
    WHEN end_status IN (
        'blackList', 'tooManyRequest', 'restrictedCallee', 'restrictedArea', 'restrictedTime', 'callRestricted',
        'calleeRestricted', 'areaRestricted'
    ) THEN 'blocked'
    WHEN end_status IN (
        'ivrEnd', 'aiAgentEndCall', 'userHangupDuringAiCall', 'functionCallHangup', 'userInactivity',
        'maxCallDurationReached', 'callTerminatedByAPI', 'asrError', 'llmasrError', 'ttsError'
    ) THEN 'ivr_ended'
    ELSE 'other'
END;

COMMENT ON FUNCTION tccc.class_of IS 'The one class of a call, by what it came to; docs/answers.md has the table.';

CREATE VIEW tccc.call_fact AS
SELECT
    c.session_id,
    c.sdk_app_id,
    c.started_at,
    tccc.quarter_of(c.started_at) AS quarter,
    way.way,
    class.class,
    class.way = 'inbound' AND num_nonnulls(c.queued_at, c.rang_at, c.accepted_at) > 0 AS offered,
    CASE way.way WHEN 'inbound' THEN c.callee WHEN 'outbound' THEN c.caller END AS number,
    coalesce(c.tel_province, c.tel_country) AS region,
    c.skill_group_id,
    c.skill_group_name,
    c.agent_user_id,
    CASE WHEN class.class = 'answered'
        THEN tccc.seconds_between(coalesce(c.queued_at, c.rang_at, c.started_at), c.accepted_at) END AS wait_s,
    CASE WHEN class.class IN ('answered', 'outbound_answered', 'internal_answered')
        THEN tccc.seconds_between(c.accepted_at, coalesce(c.ended_at, c.accepted_at)) END AS talk_s,
    track.handled,
    track.handle_s,
    track.transfers,
    way.way = 'inbound' AND c.caller NOT LIKE '%*%' AND EXISTS (
        SELECT FROM tccc.call AS e
        WHERE e.caller = c.caller AND e.started_at < c.started_at AND e.started_at >= c.started_at - interval '24 hours'
          AND tccc.way_of(e.direction, e.call_type) = 'inbound' AND e.sdk_app_id IS NOT DISTINCT FROM c.sdk_app_id
    ) AS repeated,
    c.post_ivr_keys -> 0 ->> 'key' AS rating,
    recording.named AS recordings,
    recording.named - recording.found AS recordings_missing
FROM tccc.call AS c
CROSS JOIN LATERAL (SELECT tccc.way_of(c.direction, c.call_type) AS way) AS way
CROSS JOIN LATERAL (
    SELECT way.way, tccc.class_of(way.way, c.accepted_at IS NOT NULL, c.end_status, c.accepted_at IS NULL AND EXISTS (
        SELECT FROM tccc.voicemail AS v WHERE v.session_id = c.session_id
    )) AS class
    OFFSET 0  -- worked out once a row, not once for each column that depends on it
) AS class
CROSS JOIN LATERAL (
    SELECT
        count(p.accepted_at) AS handled,
        coalesce(sum(tccc.seconds_between(
            coalesce(p.rang_at, p.started_at, p.accepted_at), coalesce(p.ended_at, c.ended_at)
        )) FILTER (WHERE p.accepted_at IS NOT NULL), 0) AS handle_s,
        greatest(count(p.transfer_from), count(p.transfer_to), count(p.accepted_at) - 1) AS transfers,
        array_agg(p.record_id) || c.record_id AS record_ids
    FROM tccc.call_participant AS p WHERE p.session_id = c.session_id
) AS track
CROSS JOIN LATERAL (
    SELECT count(DISTINCT id) AS named, CASE WHEN count(id) > 0 THEN (
        SELECT count(DISTINCT r.record_id) FROM tccc.recording AS r
        WHERE r.session_id = c.session_id AND r.record_id = ANY (track.record_ids)
    ) ELSE 0 END AS found
    FROM unnest(track.record_ids) AS id
) AS recording;

CREATE VIEW tccc.participant_fact AS
SELECT
    c.session_id,
    p.sequence,
    c.sdk_app_id,
    c.started_at,
    tccc.quarter_of(c.started_at) AS quarter,
    way.way,
    coalesce(p.mail, p.phone) AS agent,
    p.skill_group_id,
    p.skill_group_name,
    p.accepted_at IS NOT NULL AND c.accepted_at IS NOT NULL AS answered,
    CASE WHEN way.way <> 'outbound' AND p.accepted_at IS NOT NULL
        THEN tccc.seconds_between(coalesce(p.rang_at, p.started_at, p.accepted_at), p.accepted_at) END AS ring_s,
    CASE WHEN p.accepted_at IS NOT NULL AND c.accepted_at IS NOT NULL
        THEN tccc.seconds_between(greatest(p.accepted_at, c.accepted_at), coalesce(p.ended_at, c.ended_at)) END AS talk_s,
    CASE WHEN p.accepted_at IS NOT NULL
        THEN tccc.seconds_between(coalesce(p.rang_at, p.started_at, p.accepted_at), coalesce(p.ended_at, c.ended_at))
    END AS handle_s,
    p.transfer_to IS NOT NULL OR p.accepted_at IS NOT NULL AND p.accepted_later > 0 AS gave_away,
    p.transfer_from IS NOT NULL OR p.accepted_at IS NOT NULL AND p.accepted_earlier > 0 AS took_over,
    CASE WHEN p.accepted_at IS NOT NULL AND p.accepted_later = 0 THEN c.post_ivr_keys -> 0 ->> 'key' END AS rating,
    p.record_id,
    p.record_id IS NOT NULL AND NOT EXISTS (
        SELECT FROM tccc.recording AS r WHERE r.session_id = c.session_id AND r.record_id = p.record_id
    ) AS recording_missing
FROM tccc.call AS c
CROSS JOIN LATERAL (SELECT tccc.way_of(c.direction, c.call_type) AS way) AS way
CROSS JOIN LATERAL (
    SELECT
        t.*,
        count(t.accepted_at) OVER w - count(t.accepted_at) OVER later AS accepted_earlier,
        count(t.accepted_at) OVER later - num_nonnulls(t.accepted_at) AS accepted_later
    FROM tccc.call_participant AS t WHERE t.session_id = c.session_id
    WINDOW w AS (), later AS (ORDER BY t.sequence ROWS BETWEEN CURRENT ROW AND UNBOUNDED FOLLOWING)
) AS p;

COMMENT ON VIEW tccc.call_fact IS 'One row for each call, with what the answers are made of. A call counts whole where it began.';
COMMENT ON COLUMN tccc.call_fact.session_id IS 'The call.';
COMMENT ON COLUMN tccc.call_fact.sdk_app_id IS 'The contact centre.';
COMMENT ON COLUMN tccc.call_fact.started_at IS 'When the session began; a call without it is in no answer by time.';
COMMENT ON COLUMN tccc.call_fact.quarter IS 'The quarter of an hour, UTC, in which it began.';
COMMENT ON COLUMN tccc.call_fact.way IS 'inbound, outbound or internal (CallType 6); NULL if neither Direction nor CallType says.';
COMMENT ON COLUMN tccc.call_fact.class IS 'What it came to; exactly one of the classes.';
COMMENT ON COLUMN tccc.call_fact.offered IS 'Inbound, and came to a queue or rang at an agent: has a queued, ring or accept time.';
COMMENT ON COLUMN tccc.call_fact.number IS 'The centre''s own number: called if inbound, calling if outbound.';
COMMENT ON COLUMN tccc.call_fact.region IS 'Where the customer''s number belongs: the province, else the country.';
COMMENT ON COLUMN tccc.call_fact.skill_group_id IS 'Inbound: the group queued in. Outbound: as the vendor derives it.';
COMMENT ON COLUMN tccc.call_fact.skill_group_name IS 'Its name.';
COMMENT ON COLUMN tccc.call_fact.agent_user_id IS 'The last agent.';
COMMENT ON COLUMN tccc.call_fact.wait_s IS 'Speed of answer: seconds from queue (else ring, else start) to answer; class answered only.';
COMMENT ON COLUMN tccc.call_fact.talk_s IS 'Seconds from answer to end; answered, outbound_answered and internal_answered only.';
COMMENT ON COLUMN tccc.call_fact.handled IS 'Participants who answered.';
COMMENT ON COLUMN tccc.call_fact.handle_s IS 'Seconds from ring to end, summed over the participants who answered.';
COMMENT ON COLUMN tccc.call_fact.transfers IS 'How often it was handed over: by the participants'' TransferFrom or TransferTo, at least those who answered less one.';
COMMENT ON COLUMN tccc.call_fact.repeated IS 'Inbound, and the same caller began another inbound call of this centre in the 24 hours before; never for a masked or absent number.';
COMMENT ON COLUMN tccc.call_fact.rating IS 'The first key of PostIVRKeyPressed.';
COMMENT ON COLUMN tccc.call_fact.recordings IS 'Recordings that the call and its participants name by RecordId.';
COMMENT ON COLUMN tccc.call_fact.recordings_missing IS 'Those of them that no record push has told of.';
COMMENT ON VIEW tccc.participant_fact IS 'One row for each service track: one agent''s part in a call.';
COMMENT ON COLUMN tccc.participant_fact.session_id IS 'The call.';
COMMENT ON COLUMN tccc.participant_fact.sequence IS 'Order of service, from 0.';
COMMENT ON COLUMN tccc.participant_fact.sdk_app_id IS 'The contact centre.';
COMMENT ON COLUMN tccc.participant_fact.started_at IS 'When the call began: a track counts where its call does.';
COMMENT ON COLUMN tccc.participant_fact.quarter IS 'The quarter of an hour, UTC, in which the call began.';
COMMENT ON COLUMN tccc.participant_fact.way IS 'As call_fact has it.';
COMMENT ON COLUMN tccc.participant_fact.agent IS 'The participant''s mail address, else phone.';
COMMENT ON COLUMN tccc.participant_fact.skill_group_id IS 'The group it came through.';
COMMENT ON COLUMN tccc.participant_fact.skill_group_name IS 'Its name.';
COMMENT ON COLUMN tccc.participant_fact.answered IS 'The agent and the other side were both on the line.';
COMMENT ON COLUMN tccc.participant_fact.ring_s IS 'Seconds from ring to the agent''s answer; not for outbound calls, whose agent dials.';
COMMENT ON COLUMN tccc.participant_fact.talk_s IS 'Seconds on the line with the other side.';
COMMENT ON COLUMN tccc.participant_fact.handle_s IS 'Seconds from ring to end, if the agent answered.';
COMMENT ON COLUMN tccc.participant_fact.gave_away IS 'Handed the call over: TransferTo, or a later participant answered too.';
COMMENT ON COLUMN tccc.participant_fact.took_over IS 'Got the call from another: TransferFrom, or an earlier participant answered too.';
COMMENT ON COLUMN tccc.participant_fact.rating IS 'The call''s rating, for the last agent who answered.';
COMMENT ON COLUMN tccc.participant_fact.record_id IS 'The recording of this track.';
COMMENT ON COLUMN tccc.participant_fact.recording_missing IS 'It is named, and no record push has told of it.';
