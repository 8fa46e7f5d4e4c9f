-- compatible_from: 1

-- Answers by time, in the time zone that the caller names, from the roll-up where it is up to date and from the
-- facts where it is not. docs/answers.md says the same of the columns as the comments here.

CREATE TYPE tccc.call_answer AS (
    bucket              timestamptz,
    local_time          timestamp,
    key                 text,
    label               text,
    calls               bigint,
    inbound             bigint,
    offered             bigint,
    answered            bigint,
    abandoned           bigint,
    abandoned_ivr       bigint,
    abandoned_queue     bigint,
    abandoned_ringing   bigint,
    rejected            bigint,
    no_agent            bigint,
    out_of_hours        bigint,
    voicemail           bigint,
    ivr_ended           bigint,
    blocked             bigint,
    other               bigint,
    outbound_answered   bigint,
    outbound_unanswered bigint,
    outbound_abandoned  bigint,
    internal_answered   bigint,
    internal_unanswered bigint,
    answered_within     bigint,
    service_level       numeric,
    abandon_rate        numeric,
    wait_avg_s          numeric,
    wait_p50_s          integer,
    wait_p90_s          integer,
    wait_p99_s          integer,
    talk_s              bigint,
    talk_avg_s          numeric,
    handled             bigint,
    handle_avg_s        numeric,
    transferred         bigint,
    transfer_rate       numeric,
    short_calls         bigint,
    repeated            bigint,
    rated               bigint,
    rating_avg          numeric,
    ratings             jsonb,
    recordings          bigint,
    recordings_missing  bigint
);

CREATE TYPE tccc.agent_answer AS (
    bucket             timestamptz,
    local_time         timestamp,
    agent              text,
    offered            bigint,
    answered           bigint,
    missed             bigint,
    answered_within    bigint,
    service_level      numeric,
    ring_avg_s         numeric,
    ring_p50_s         integer,
    ring_p90_s         integer,
    ring_p99_s         integer,
    outbound           bigint,
    outbound_answered  bigint,
    internal           bigint,
    internal_answered  bigint,
    talk_s             bigint,
    talk_avg_s         numeric,
    handled            bigint,
    handle_s           bigint,
    handle_avg_s       numeric,
    gave_away          bigint,
    took_over          bigint,
    transfer_rate      numeric,
    short_calls        bigint,
    rated              bigint,
    rating_avg         numeric,
    ratings            jsonb,
    recordings         bigint,
    recordings_missing bigint
);

CREATE FUNCTION tccc.bucket_of(at timestamptz, bucket text, tz text, since timestamptz) RETURNS timestamptz
LANGUAGE sql STABLE
RETURN CASE bucket
    WHEN '15 minutes' THEN tccc.quarter_of(at)
    WHEN 'all' THEN since
    ELSE date_trunc(bucket, at, tz)
END;

COMMENT ON FUNCTION tccc.bucket_of IS 'When the bucket begins in which a time lies: 15 minutes, hour, day, week (from Monday), month or all, by the clocks of a time zone.';

CREATE FUNCTION tccc.check_question(since timestamptz, until timestamptz, tz text, bucket text) RETURNS void
LANGUAGE plpgsql STABLE AS $$
BEGIN
    IF bucket IS NULL OR bucket NOT IN ('15 minutes', 'hour', 'day', 'week', 'month', 'all') THEN
        RAISE EXCEPTION 'bucket is 15 minutes, hour, day, week, month or all, not %', bucket USING ERRCODE = '22023';
    END IF;
    IF since IS NULL OR until IS NULL OR until < since OR NOT isfinite(since) OR NOT isfinite(until) THEN
        RAISE EXCEPTION 'until has to come after since, and both have to be times' USING ERRCODE = '22023';
    END IF;
    IF extract(epoch FROM (since AT TIME ZONE tz) - (since AT TIME ZONE 'UTC'))::bigint % 900 <> 0 THEN
        RAISE EXCEPTION 'the time zone % is not a whole number of quarters of an hour from UTC', tz USING ERRCODE = '22023';
    END IF;
END $$;

COMMENT ON FUNCTION tccc.check_question IS 'Refuses what cannot be answered. Internal.';

-- The quarters that are not to be read from the roll-up: stale ones, and those of which only a part is asked for.
CREATE FUNCTION tccc.quarters_anew(since timestamptz, until timestamptz) RETURNS timestamptz[]
LANGUAGE sql STABLE
BEGIN ATOMIC
SELECT coalesce(array_agg(quarter), '{}') FROM (
    SELECT quarter FROM tccc.rollup_stale WHERE quarter > since - interval '15 minutes' AND quarter < until
    UNION
    SELECT tccc.quarter_of(part) FROM (VALUES (since), (until)) AS ends(part)
    WHERE part <> tccc.quarter_of(part)
    UNION
    SELECT tccc.quarter_of(c.started_at) FROM tccc.call_fact AS c
    WHERE NOT tccc.rollup_kept() AND c.started_at >= since AND c.started_at < until
) AS anew;
END;

COMMENT ON FUNCTION tccc.quarters_anew IS 'Quarters of an hour to be worked out from the facts. Internal.';

CREATE FUNCTION tccc.call_answers(
    since timestamptz, until timestamptz, tz text DEFAULT 'UTC', bucket text DEFAULT 'day', dimension text DEFAULT 'all',
    within_s integer DEFAULT 20, app bigint DEFAULT NULL
) RETURNS SETOF tccc.call_answer LANGUAGE plpgsql STABLE SET jit = off SET work_mem = '64MB' AS $$
#variable_conflict use_column
DECLARE
    anew timestamptz[] := tccc.quarters_anew(since, until);
    rolled_by text := CASE call_answers.dimension WHEN 'sdk_app_id' THEN 'all' ELSE call_answers.dimension END;
BEGIN
    PERFORM tccc.check_question(since, until, tz, bucket);
    IF rolled_by IS NULL OR rolled_by NOT IN ('all', 'skill_group', 'number', 'region') THEN
        RAISE EXCEPTION 'dimension is all, skill_group, number, region or sdk_app_id, not %', dimension USING ERRCODE = '22023';
    END IF;
    RETURN QUERY
    WITH rolled AS (
        SELECT r.* FROM tccc.call_rollup AS r
        WHERE r.dimension = rolled_by AND r.quarter >= since AND r.quarter < until AND r.quarter <> ALL (anew)
        UNION ALL
        SELECT r.* FROM tccc.rolled_calls(anew, since, until) AS r WHERE r.dimension = rolled_by
    ),
    placed AS MATERIALIZED (
        SELECT
            tccc.bucket_of(r.quarter, call_answers.bucket, tz, since) AS place,
            coalesce(CASE call_answers.dimension WHEN 'sdk_app_id' THEN r.sdk_app_id::text ELSE r.key END, '') AS what,
            r.*
        FROM rolled AS r WHERE app IS NULL OR r.sdk_app_id = app
    ),
    counted AS (
        SELECT place, what, wait_s, count(*) AS calls FROM placed, unnest(waits_s) AS wait_s GROUP BY place, what, wait_s
    ),
    running AS (
        SELECT *, sum(calls) OVER (PARTITION BY place, what ORDER BY wait_s) AS upto,
            sum(calls) OVER (PARTITION BY place, what) AS total
        FROM counted
    ),
    waited AS (
        SELECT place, what, sum(calls) FILTER (WHERE wait_s <= within_s)::bigint AS within, sum(wait_s * calls) AS wait_s,
            min(wait_s) FILTER (WHERE upto * 100 >= total * 50) AS p50,
            min(wait_s) FILTER (WHERE upto * 100 >= total * 90) AS p90,
            min(wait_s) FILTER (WHERE upto * 100 >= total * 99) AS p99
        FROM running GROUP BY place, what
    ),
    rated AS (
        SELECT place, what, sum(calls)::bigint AS rated, jsonb_object_agg(rating, calls) AS ratings,
            round(sum(rating::integer * calls) FILTER (WHERE rating ~ '^[0-9]$')
                / sum(calls) FILTER (WHERE rating ~ '^[0-9]$'), 2) AS mean
        FROM (
            SELECT place, what, rating, count(*) AS calls FROM placed, unnest(ratings) AS rating WHERE ratings IS NOT NULL
            GROUP BY place, what, rating
        ) AS counted GROUP BY place, what
    ),
    summed AS (
        SELECT place, what, (array_agg(label ORDER BY quarter DESC) FILTER (WHERE label IS NOT NULL))[1] AS label,
            sum(calls) AS calls, sum(inbound) AS inbound, sum(offered) AS offered, sum(answered) AS answered,
            sum(abandoned_ivr) AS abandoned_ivr, sum(abandoned_queue) AS abandoned_queue,
            sum(abandoned_ringing) AS abandoned_ringing, sum(rejected) AS rejected, sum(no_agent) AS no_agent,
            sum(out_of_hours) AS out_of_hours, sum(voicemail) AS voicemail, sum(ivr_ended) AS ivr_ended,
            sum(blocked) AS blocked, sum(other) AS other, sum(outbound_answered) AS outbound_answered,
            sum(outbound_unanswered) AS outbound_unanswered, sum(outbound_abandoned) AS outbound_abandoned,
            sum(internal_answered) AS internal_answered, sum(internal_unanswered) AS internal_unanswered,
            sum(talked) AS talked, sum(talk_s)::bigint AS talk_s, sum(handled)::bigint AS handled,
            sum(handle_s) AS handle_s, sum(transferred) AS transferred, sum(short_calls) AS short_calls,
            sum(repeated) AS repeated, sum(recordings)::bigint AS recordings,
            sum(recordings_missing)::bigint AS recordings_missing
        FROM placed GROUP BY place, what
    )
    SELECT
        s.place, s.place AT TIME ZONE tz, nullif(s.what, ''), s.label,
        s.calls, s.inbound, s.offered, s.answered, s.abandoned_queue + s.abandoned_ringing, s.abandoned_ivr, s.abandoned_queue,
        s.abandoned_ringing, s.rejected, s.no_agent, s.out_of_hours, s.voicemail, s.ivr_ended, s.blocked, s.other,
        s.outbound_answered, s.outbound_unanswered, s.outbound_abandoned, s.internal_answered, s.internal_unanswered,
        coalesce(w.within, 0), round(coalesce(w.within, 0)::numeric / nullif(s.offered, 0), 4),
        round((s.abandoned_queue + s.abandoned_ringing)::numeric / nullif(s.offered, 0), 4),
        round(w.wait_s::numeric / nullif(s.answered, 0), 2), w.p50, w.p90, w.p99,
        s.talk_s, round(s.talk_s::numeric / nullif(s.talked, 0), 2),
        s.handled, round(s.handle_s::numeric / nullif(s.handled, 0), 2),
        s.transferred, round(s.transferred::numeric / nullif(s.talked, 0), 4), s.short_calls, s.repeated,
        coalesce(r.rated, 0), r.mean, r.ratings,
        s.recordings, s.recordings_missing
    FROM summed AS s
    LEFT JOIN waited AS w ON w.place = s.place AND w.what = s.what
    LEFT JOIN rated AS r ON r.place = s.place AND r.what = s.what
    ORDER BY s.place, s.what;
END $$;

CREATE FUNCTION tccc.agent_answers(
    since timestamptz, until timestamptz, tz text DEFAULT 'UTC', bucket text DEFAULT 'all', within_s integer DEFAULT 20,
    app bigint DEFAULT NULL
) RETURNS SETOF tccc.agent_answer LANGUAGE plpgsql STABLE SET jit = off SET work_mem = '64MB' AS $$
#variable_conflict use_column
DECLARE
    anew timestamptz[] := tccc.quarters_anew(since, until);
BEGIN
    PERFORM tccc.check_question(since, until, tz, bucket);
    RETURN QUERY
    WITH rolled AS (
        SELECT r.* FROM tccc.agent_rollup AS r
        WHERE r.quarter >= since AND r.quarter < until AND r.quarter <> ALL (anew)
        UNION ALL
        SELECT r.* FROM tccc.rolled_agents(anew, since, until) AS r
    ),
    placed AS MATERIALIZED (
        SELECT tccc.bucket_of(r.quarter, agent_answers.bucket, tz, since) AS place, coalesce(r.agent, '') AS who, r.*
        FROM rolled AS r
        WHERE app IS NULL OR r.sdk_app_id = app
    ),
    counted AS (
        SELECT place, who, ring_s, count(*) AS tracks FROM placed, unnest(rings_s) AS ring_s GROUP BY place, who, ring_s
    ),
    running AS (
        SELECT *, sum(tracks) OVER (PARTITION BY place, who ORDER BY ring_s) AS upto,
            sum(tracks) OVER (PARTITION BY place, who) AS total
        FROM counted
    ),
    rung AS (
        SELECT place, who, sum(tracks) FILTER (WHERE ring_s <= within_s)::bigint AS within, sum(ring_s * tracks) AS ring_s,
            min(ring_s) FILTER (WHERE upto * 100 >= total * 50) AS p50,
            min(ring_s) FILTER (WHERE upto * 100 >= total * 90) AS p90,
            min(ring_s) FILTER (WHERE upto * 100 >= total * 99) AS p99
        FROM running GROUP BY place, who
    ),
    rated AS (
        SELECT place, who, sum(calls)::bigint AS rated, jsonb_object_agg(rating, calls) AS ratings,
            round(sum(rating::integer * calls) FILTER (WHERE rating ~ '^[0-9]$')
                / sum(calls) FILTER (WHERE rating ~ '^[0-9]$'), 2) AS mean
        FROM (
            SELECT place, who, rating, count(*) AS calls FROM placed, unnest(ratings) AS rating WHERE ratings IS NOT NULL
            GROUP BY place, who, rating
        ) AS counted GROUP BY place, who
    ),
    summed AS (
        SELECT place, who, sum(offered) AS offered, sum(answered) AS answered, sum(outbound) AS outbound,
            sum(outbound_answered) AS outbound_answered, sum(internal) AS internal,
            sum(internal_answered) AS internal_answered, sum(talked) AS talked, sum(talk_s) AS talk_s,
            sum(handled) AS handled, sum(handle_s) AS handle_s, sum(gave_away) AS gave_away,
            sum(took_over) AS took_over, sum(short_calls) AS short_calls, sum(recordings) AS recordings,
            sum(recordings_missing) AS recordings_missing
        FROM placed GROUP BY place, who
    )
    SELECT
        s.place, s.place AT TIME ZONE tz, nullif(s.who, ''), s.offered, s.answered, s.offered - s.answered,
        coalesce(w.within, 0), round(coalesce(w.within, 0)::numeric / nullif(s.offered, 0), 4),
        round(w.ring_s::numeric / nullif(s.answered, 0), 2), w.p50, w.p90, w.p99,
        s.outbound, s.outbound_answered, s.internal, s.internal_answered,
        s.talk_s, round(s.talk_s::numeric / nullif(s.talked, 0), 2),
        s.handled, s.handle_s, round(s.handle_s::numeric / nullif(s.handled, 0), 2),
        s.gave_away, s.took_over, round(s.gave_away::numeric / nullif(s.talked, 0), 4), s.short_calls,
        coalesce(r.rated, 0), r.mean, r.ratings,
        s.recordings, s.recordings_missing
    FROM summed AS s
    LEFT JOIN rung AS w ON w.place = s.place AND w.who = s.who
    LEFT JOIN rated AS r ON r.place = s.place AND r.who = s.who
    ORDER BY s.place, s.who;
END $$;

COMMENT ON TYPE tccc.call_answer IS 'A row of tccc.call_answers: what the calls that began in one interval came to.';
COMMENT ON TYPE tccc.agent_answer IS 'A row of tccc.agent_answers: what one agent''s parts in calls came to.';
COMMENT ON FUNCTION tccc.call_answers IS 'Calls by interval and dimension (all, skill_group, number, region, sdk_app_id), in a time zone; since is in, until is not.';
COMMENT ON FUNCTION tccc.agent_answers IS 'Agents'' parts in calls by interval, in a time zone; since is in, until is not.';
COMMENT ON COLUMN tccc.call_answer.bucket IS 'When the interval begins.';
COMMENT ON COLUMN tccc.call_answer.local_time IS 'The same by the clocks of the time zone asked for; the hour that a clock change repeats is there twice.';
COMMENT ON COLUMN tccc.call_answer.key IS 'Of the dimension: skill group id, the centre''s own number, region or SdkAppId; NULL for calls without one, and for dimension all.';
COMMENT ON COLUMN tccc.call_answer.label IS 'Name of the skill group, as last sent.';
COMMENT ON COLUMN tccc.call_answer.calls IS 'All calls that began in the interval.';
COMMENT ON COLUMN tccc.call_answer.inbound IS 'Inbound calls.';
COMMENT ON COLUMN tccc.call_answer.offered IS 'Inbound calls that came to a queue or rang at an agent, whatever their class.';
COMMENT ON COLUMN tccc.call_answer.answered IS 'Inbound calls answered by an agent.';
COMMENT ON COLUMN tccc.call_answer.abandoned IS 'abandoned_queue + abandoned_ringing.';
COMMENT ON COLUMN tccc.call_answer.abandoned_ivr IS 'Calls whose caller gave up in the IVR (ivrGiveUp).';
COMMENT ON COLUMN tccc.call_answer.abandoned_queue IS 'Calls whose caller gave up waiting in the queue (waitingGiveUp).';
COMMENT ON COLUMN tccc.call_answer.abandoned_ringing IS 'Calls whose caller gave up while it rang at an agent (ringingGiveUp).';
COMMENT ON COLUMN tccc.call_answer.rejected IS 'Calls that an agent did not take (seatGiveUp).';
COMMENT ON COLUMN tccc.call_answer.no_agent IS 'Calls that found no agent signed in (noSeatOnline).';
COMMENT ON COLUMN tccc.call_answer.out_of_hours IS 'Calls outside working time (notWorkTime), without a voice message.';
COMMENT ON COLUMN tccc.call_answer.voicemail IS 'Calls not answered that left a voice message.';
COMMENT ON COLUMN tccc.call_answer.ivr_ended IS 'Calls that ended in the IVR or with a voice robot (ivrEnd and its like).';
COMMENT ON COLUMN tccc.call_answer.blocked IS 'Calls that were not let in (blackList, tooManyRequest, restricted).';
COMMENT ON COLUMN tccc.call_answer.other IS 'Calls that no class above fits: an end status that is not known yet, or no direction.';
COMMENT ON COLUMN tccc.call_answer.outbound_answered IS 'Outbound calls that the user answered.';
COMMENT ON COLUMN tccc.call_answer.outbound_unanswered IS 'Outbound calls that the user did not answer.';
COMMENT ON COLUMN tccc.call_answer.outbound_abandoned IS 'Outbound calls that the user answered and that ended before an agent was there (predictive dialling).';
COMMENT ON COLUMN tccc.call_answer.internal_answered IS 'Calls from agent to agent, answered.';
COMMENT ON COLUMN tccc.call_answer.internal_unanswered IS 'Calls from agent to agent, not answered.';
COMMENT ON COLUMN tccc.call_answer.answered_within IS 'Answered calls whose speed of answer was at most within_s.';
COMMENT ON COLUMN tccc.call_answer.service_level IS 'answered_within / offered.';
COMMENT ON COLUMN tccc.call_answer.abandon_rate IS 'abandoned / offered.';
COMMENT ON COLUMN tccc.call_answer.wait_avg_s IS 'Speed of answer: mean of the seconds from queue (else ring, else start) to answer, of answered calls.';
COMMENT ON COLUMN tccc.call_answer.wait_p50_s IS 'Its median: the least whole second within which half of the answered calls were answered.';
COMMENT ON COLUMN tccc.call_answer.wait_p90_s IS 'The same for 90 of 100.';
COMMENT ON COLUMN tccc.call_answer.wait_p99_s IS 'The same for 99 of 100.';
COMMENT ON COLUMN tccc.call_answer.talk_s IS 'Seconds from answer to end, summed over answered, outbound_answered and internal_answered calls.';
COMMENT ON COLUMN tccc.call_answer.talk_avg_s IS 'Its mean for each of those calls.';
COMMENT ON COLUMN tccc.call_answer.handled IS 'Participants who answered: agents'' parts in these calls.';
COMMENT ON COLUMN tccc.call_answer.handle_avg_s IS 'Mean of their seconds from ring to end; after-call work and hold are not in pushes.';
COMMENT ON COLUMN tccc.call_answer.transferred IS 'Calls handed over at least once.';
COMMENT ON COLUMN tccc.call_answer.transfer_rate IS 'transferred / calls with talk (answered, outbound_answered, internal_answered).';
COMMENT ON COLUMN tccc.call_answer.short_calls IS 'Calls with less than 10 s of talk.';
COMMENT ON COLUMN tccc.call_answer.repeated IS 'Inbound calls whose caller began another inbound call in the 24 hours before; masked numbers never count.';
COMMENT ON COLUMN tccc.call_answer.rated IS 'Calls with a key in PostIVRKeyPressed.';
COMMENT ON COLUMN tccc.call_answer.rating_avg IS 'Mean of the first key pressed, over keys that are one digit; what a digit means is your IVR''s.';
COMMENT ON COLUMN tccc.call_answer.ratings IS 'Calls by the first key pressed: {"5": 12, "1": 3}.';
COMMENT ON COLUMN tccc.call_answer.recordings IS 'Recordings that calls and their participants name by RecordId.';
COMMENT ON COLUMN tccc.call_answer.recordings_missing IS 'Those of them that no record push has told of.';
COMMENT ON COLUMN tccc.agent_answer.bucket IS 'When the interval begins; a track counts where its call began.';
COMMENT ON COLUMN tccc.agent_answer.local_time IS 'The same by the clocks of the time zone asked for.';
COMMENT ON COLUMN tccc.agent_answer.agent IS 'The participant''s mail address, else phone.';
COMMENT ON COLUMN tccc.agent_answer.offered IS 'Tracks of inbound calls: how often a call came to this agent.';
COMMENT ON COLUMN tccc.agent_answer.answered IS 'Those that the agent answered.';
COMMENT ON COLUMN tccc.agent_answer.missed IS 'offered - answered.';
COMMENT ON COLUMN tccc.agent_answer.answered_within IS 'Answered tracks whose ring was at most within_s.';
COMMENT ON COLUMN tccc.agent_answer.service_level IS 'answered_within / offered.';
COMMENT ON COLUMN tccc.agent_answer.ring_avg_s IS 'Mean of the seconds from ring to the agent''s answer, inbound.';
COMMENT ON COLUMN tccc.agent_answer.ring_p50_s IS 'Its median.';
COMMENT ON COLUMN tccc.agent_answer.ring_p90_s IS 'Within so many seconds 90 of 100 were answered.';
COMMENT ON COLUMN tccc.agent_answer.ring_p99_s IS 'Within so many seconds 99 of 100 were answered.';
COMMENT ON COLUMN tccc.agent_answer.outbound IS 'Tracks of outbound calls.';
COMMENT ON COLUMN tccc.agent_answer.outbound_answered IS 'Those where agent and user were both on the line.';
COMMENT ON COLUMN tccc.agent_answer.internal IS 'Tracks of calls from agent to agent.';
COMMENT ON COLUMN tccc.agent_answer.internal_answered IS 'Those that were answered.';
COMMENT ON COLUMN tccc.agent_answer.talk_s IS 'Seconds on the line with the other side.';
COMMENT ON COLUMN tccc.agent_answer.talk_avg_s IS 'Its mean for each track with talk.';
COMMENT ON COLUMN tccc.agent_answer.handled IS 'Tracks whose own side was up: what handle time is counted of.';
COMMENT ON COLUMN tccc.agent_answer.handle_s IS 'Seconds from ring to the end of the track, of those.';
COMMENT ON COLUMN tccc.agent_answer.handle_avg_s IS 'Its mean; after-call work and hold are not in pushes.';
COMMENT ON COLUMN tccc.agent_answer.gave_away IS 'Tracks handed over to another.';
COMMENT ON COLUMN tccc.agent_answer.took_over IS 'Tracks got from another.';
COMMENT ON COLUMN tccc.agent_answer.transfer_rate IS 'gave_away / tracks with talk.';
COMMENT ON COLUMN tccc.agent_answer.short_calls IS 'Tracks with less than 10 s of talk.';
COMMENT ON COLUMN tccc.agent_answer.rated IS 'Rated calls that this agent was the last to answer.';
COMMENT ON COLUMN tccc.agent_answer.rating_avg IS 'Mean of their first key, over keys that are one digit.';
COMMENT ON COLUMN tccc.agent_answer.ratings IS 'Those calls by the first key pressed.';
COMMENT ON COLUMN tccc.agent_answer.recordings IS 'Recordings that the tracks name by RecordId.';
COMMENT ON COLUMN tccc.agent_answer.recordings_missing IS 'Those of them that no record push has told of.';

-- The columns of the roll-ups say what those of the answers say.
DO $$
DECLARE
    own CONSTANT jsonb := jsonb_build_object(
        'quarter', 'When the quarter of an hour begins, UTC.',
        'sdk_app_id', 'The contact centre.',
        'dimension', 'What the key is of: all, skill_group, number or region.',
        'talked', 'How many had talk.',
        'handle_s', 'Seconds from ring to end, summed over those who answered.',
        'waits_s', 'The speed of answer of each answered call, in no order.',
        'rings_s', 'The seconds from ring to answer of each inbound track that was answered, in no order.',
        'ratings', 'The rating of each rated call, in no order.',
        'spreads', 'The 24 hours after this quarter are out of date too.',
        'session_id', 'The session.');
    target record;
BEGIN
    FOR target IN
        SELECT a.attrelid::regclass AS name, a.attname, coalesce(own ->> a.attname, (
            SELECT col_description(t.attrelid, t.attnum) FROM pg_attribute AS t
            WHERE t.attname = a.attname AND t.attrelid = to_regclass(replace(a.attrelid::regclass::text, 'rollup', 'answer'))
        )) AS said
        FROM pg_attribute AS a
        WHERE a.attnum > 0 AND a.attrelid IN (
            'tccc.call_rollup'::regclass, 'tccc.agent_rollup'::regclass, 'tccc.rollup_mark'::regclass,
            'tccc.rollup_session'::regclass)
    LOOP
        EXECUTE format('COMMENT ON COLUMN %s.%I IS %L', target.name, target.attname, target.said);
    END LOOP;
END $$;
