-- compatible_from: 1

-- COPY writes row by row, instead of a page at a time, into a table that has a volatile default. All rows of one COPY
-- have one time from here on: when it began, which is still later than whatever its transaction read before.

ALTER TABLE tccc.call ALTER COLUMN updated_at SET DEFAULT statement_timestamp();
ALTER TABLE tccc.recording ALTER COLUMN updated_at SET DEFAULT statement_timestamp();
ALTER TABLE tccc.voicemail ALTER COLUMN updated_at SET DEFAULT statement_timestamp();
ALTER TABLE tccc.chat ALTER COLUMN updated_at SET DEFAULT statement_timestamp();
ALTER TABLE tccc.push ALTER COLUMN settled_at SET DEFAULT statement_timestamp();

-- Partitions have defaults of their own; those that are made from here on take the table's.
DO $$
DECLARE
    part regclass;
BEGIN
    FOR part IN SELECT inhrelid FROM pg_inherits WHERE inhparent = 'tccc.push'::regclass LOOP
        EXECUTE format('ALTER TABLE %s ALTER COLUMN settled_at SET DEFAULT statement_timestamp()', part);
    END LOOP;
END $$;

-- No answer looks service tracks up by their skill group, and each push would pay for 2.3 entries.
DROP INDEX tccc.call_participant_skill_group;

-- A quarter of an hour that calls are still being written into is worked out anew for whoever asks, whether it was just
-- brought up to date or not; to bring it up to date over and over again is work for nothing, and the more the busier it is.
ALTER TABLE tccc.rollup_mark ADD COLUMN marked_at timestamptz NOT NULL DEFAULT statement_timestamp();
COMMENT ON COLUMN tccc.rollup_mark.marked_at IS 'When it was last marked.';

DROP FUNCTION tccc.rollup_refresh(integer);
CREATE FUNCTION tccc.rollup_refresh(at_most integer DEFAULT 96, quiet interval DEFAULT '0') RETURNS integer
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp SET jit = off AS $$
DECLARE
    hot timestamptz[];
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

    hot := ARRAY(SELECT DISTINCT quarter FROM tccc.rollup_mark WHERE marked_at > clock_timestamp() - quiet);
    -- Writers add a mark with each batch; of those that stay, one for each quarter says as much.
    WITH gone AS (DELETE FROM tccc.rollup_mark WHERE quarter = ANY (hot) RETURNING *)
    INSERT INTO tccc.rollup_mark (quarter, spreads, marked_at)
    SELECT quarter, spreads, max(marked_at) FROM gone GROUP BY quarter, spreads;

    WITH gone AS (DELETE FROM tccc.rollup_mark WHERE spreads AND quarter <> ALL (hot) RETURNING quarter)
    INSERT INTO tccc.rollup_mark (quarter, spreads, marked_at)
    SELECT DISTINCT quarter + n * interval '15 minutes', false, '-infinity'::timestamptz
    FROM gone, generate_series(0, 96) AS n;

    WITH due AS (
        SELECT DISTINCT quarter FROM tccc.rollup_mark WHERE NOT spreads AND quarter <> ALL (hot)
        ORDER BY quarter DESC LIMIT at_most
    ),
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

COMMENT ON FUNCTION tccc.rollup_refresh IS 'Brings at most so many quarters up to date, the newest first, and none that was marked a shorter time ago than quiet; returns how many, 0 when there are none left. The worker calls it; it may be called at any time, and by several at once.';
REVOKE EXECUTE ON FUNCTION tccc.rollup_refresh FROM PUBLIC;
