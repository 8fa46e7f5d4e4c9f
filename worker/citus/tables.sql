-- Distributes what grows with the pushes, co-located by session: one session's rows are on one node, and a push is
-- settled there. Everything else stays on the coordinator. May be repeated.

SELECT pg_advisory_xact_lock(1952670564);  -- that of tccc.maintain_ledger and of worker/roles.sql
-- In the worker's order, so that neither waits for the other for ever.
LOCK TABLE tccc.call, tccc.call_participant, tccc.recording, tccc.voicemail, tccc.chat, tccc.push IN ACCESS EXCLUSIVE MODE;

-- Functions that run where the rows are; those of a database that was there before Citus are on the coordinator only.
SELECT create_distributed_function(f.oid::regprocedure)
FROM pg_proc AS f JOIN pg_namespace AS s ON s.oid = f.pronamespace
WHERE (s.nspname, f.proname) IN (
    ('tccc', 'quarter_of'), ('tccc', 'hour_of'), ('tccc', 'seconds_between'), ('tccc', 'way_of'), ('tccc', 'class_of'),
    ('tccc_private', 'keyed_hash'), ('tccc_private', 'one_form'), ('tccc_private', 'masked'), ('tccc_private', 'word'),
    ('tccc_private', 'words'), ('tccc_private', 'menu_keys')
) AND NOT EXISTS (SELECT FROM pg_dist_object AS d WHERE d.classid = 'pg_proc'::regclass AND d.objid = f.oid)
ORDER BY f.oid;

-- The first forms of what has a second one on Citus, kept for the way back.
CREATE TABLE IF NOT EXISTS tccc_private.plain_form (name text PRIMARY KEY, plain text NOT NULL, second text);
COMMENT ON TABLE tccc_private.plain_form IS 'What views and functions are where nothing is distributed, and beside it what they are on Citus.';

-- Nothing notes changes of distributed tables: answers are worked out from the calls, and nothing old is left to read.
SELECT tccc.rollup_stop();
TRUNCATE tccc.call_rollup, tccc.agent_rollup, tccc.agent_rollup_hour, tccc.rollup_mark, tccc.rollup_session;

-- A unique index of a distributed table holds the column that it is distributed by. And a table whose shards are to be
-- moved under load has a primary key.
DO $$
BEGIN
    IF NOT EXISTS (SELECT FROM pg_dist_partition WHERE logicalrelid = 'tccc.push'::regclass) THEN
        DROP INDEX tccc.push_record;
        ALTER TABLE tccc.push
            ADD CONSTRAINT push_record PRIMARY KEY (kafka_partition, kafka_offset, received_at, session_id);
    END IF;
END $$;

SELECT create_distributed_table('tccc.' || name, 'session_id', colocate_with => CASE name WHEN 'call' THEN 'none' ELSE 'tccc.call' END)
FROM unnest(ARRAY['call', 'call_participant', 'recording', 'voicemail', 'chat', 'push']) WITH ORDINALITY AS t(name, place)
WHERE NOT EXISTS (SELECT FROM pg_dist_partition WHERE logicalrelid = to_regclass('tccc.' || name))
ORDER BY place;
