-- Who may do what. Run by every 'tccc migrate' of the schema's owner; may be repeated. Roles are the cluster's,
-- rights the database's. A table that the worker writes needs its line here; analysts see new ones by themselves.

SELECT pg_advisory_xact_lock(1952670564);  -- that of tccc.maintain_ledger: both change the same catalog rows

DO $$
DECLARE
    role text;
BEGIN
    FOREACH role IN ARRAY ARRAY['tccc_writer', 'tccc_reconciler', 'tccc_analyst', 'tccc_masked'] LOOP
        IF to_regrole(role) IS NULL THEN
            BEGIN
                EXECUTE format('CREATE ROLE %I NOLOGIN', role);
            EXCEPTION
                WHEN duplicate_object OR unique_violation THEN NULL;  -- another database's migration was quicker
                WHEN insufficient_privilege THEN NULL;  -- 'tccc migrate' says that it is missing
            END;
        END IF;
    END LOOP;

    -- The worker: reads of rows what decides between two pushes, and nothing of what they say.
    IF to_regrole('tccc_writer') IS NOT NULL THEN
        GRANT USAGE ON SCHEMA tccc TO tccc_writer;
        GRANT SELECT ON tccc.schema_version TO tccc_writer;
        GRANT INSERT, DELETE, SELECT (session_id, source, push_id, received_at, earlier_push_ids, earlier_received_at,
            updated_at), UPDATE (earlier_push_ids, earlier_received_at, updated_at)
            ON tccc.call, tccc.chat TO tccc_writer;
        GRANT INSERT, DELETE, SELECT (session_id, endpoint_user, record_id, source, push_id, received_at,
            earlier_push_ids, earlier_received_at, updated_at), UPDATE (earlier_push_ids, earlier_received_at, updated_at)
            ON tccc.recording TO tccc_writer;
        GRANT INSERT, DELETE, SELECT (session_id, record_url_md5, source, push_id, received_at,
            earlier_push_ids, earlier_received_at, updated_at), UPDATE (earlier_push_ids, earlier_received_at, updated_at)
            ON tccc.voicemail TO tccc_writer;
        GRANT INSERT, DELETE, SELECT (session_id) ON tccc.call_participant TO tccc_writer;
        GRANT INSERT, SELECT ON tccc.push TO tccc_writer;
        GRANT SELECT ON tccc.erasure TO tccc_writer;
        GRANT EXECUTE ON FUNCTION tccc.erased_among, tccc.maintain_ledger, tccc.rollup_refresh TO tccc_writer;
        GRANT SELECT, INSERT, UPDATE ON tccc.drift TO tccc_writer;
        GRANT SELECT ON tccc.reconciled TO tccc_writer;
    END IF;

    -- 'tccc reconcile' and 'tccc backfill': read the calls, keep what a run has found, and sign off.
    IF to_regrole('tccc_reconciler') IS NOT NULL THEN
        GRANT USAGE ON SCHEMA tccc TO tccc_reconciler;
        GRANT SELECT ON tccc.schema_version, tccc.call, tccc.call_participant, tccc.erasure TO tccc_reconciler;
        GRANT SELECT, INSERT, UPDATE, DELETE ON tccc.reconciled, tccc.reconcile_run, tccc.reconcile_hour,
            tccc.reconcile_finding TO tccc_reconciler;
        GRANT EXECUTE ON FUNCTION tccc.erased_among TO tccc_reconciler;
    END IF;

    -- Analysts: read everything but the keys.
    IF to_regrole('tccc_analyst') IS NOT NULL THEN
        GRANT USAGE ON SCHEMA tccc, tccc_masked TO tccc_analyst;
        GRANT SELECT ON ALL TABLES IN SCHEMA tccc, tccc_masked TO tccc_analyst;
        ALTER DEFAULT PRIVILEGES IN SCHEMA tccc, tccc_masked GRANT SELECT ON TABLES TO tccc_analyst;
        GRANT EXECUTE ON FUNCTION tccc.erased_among TO tccc_analyst;
    END IF;

    -- Those who are not to see persons: the masked views, and nothing else.
    IF to_regrole('tccc_masked') IS NOT NULL THEN
        GRANT USAGE ON SCHEMA tccc_masked TO tccc_masked;
        GRANT SELECT ON ALL TABLES IN SCHEMA tccc_masked TO tccc_masked;
        ALTER DEFAULT PRIVILEGES IN SCHEMA tccc_masked GRANT SELECT ON TABLES TO tccc_masked;
    END IF;
END $$;
