-- Brings all rows back to the coordinator, and everything to what it was before worker/citus/tables.sql.

SELECT pg_advisory_xact_lock(1952670564);  -- that of tccc.maintain_ledger and of worker/roles.sql

-- Tables and views are made anew, without their comments.
CREATE TEMPORARY TABLE kept_comment ON COMMIT DROP AS
SELECT format(
    'COMMENT ON %s %I.%I%s IS %L',
    CASE WHEN d.objsubid > 0 THEN 'COLUMN' WHEN c.relkind = 'v' THEN 'VIEW' ELSE 'TABLE' END,
    s.nspname, c.relname, '.' || quote_ident(a.attname), d.description) AS statement
FROM pg_description AS d
JOIN pg_class AS c ON c.oid = d.objoid AND d.classoid = 'pg_class'::regclass AND c.relkind IN ('r', 'p', 'v')
JOIN pg_namespace AS s ON s.oid = c.relnamespace AND s.nspname IN ('tccc', 'tccc_masked')
LEFT JOIN pg_attribute AS a ON a.attrelid = c.oid AND a.attnum = d.objsubid AND d.objsubid > 0;

DO $$
DECLARE
    found record;
BEGIN
    -- What depends on a table and is no view would go with it: functions that return the rows of one.
    FOR found IN SELECT name, plain FROM tccc_private.plain_form WHERE name LIKE 'tccc\_masked.%' LOOP
        EXECUTE found.plain;
        EXECUTE format('DROP VIEW tccc_private.%I CASCADE', replace(found.name, 'tccc_masked.', 'masked_'));
    END LOOP;
    FOR found IN
        SELECT t.name FROM unnest(ARRAY['call', 'call_participant', 'recording', 'voicemail', 'chat', 'push']) AS t(name)
        JOIN pg_dist_partition ON logicalrelid = to_regclass('tccc.' || t.name)
    LOOP
        PERFORM undistribute_table('tccc.' || found.name);
    END LOOP;
    FOR found IN SELECT plain FROM tccc_private.plain_form WHERE name NOT LIKE 'tccc\_masked.%' ORDER BY name LOOP
        EXECUTE found.plain;
    END LOOP;
    FOR found IN SELECT statement FROM kept_comment LOOP
        EXECUTE found.statement;
    END LOOP;
END $$;

DROP VIEW tccc.call_fact_alone;
DROP TABLE tccc_private.plain_form;
ALTER TABLE tccc.push DROP CONSTRAINT push_record;
CREATE UNIQUE INDEX push_record ON tccc.push (kafka_partition, kafka_offset, received_at);
SELECT tccc.rollup_start();
