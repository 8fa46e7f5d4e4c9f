-- compatible_from: 1

-- Facts summed by quarter of an hour, so that a month is answered from thousands of rows instead of millions.
-- A quarter with a mark is not read from here but worked out anew: answers are never those of before a push.
-- See docs/decisions on roll-ups.

CREATE TABLE tccc.call_rollup (
    quarter             timestamptz NOT NULL,
    sdk_app_id          bigint,
    dimension           text NOT NULL,
    key                 text,
    label               text,
    calls               integer NOT NULL,
    inbound             integer NOT NULL,
    offered             integer NOT NULL,
    answered            integer NOT NULL,
    abandoned_ivr       integer NOT NULL,
    abandoned_queue     integer NOT NULL,
    abandoned_ringing   integer NOT NULL,
    rejected            integer NOT NULL,
    no_agent            integer NOT NULL,
    out_of_hours        integer NOT NULL,
    voicemail           integer NOT NULL,
    ivr_ended           integer NOT NULL,
    blocked             integer NOT NULL,
    other               integer NOT NULL,
    outbound_answered   integer NOT NULL,
    outbound_unanswered integer NOT NULL,
    outbound_abandoned  integer NOT NULL,
    internal_answered   integer NOT NULL,
    internal_unanswered integer NOT NULL,
    talked              integer NOT NULL,
    talk_s              bigint NOT NULL,
    handled             bigint NOT NULL,
    handle_s            bigint NOT NULL,
    transferred         integer NOT NULL,
    short_calls         integer NOT NULL,
    repeated            integer NOT NULL,
    recordings          bigint NOT NULL,
    recordings_missing  bigint NOT NULL,
    waits_s             integer[],
    ratings             text[]
);
CREATE INDEX call_rollup_dimension ON tccc.call_rollup (dimension, quarter);
CREATE INDEX call_rollup_quarter ON tccc.call_rollup (quarter);

CREATE TABLE tccc.agent_rollup (
    quarter            timestamptz NOT NULL,
    sdk_app_id         bigint,
    agent              text,
    offered            integer NOT NULL,
    answered           integer NOT NULL,
    outbound           integer NOT NULL,
    outbound_answered  integer NOT NULL,
    internal           integer NOT NULL,
    internal_answered  integer NOT NULL,
    talked             integer NOT NULL,
    talk_s             integer NOT NULL,
    handled            integer NOT NULL,
    handle_s           integer NOT NULL,
    gave_away          integer NOT NULL,
    took_over          integer NOT NULL,
    short_calls        integer NOT NULL,
    recordings         integer NOT NULL,
    recordings_missing integer NOT NULL,
    rings_s            integer[],
    ratings            text[]
);
CREATE INDEX agent_rollup_quarter ON tccc.agent_rollup (quarter);

-- Marks are only ever added by who writes calls, and taken by who refreshes: no row is fought over.
CREATE TABLE tccc.rollup_mark (quarter timestamptz NOT NULL, spreads boolean NOT NULL);
CREATE TABLE tccc.rollup_session (session_id text COLLATE "C" NOT NULL);

COMMENT ON TABLE tccc.call_rollup IS 'Call facts summed by quarter of an hour and dimension; internal, read it through tccc.call_answers.';
COMMENT ON TABLE tccc.agent_rollup IS 'Participant facts summed by quarter of an hour and agent; internal, read it through tccc.agent_answers.';
COMMENT ON TABLE tccc.rollup_mark IS 'Quarters whose roll-up is out of date; where it spreads, the 24 hours after it too, for repeated calls. Internal.';
COMMENT ON TABLE tccc.rollup_session IS 'Sessions of which something other than the call changed; the quarters they began in are out of date. Internal.';

CREATE FUNCTION tccc.rolled_calls(quarters timestamptz[], since timestamptz, until timestamptz)
RETURNS SETOF tccc.call_rollup LANGUAGE sql STABLE
BEGIN ATOMIC
WITH f AS MATERIALIZED (  -- else each fact is worked out once for each grouping
    SELECT f.*, coalesce(f.skill_group_id::text, f.skill_group_name) AS skill_group
    FROM unnest(quarters) AS q(quarter)
    CROSS JOIN LATERAL (
        SELECT * FROM tccc.call_fact
        WHERE started_at >= greatest(q.quarter, since) AND started_at < least(q.quarter + interval '15 minutes', until)
        OFFSET 0  -- so that each quarter is looked up, and never all calls are read
    ) AS f
)
SELECT
    f.quarter,
    f.sdk_app_id,
    CASE grouping(f.skill_group, f.number, f.region)
        WHEN 7 THEN 'all' WHEN 3 THEN 'skill_group' WHEN 5 THEN 'number' ELSE 'region' END,
    coalesce(f.skill_group, f.number, f.region),
    CASE WHEN grouping(f.skill_group) = 0 THEN max(f.skill_group_name) END,
    count(*),
    count(*) FILTER (WHERE f.way = 'inbound'),
    count(*) FILTER (WHERE f.offered),
    count(*) FILTER (WHERE f.class = 'answered'),
    count(*) FILTER (WHERE f.class = 'abandoned_ivr'),
    count(*) FILTER (WHERE f.class = 'abandoned_queue'),
    count(*) FILTER (WHERE f.class = 'abandoned_ringing'),
    count(*) FILTER (WHERE f.class = 'rejected'),
    count(*) FILTER (WHERE f.class = 'no_agent'),
    count(*) FILTER (WHERE f.class = 'out_of_hours'),
    count(*) FILTER (WHERE f.class = 'voicemail'),
    count(*) FILTER (WHERE f.class = 'ivr_ended'),
    count(*) FILTER (WHERE f.class = 'blocked'),
    count(*) FILTER (WHERE f.class = 'other'),
    count(*) FILTER (WHERE f.class = 'outbound_answered'),
    count(*) FILTER (WHERE f.class = 'outbound_unanswered'),
    count(*) FILTER (WHERE f.class = 'outbound_abandoned'),
    count(*) FILTER (WHERE f.class = 'internal_answered'),
    count(*) FILTER (WHERE f.class = 'internal_unanswered'),
    count(f.talk_s),
    coalesce(sum(f.talk_s), 0),
    sum(f.handled),
    sum(f.handle_s),
    count(*) FILTER (WHERE f.transfers > 0),
    count(*) FILTER (WHERE f.talk_s < 10),
    count(*) FILTER (WHERE f.repeated),
    sum(f.recordings),
    sum(f.recordings_missing),
    array_agg(f.wait_s) FILTER (WHERE f.wait_s IS NOT NULL),
    array_agg(f.rating) FILTER (WHERE f.rating IS NOT NULL)
FROM f GROUP BY f.quarter, f.sdk_app_id, GROUPING SETS ((), (f.skill_group), (f.number), (f.region));
END;

CREATE FUNCTION tccc.rolled_agents(quarters timestamptz[], since timestamptz, until timestamptz)
RETURNS SETOF tccc.agent_rollup LANGUAGE sql STABLE
BEGIN ATOMIC
WITH f AS MATERIALIZED (
    SELECT f.* FROM unnest(quarters) AS q(quarter)
    CROSS JOIN LATERAL (
        SELECT * FROM tccc.participant_fact
        WHERE started_at >= greatest(q.quarter, since) AND started_at < least(q.quarter + interval '15 minutes', until)
        OFFSET 0
    ) AS f
)
SELECT
    f.quarter,
    f.sdk_app_id,
    f.agent,
    count(*) FILTER (WHERE f.way = 'inbound'),
    count(*) FILTER (WHERE f.way = 'inbound' AND f.ring_s IS NOT NULL),
    count(*) FILTER (WHERE f.way = 'outbound'),
    count(*) FILTER (WHERE f.way = 'outbound' AND f.answered),
    count(*) FILTER (WHERE f.way = 'internal'),
    count(*) FILTER (WHERE f.way = 'internal' AND f.answered),
    count(f.talk_s),
    least(coalesce(sum(f.talk_s), 0), 2147483647),
    count(f.handle_s),
    least(coalesce(sum(f.handle_s), 0), 2147483647),
    count(*) FILTER (WHERE f.gave_away),
    count(*) FILTER (WHERE f.took_over),
    count(*) FILTER (WHERE f.talk_s < 10),
    count(f.record_id),
    count(*) FILTER (WHERE f.recording_missing),
    array_agg(f.ring_s) FILTER (WHERE f.way = 'inbound' AND f.ring_s IS NOT NULL),
    array_agg(f.rating) FILTER (WHERE f.rating IS NOT NULL)
FROM f GROUP BY f.quarter, f.sdk_app_id, f.agent;
END;

COMMENT ON FUNCTION tccc.rolled_calls IS 'What tccc.call_rollup should hold for these quarters, as far as their calls began within since and until. Internal.';
COMMENT ON FUNCTION tccc.rolled_agents IS 'What tccc.agent_rollup should hold for these quarters, as far as their calls began within since and until. Internal.';

CREATE VIEW tccc.rollup_stale AS
SELECT quarter FROM tccc.rollup_mark
UNION
SELECT quarter + n * interval '15 minutes' FROM tccc.rollup_mark, generate_series(1, 96) AS n WHERE spreads
UNION
SELECT tccc.quarter_of(c.started_at) FROM tccc.rollup_session JOIN tccc.call AS c USING (session_id)
WHERE c.started_at IS NOT NULL;

COMMENT ON VIEW tccc.rollup_stale IS 'Quarters of an hour whose roll-up is out of date.';
COMMENT ON COLUMN tccc.rollup_stale.quarter IS 'When the quarter begins, UTC.';

CREATE FUNCTION tccc.mark_calls() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    INSERT INTO tccc.rollup_mark (quarter, spreads)
    SELECT DISTINCT tccc.quarter_of(started_at), true FROM changed WHERE started_at IS NOT NULL;
    RETURN NULL;
END $$;

CREATE FUNCTION tccc.mark_sessions() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    INSERT INTO tccc.rollup_session (session_id) SELECT DISTINCT session_id FROM changed;
    RETURN NULL;
END $$;

CREATE FUNCTION tccc.forget_rollup() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    PERFORM tccc.rollup_reset();
    RETURN NULL;
END $$;

CREATE FUNCTION tccc.rollup_reset() RETURNS void LANGUAGE sql
BEGIN ATOMIC
    DELETE FROM tccc.call_rollup;
    DELETE FROM tccc.agent_rollup;
    DELETE FROM tccc.rollup_mark;
    DELETE FROM tccc.rollup_session;
    INSERT INTO tccc.rollup_mark (quarter, spreads)
    SELECT DISTINCT tccc.quarter_of(started_at), false FROM tccc.call WHERE started_at IS NOT NULL;
END;

COMMENT ON FUNCTION tccc.mark_calls IS 'Trigger: notes the quarters in which the statement''s calls began. Internal.';
COMMENT ON FUNCTION tccc.mark_sessions IS 'Trigger: notes the sessions that the statement touched. Internal.';
COMMENT ON FUNCTION tccc.forget_rollup IS 'Trigger: begins the roll-up anew after a TRUNCATE. Internal.';

CREATE FUNCTION tccc.rollup_stop() RETURNS void LANGUAGE plpgsql AS $$
DECLARE
    found record;
BEGIN
    FOR found IN SELECT tgname, tgrelid::regclass AS name FROM pg_trigger
        WHERE tgname LIKE 'rollup\_%' AND tgrelid IN (SELECT oid FROM pg_class WHERE relnamespace = 'tccc'::regnamespace)
    LOOP
        EXECUTE format('DROP TRIGGER %I ON %s', found.tgname, found.name);
    END LOOP;
END $$;

CREATE FUNCTION tccc.rollup_start() RETURNS void LANGUAGE plpgsql AS $$
DECLARE
    target record;
BEGIN
    PERFORM tccc.rollup_stop();
    FOR target IN
        SELECT t.name, t.noting, e.event, e.age
        FROM (VALUES ('call', 'mark_calls'), ('call_participant', 'mark_sessions'), ('recording', 'mark_sessions'),
            ('voicemail', 'mark_sessions')) AS t(name, noting),
        (VALUES ('INSERT', 'NEW'), ('DELETE', 'OLD'), ('UPDATE', 'OLD'), ('UPDATE', 'NEW')) AS e(event, age)
        -- Participants are added only together with their call.
        WHERE t.name <> 'call_participant' OR e.event <> 'INSERT'
    LOOP
        EXECUTE format(
            'CREATE TRIGGER %I AFTER %s ON tccc.%I REFERENCING %s TABLE AS changed FOR EACH STATEMENT EXECUTE FUNCTION tccc.%I()',
            lower('rollup_' || target.event || '_' || target.age), target.event, target.name, target.age, target.noting);
    END LOOP;
    FOR target IN SELECT unnest(ARRAY['call', 'call_participant', 'recording', 'voicemail']) AS name LOOP
        EXECUTE format(
            'CREATE TRIGGER rollup_truncate AFTER TRUNCATE ON tccc.%I FOR EACH STATEMENT EXECUTE FUNCTION tccc.forget_rollup()',
            target.name);
    END LOOP;
    PERFORM tccc.rollup_reset();
END $$;

CREATE FUNCTION tccc.rollup_kept() RETURNS boolean LANGUAGE sql STABLE
RETURN (
    SELECT count(*) = 19 FROM pg_trigger
    WHERE tgname LIKE 'rollup\_%' AND tgenabled <> 'D'
      AND tgrelid IN (SELECT oid FROM pg_class WHERE relnamespace = 'tccc'::regnamespace)
);

COMMENT ON FUNCTION tccc.rollup_reset IS 'Empties the roll-up and marks every quarter in which a call began, so that it is made anew.';
COMMENT ON FUNCTION tccc.rollup_stop IS 'Keeps no roll-up from here on, as where triggers are not possible: answers are worked out from the calls, right but slower.';
COMMENT ON FUNCTION tccc.rollup_start IS 'Keeps the roll-up again, from the beginning.';
COMMENT ON FUNCTION tccc.rollup_kept IS 'Whether every change is noted, so that the roll-up can be relied on.';

CREATE FUNCTION tccc.rollup_refresh(at_most integer DEFAULT 96) RETURNS integer LANGUAGE plpgsql SECURITY DEFINER
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
    RETURN coalesce(cardinality(due), 0);
END $$;

COMMENT ON FUNCTION tccc.rollup_refresh IS 'Brings at most so many quarters up to date, the newest first; returns how many, 0 when there are none left. The worker calls it; it may be called at any time, and by several at once.';

REVOKE EXECUTE ON FUNCTION tccc.rollup_refresh, tccc.rollup_reset, tccc.rollup_start, tccc.rollup_stop FROM PUBLIC;

SELECT tccc.rollup_start();
