-- What answers are worked out from where calls are distributed: the same as in migrations 0006 and 0007, in a form that
-- Citus runs. tests/citus/test_answers.py compares the two.

-- What a session tells by itself, worked out where it lies. Internal: it has customers' numbers.
CREATE OR REPLACE VIEW tccc.call_fact_alone AS
SELECT
    c.session_id,
    c.sdk_app_id,
    c.started_at,
    tccc.quarter_of(c.started_at) AS quarter,
    way.way,
    class.class,
    way.way = 'inbound' AND num_nonnulls(c.queued_at, c.rang_at, c.accepted_at) > 0 AS offered,
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
    CASE WHEN way.way = 'inbound' AND c.caller NOT LIKE '%*%' THEN c.caller END AS inbound_caller,
    c.post_ivr_keys -> 0 ->> 'key' AS rating,
    track.named AS recordings,
    track.named - recording.found AS recordings_missing
FROM tccc.call AS c
CROSS JOIN LATERAL (SELECT tccc.way_of(c.direction, c.call_type) AS way) AS way
CROSS JOIN LATERAL (SELECT count(*) > 0 AS was_left FROM tccc.voicemail AS v WHERE v.session_id = c.session_id) AS voicemail
CROSS JOIN LATERAL (SELECT tccc.class_of(
    way.way, c.accepted_at IS NOT NULL, c.end_status, c.accepted_at IS NULL AND voicemail.was_left
) AS class) AS class
CROSS JOIN LATERAL (
    SELECT
        count(p.accepted_at) AS handled,
        coalesce(sum(tccc.seconds_between(
            coalesce(p.rang_at, p.started_at, p.accepted_at), coalesce(p.ended_at, c.ended_at)
        )) FILTER (WHERE p.accepted_at IS NOT NULL), 0) AS handle_s,
        greatest(count(p.transfer_from), count(p.transfer_to), count(p.accepted_at) - 1) AS transfers,
        array_agg(p.record_id) || c.record_id AS record_ids,
        count(DISTINCT p.record_id) + num_nonnulls(
            CASE WHEN coalesce(bool_or(p.record_id = c.record_id), false) THEN NULL ELSE c.record_id END) AS named
    FROM tccc.call_participant AS p WHERE p.session_id = c.session_id
) AS track
CROSS JOIN LATERAL (
    SELECT count(DISTINCT r.record_id) AS found FROM tccc.recording AS r
    WHERE r.session_id = c.session_id AND r.record_id = ANY (track.record_ids)
) AS recording;

COMMENT ON VIEW tccc.call_fact_alone IS 'What tccc.call_fact is made of on Citus: what a session tells by itself. Internal.';

-- A caller's calls lie on many nodes: `repeated` is found by reading all inbound calls. tccc.call_answers is bounded by
-- the time that it is asked for.
CREATE OR REPLACE VIEW tccc.call_fact AS
SELECT
    a.session_id, a.sdk_app_id, a.started_at, a.quarter, a.way, a.class, a.offered, a.number, a.region, a.skill_group_id,
    a.skill_group_name, a.agent_user_id, a.wait_s, a.talk_s, a.handled, a.handle_s, a.transfers,
    coalesce(a.way = 'inbound' AND earlier.calls > 0, false) AS repeated,
    a.rating, a.recordings, a.recordings_missing
FROM tccc.call_fact_alone AS a
LEFT JOIN (
    SELECT c.session_id, count(*) OVER (
        PARTITION BY c.caller, c.sdk_app_id ORDER BY c.started_at
        RANGE BETWEEN interval '24 hours' PRECEDING AND interval '1 microsecond' PRECEDING
    ) AS calls
    FROM tccc.call AS c
    WHERE tccc.way_of(c.direction, c.call_type) = 'inbound' AND c.caller NOT LIKE '%*%' AND c.started_at IS NOT NULL
) AS earlier ON earlier.session_id = a.session_id;

CREATE OR REPLACE FUNCTION tccc.rolled_calls(quarters timestamptz[], since timestamptz, until timestamptz)
RETURNS SETOF tccc.call_rollup LANGUAGE plpgsql STABLE AS $$
DECLARE
    first CONSTANT timestamptz := greatest((SELECT min(q) FROM unnest(quarters) AS q), since);
    beyond CONSTANT timestamptz := least((SELECT max(q) FROM unnest(quarters) AS q) + interval '15 minutes', until);
BEGIN
RETURN QUERY
WITH alone AS MATERIALIZED (
    SELECT * FROM tccc.call_fact_alone
    WHERE started_at >= first AND started_at < beyond AND quarter = ANY (quarters)
),
inbound AS MATERIALIZED (
    SELECT caller, sdk_app_id, started_at FROM tccc.call
    WHERE started_at >= first - interval '24 hours' AND started_at < beyond
      AND tccc.way_of(direction, call_type) = 'inbound' AND caller NOT LIKE '%*%'
),
f AS MATERIALIZED (
    SELECT a.*, coalesce(a.skill_group_id::text, a.skill_group_name) AS skill_group, EXISTS (
        SELECT FROM inbound AS e
        WHERE e.caller = a.inbound_caller AND e.started_at < a.started_at
          AND e.started_at >= a.started_at - interval '24 hours' AND e.sdk_app_id IS NOT DISTINCT FROM a.sdk_app_id
    ) AS repeated
    FROM alone AS a
)
SELECT
    f.quarter,
    f.sdk_app_id,
    CASE grouping(f.skill_group, f.number, f.region)
        WHEN 7 THEN 'all' WHEN 3 THEN 'skill_group' WHEN 5 THEN 'number' ELSE 'region' END,
    coalesce(f.skill_group, f.number, f.region),
    CASE WHEN grouping(f.skill_group) = 0 THEN max(f.skill_group_name) END,
    count(*)::integer,
    (count(*) FILTER (WHERE f.way = 'inbound'))::integer,
    (count(*) FILTER (WHERE f.offered))::integer,
    (count(*) FILTER (WHERE f.class = 'answered'))::integer,
    (count(*) FILTER (WHERE f.class = 'abandoned_ivr'))::integer,
    (count(*) FILTER (WHERE f.class = 'abandoned_queue'))::integer,
    (count(*) FILTER (WHERE f.class = 'abandoned_ringing'))::integer,
    (count(*) FILTER (WHERE f.class = 'rejected'))::integer,
    (count(*) FILTER (WHERE f.class = 'no_agent'))::integer,
    (count(*) FILTER (WHERE f.class = 'out_of_hours'))::integer,
    (count(*) FILTER (WHERE f.class = 'voicemail'))::integer,
    (count(*) FILTER (WHERE f.class = 'ivr_ended'))::integer,
    (count(*) FILTER (WHERE f.class = 'blocked'))::integer,
    (count(*) FILTER (WHERE f.class = 'other'))::integer,
    (count(*) FILTER (WHERE f.class = 'outbound_answered'))::integer,
    (count(*) FILTER (WHERE f.class = 'outbound_unanswered'))::integer,
    (count(*) FILTER (WHERE f.class = 'outbound_abandoned'))::integer,
    (count(*) FILTER (WHERE f.class = 'internal_answered'))::integer,
    (count(*) FILTER (WHERE f.class = 'internal_unanswered'))::integer,
    count(f.talk_s)::integer,
    (coalesce(sum(f.talk_s), 0))::bigint,
    sum(f.handled)::bigint,
    sum(f.handle_s)::bigint,
    (count(*) FILTER (WHERE f.transfers > 0))::integer,
    (count(*) FILTER (WHERE f.talk_s < 10))::integer,
    (count(*) FILTER (WHERE f.repeated))::integer,
    sum(f.recordings)::bigint,
    sum(f.recordings_missing)::bigint,
    array_agg(f.wait_s) FILTER (WHERE f.wait_s IS NOT NULL),
    array_agg(f.rating) FILTER (WHERE f.rating IS NOT NULL)
FROM f GROUP BY f.quarter, f.sdk_app_id, GROUPING SETS ((), (f.skill_group), (f.number), (f.region));
END $$;

CREATE OR REPLACE FUNCTION tccc.rolled_agents(quarters timestamptz[], since timestamptz, until timestamptz)
RETURNS SETOF tccc.agent_rollup LANGUAGE plpgsql STABLE AS $$
DECLARE
    first CONSTANT timestamptz := greatest((SELECT min(q) FROM unnest(quarters) AS q), since);
    beyond CONSTANT timestamptz := least((SELECT max(q) FROM unnest(quarters) AS q) + interval '15 minutes', until);
BEGIN
RETURN QUERY
WITH f AS MATERIALIZED (
    SELECT * FROM tccc.participant_fact
    WHERE started_at >= first AND started_at < beyond AND quarter = ANY (quarters)
)
SELECT
    f.quarter,
    f.sdk_app_id,
    f.agent,
    (count(*) FILTER (WHERE f.way = 'inbound'))::integer,
    (count(*) FILTER (WHERE f.way = 'inbound' AND f.ring_s IS NOT NULL))::integer,
    (count(*) FILTER (WHERE f.way = 'outbound'))::integer,
    (count(*) FILTER (WHERE f.way = 'outbound' AND f.answered))::integer,
    (count(*) FILTER (WHERE f.way = 'internal'))::integer,
    (count(*) FILTER (WHERE f.way = 'internal' AND f.answered))::integer,
    count(f.talk_s)::integer,
    (least(coalesce(sum(f.talk_s), 0), 2147483647))::integer,
    count(f.handle_s)::integer,
    (least(coalesce(sum(f.handle_s), 0), 2147483647))::integer,
    (count(*) FILTER (WHERE f.gave_away))::integer,
    (count(*) FILTER (WHERE f.took_over))::integer,
    (count(*) FILTER (WHERE f.talk_s < 10))::integer,
    count(f.record_id)::integer,
    (count(*) FILTER (WHERE f.recording_missing))::integer,
    array_agg(f.ring_s) FILTER (WHERE f.way = 'inbound' AND f.ring_s IS NOT NULL),
    array_agg(f.rating) FILTER (WHERE f.rating IS NOT NULL)
FROM f GROUP BY f.quarter, f.sdk_app_id, f.agent;
END $$;

CREATE OR REPLACE FUNCTION tccc.quarters_anew(since timestamptz, until timestamptz) RETURNS timestamptz[]
LANGUAGE plpgsql STABLE AS $$
BEGIN
    RETURN coalesce((
        SELECT array_agg(quarter) FROM (
            SELECT DISTINCT tccc.quarter_of(started_at) AS quarter FROM tccc.call
            WHERE started_at >= since AND started_at < until
        ) AS found
    ), '{}');
END $$;

-- No roll-up is kept: changes of distributed tables cannot be noted by triggers with transition tables.
CREATE OR REPLACE FUNCTION tccc.rollup_reset() RETURNS void LANGUAGE plpgsql AS $$
BEGIN
    TRUNCATE tccc.call_rollup, tccc.agent_rollup, tccc.agent_rollup_hour, tccc.rollup_mark, tccc.rollup_session;
END $$;

CREATE OR REPLACE FUNCTION tccc.rollup_start() RETURNS void LANGUAGE plpgsql AS $$
BEGIN
    RAISE NOTICE 'on Citus no roll-up is kept: answers are worked out from the calls';
END $$;
