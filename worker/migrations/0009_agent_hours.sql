-- compatible_from: 1

-- Agents by hour: of a month of one agent's calls few fall into one quarter of an hour, so that the roll-up by quarter is
-- hardly smaller than the calls. Zones whose clocks differ from UTC by whole hours are answered from this one.

CREATE FUNCTION tccc.hour_of(at timestamptz) RETURNS timestamptz
LANGUAGE sql IMMUTABLE PARALLEL SAFE
RETURN date_bin('1 hour', at, timestamptz '1970-01-01 00:00:00+00');

CREATE AGGREGATE tccc.joined(anycompatiblearray) (SFUNC = array_cat, STYPE = anycompatiblearray);

CREATE TABLE tccc.agent_rollup_hour (LIKE tccc.agent_rollup INCLUDING COMMENTS);
CREATE INDEX agent_rollup_hour_quarter ON tccc.agent_rollup_hour (quarter);

COMMENT ON FUNCTION tccc.hour_of IS 'The hour (UTC) in which a time lies.';
COMMENT ON AGGREGATE tccc.joined(anycompatiblearray) IS 'Arrays one behind the other.';
COMMENT ON TABLE tccc.agent_rollup_hour IS 'tccc.agent_rollup summed by hour, UTC; internal, read it through tccc.agent_answers.';
COMMENT ON COLUMN tccc.agent_rollup_hour.quarter IS 'When the hour begins, UTC.';

CREATE FUNCTION tccc.agents_by_hour(changed timestamptz[]) RETURNS SETOF tccc.agent_rollup_hour LANGUAGE sql STABLE
BEGIN ATOMIC
SELECT
    tccc.hour_of(quarter), sdk_app_id, agent, sum(offered)::integer, sum(answered)::integer, sum(outbound)::integer,
    sum(outbound_answered)::integer, sum(internal)::integer, sum(internal_answered)::integer, sum(talked)::integer,
    least(sum(talk_s), 2147483647)::integer, sum(handled)::integer, least(sum(handle_s), 2147483647)::integer,
    sum(gave_away)::integer, sum(took_over)::integer, sum(short_calls)::integer, sum(recordings)::integer,
    sum(recordings_missing)::integer, tccc.joined(rings_s), tccc.joined(ratings)
FROM tccc.agent_rollup
WHERE quarter IN (
    SELECT tccc.hour_of(one) + n * interval '15 minutes' FROM unnest(changed) AS one, generate_series(0, 3) AS n
)
GROUP BY 1, 2, 3;
END;

COMMENT ON FUNCTION tccc.agents_by_hour IS 'What tccc.agent_rollup_hour should hold for the hours of these quarters. Internal.';

CREATE OR REPLACE FUNCTION tccc.rollup_reset() RETURNS void LANGUAGE sql
BEGIN ATOMIC
    DELETE FROM tccc.call_rollup;
    DELETE FROM tccc.agent_rollup;
    DELETE FROM tccc.agent_rollup_hour;
    DELETE FROM tccc.rollup_mark;
    DELETE FROM tccc.rollup_session;
    INSERT INTO tccc.rollup_mark (quarter, spreads)
    SELECT DISTINCT tccc.quarter_of(started_at), false FROM tccc.call WHERE started_at IS NOT NULL;
END;

CREATE OR REPLACE FUNCTION tccc.rollup_refresh(at_most integer DEFAULT 96) RETURNS integer LANGUAGE plpgsql SECURITY DEFINER
SET search_path = pg_catalog, pg_temp SET jit = off AS $$
DECLARE
    due timestamptz[];
BEGIN
    IF NOT tccc.rollup_kept() OR NOT pg_try_advisory_xact_lock(7482256, 1) THEN
        RETURN 0;
    END IF;
    -- Marks go first and the facts are read in a later statement: what is committed in between is read, and its
    -- own mark stays.
    WITH gone AS (DELETE FROM tccc.rollup_session RETURNING session_id)
    INSERT INTO tccc.rollup_mark (quarter, spreads)
    SELECT DISTINCT tccc.quarter_of(c.started_at), false FROM gone JOIN tccc.call AS c USING (session_id)
    WHERE c.started_at IS NOT NULL;

    WITH gone AS (DELETE FROM tccc.rollup_mark WHERE spreads RETURNING quarter)
    INSERT INTO tccc.rollup_mark (quarter, spreads)
    SELECT DISTINCT quarter + n * interval '15 minutes', false FROM gone, generate_series(0, 96) AS n;

    WITH due AS (SELECT DISTINCT quarter FROM tccc.rollup_mark WHERE NOT spreads ORDER BY quarter DESC LIMIT at_most),
    gone AS (DELETE FROM tccc.rollup_mark WHERE NOT spreads AND quarter IN (SELECT quarter FROM due) RETURNING quarter)
    SELECT array_agg(DISTINCT quarter) INTO due FROM gone;

    DELETE FROM tccc.call_rollup WHERE quarter = ANY (due);
    DELETE FROM tccc.agent_rollup WHERE quarter = ANY (due);
    INSERT INTO tccc.call_rollup SELECT * FROM tccc.rolled_calls(due, '-infinity', 'infinity');
    INSERT INTO tccc.agent_rollup SELECT * FROM tccc.rolled_agents(due, '-infinity', 'infinity');
    DELETE FROM tccc.agent_rollup_hour WHERE quarter IN (SELECT tccc.hour_of(one) FROM unnest(due) AS one);
    INSERT INTO tccc.agent_rollup_hour SELECT * FROM tccc.agents_by_hour(due);
    RETURN coalesce(cardinality(due), 0);
END $$;

CREATE OR REPLACE FUNCTION tccc.agent_answers(
    since timestamptz, until timestamptz, tz text DEFAULT 'UTC', bucket text DEFAULT 'all', within_s integer DEFAULT 20,
    app bigint DEFAULT NULL
) RETURNS SETOF tccc.agent_answer LANGUAGE plpgsql STABLE SET jit = off SET work_mem = '64MB' AS $$
#variable_conflict use_column
DECLARE
    anew timestamptz[] := tccc.quarters_anew(since, until);
    by_hour boolean;
    -- Hours that the roll-up by hour does not have whole: their quarters are looked at one by one.
    partial CONSTANT timestamptz[] := ARRAY(
        SELECT DISTINCT tccc.hour_of(one) FROM unnest(anew || since || until) AS one WHERE one <> tccc.hour_of(one) OR one = ANY (anew)
    );
    quarters CONSTANT timestamptz[] := ARRAY(
        SELECT one + n * interval '15 minutes' FROM unnest(partial) AS one, generate_series(0, 3) AS n
    );
BEGIN
    PERFORM tccc.check_question(since, until, tz, bucket);
    by_hour := bucket <> '15 minutes' AND NOT EXISTS (
        SELECT FROM generate_series(since, until, interval '1 hour') AS at
        WHERE extract(epoch FROM (at AT TIME ZONE tz) - (at AT TIME ZONE 'UTC'))::bigint % 3600 <> 0
    );
    RETURN QUERY
    WITH rolled AS (
        SELECT r.* FROM tccc.agent_rollup_hour AS r
        WHERE by_hour AND r.quarter >= since AND r.quarter < until AND r.quarter <> ALL (partial)
        UNION ALL
        SELECT r.* FROM tccc.agent_rollup AS r
        WHERE by_hour AND r.quarter = ANY (quarters)
          AND r.quarter >= since AND r.quarter < until AND r.quarter <> ALL (anew)
        UNION ALL
        SELECT r.* FROM tccc.agent_rollup AS r
        WHERE NOT by_hour AND r.quarter >= since AND r.quarter < until AND r.quarter <> ALL (anew)
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

INSERT INTO tccc.agent_rollup_hour
SELECT * FROM tccc.agents_by_hour(ARRAY(SELECT DISTINCT tccc.hour_of(quarter) FROM tccc.agent_rollup));
