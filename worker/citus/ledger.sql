-- tccc.maintain_ledger where the ledger is distributed. Rows are moved by two statements, for nothing may be deleted and
-- inserted at once into a table that is not attached yet; the lock keeps writers out between them.
CREATE OR REPLACE FUNCTION tccc.maintain_ledger(ledger_days integer, days_ahead integer) RETURNS SETOF text
LANGUAGE plpgsql SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
SET lock_timeout = '2s'
SET timezone = 'UTC'
SET datestyle = 'ISO, YMD'
SET citus.multi_shard_modify_mode = 'sequential'
AS $$
DECLARE
    today CONSTANT date := current_date;
    oldest CONSTANT timestamptz := today - greatest(ledger_days, 2);  -- no caller gets a younger day dropped
    day date;
    partition text;
BEGIN
    IF NOT pg_try_advisory_xact_lock(1952670564) THEN
        RETURN;  -- another worker is at it
    END IF;
    FOR day IN SELECT today + n FROM generate_series(-1, least(days_ahead, 31)) AS n LOOP
        partition := 'push_' || to_char(day, 'YYYYMMDD');
        CONTINUE WHEN to_regclass('tccc.' || partition) IS NOT NULL;
        LOCK TABLE tccc.push_default IN ACCESS EXCLUSIVE MODE;
        EXECUTE format('CREATE TABLE tccc.%I (LIKE tccc.push INCLUDING DEFAULTS INCLUDING CONSTRAINTS)', partition);
        PERFORM create_distributed_table('tccc.' || partition, 'session_id', colocate_with => 'tccc.push');
        EXECUTE format(
            'INSERT INTO tccc.%I SELECT * FROM tccc.push_default WHERE received_at >= %L AND received_at < %L',
            partition, day::timestamptz, (day + 1)::timestamptz);
        EXECUTE format(
            'DELETE FROM tccc.push_default WHERE received_at >= %L AND received_at < %L',
            day::timestamptz, (day + 1)::timestamptz);
        EXECUTE format(
            'ALTER TABLE tccc.push ATTACH PARTITION tccc.%I FOR VALUES FROM (%L) TO (%L)', partition, day, day + 1);
        RETURN NEXT 'made ' || partition;
    END LOOP;
    FOR partition IN
        SELECT relname FROM pg_inherits JOIN pg_class ON pg_class.oid = inhrelid
        WHERE inhparent = 'tccc.push'::regclass AND relname ~ '^push_[0-9]{8}$'
          AND relname < 'push_' || to_char(oldest, 'YYYYMMDD')
        ORDER BY relname
    LOOP
        EXECUTE format('DROP TABLE tccc.%I', partition);
        RETURN NEXT 'dropped ' || partition;
    END LOOP;
    EXECUTE 'DELETE FROM tccc.push_default WHERE settled_at < $1' USING oldest;
END $$;
