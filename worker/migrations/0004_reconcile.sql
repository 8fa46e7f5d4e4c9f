-- compatible_from: 1

CREATE TABLE tccc.reconciled (
    sdk_app_id     bigint PRIMARY KEY,
    complete_from  timestamptz NOT NULL,
    complete_until timestamptz NOT NULL,
    checked_at     timestamptz NOT NULL DEFAULT clock_timestamp(),
    CHECK (complete_from <= complete_until)
);

COMMENT ON TABLE tccc.reconciled IS 'The signed-off watermark of each contact centre: no session that the vendor''s API knows of and that began in this span is missing.';
COMMENT ON COLUMN tccc.reconciled.sdk_app_id IS 'The contact centre''s SdkAppId.';
COMMENT ON COLUMN tccc.reconciled.complete_from IS 'Where the span begins.';
COMMENT ON COLUMN tccc.reconciled.complete_until IS 'Where it ends (exclusive).';
COMMENT ON COLUMN tccc.reconciled.checked_at IS 'When a comparison last moved or confirmed it.';

CREATE TABLE tccc.reconcile_run (
    run_id     bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    sdk_app_id bigint NOT NULL,
    kind       text NOT NULL CHECK (kind IN ('compare', 'repair', 'backfill')),
    from_at    timestamptz NOT NULL,
    to_at      timestamptz NOT NULL,
    done_until timestamptz NOT NULL,
    started_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    updated_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    UNIQUE (sdk_app_id, kind, from_at)
);

COMMENT ON TABLE tccc.reconcile_run IS 'Comparisons with the vendor''s API that are under way or were interrupted: where each goes on. A row goes when its run has reported.';
COMMENT ON COLUMN tccc.reconcile_run.run_id IS 'Names the run in the tables below.';
COMMENT ON COLUMN tccc.reconcile_run.sdk_app_id IS 'The contact centre''s SdkAppId.';
COMMENT ON COLUMN tccc.reconcile_run.kind IS 'compare, repair (reconcile --repair) or backfill.';
COMMENT ON COLUMN tccc.reconcile_run.from_at IS 'The span asked for: from.';
COMMENT ON COLUMN tccc.reconcile_run.to_at IS 'The span asked for: to (exclusive).';
COMMENT ON COLUMN tccc.reconcile_run.done_until IS 'All before is dealt with.';
COMMENT ON COLUMN tccc.reconcile_run.started_at IS 'When the run began.';
COMMENT ON COLUMN tccc.reconcile_run.updated_at IS 'When it last went on.';

CREATE TABLE tccc.reconcile_hour (
    run_id  bigint NOT NULL REFERENCES tccc.reconcile_run ON DELETE CASCADE,
    hour    timestamptz NOT NULL,
    matched bigint NOT NULL,
    PRIMARY KEY (run_id, hour)
);

COMMENT ON TABLE tccc.reconcile_hour IS 'How many sessions of an hour a run has found in both places.';
COMMENT ON COLUMN tccc.reconcile_hour.run_id IS 'The run.';
COMMENT ON COLUMN tccc.reconcile_hour.hour IS 'The hour in which the sessions began.';
COMMENT ON COLUMN tccc.reconcile_hour.matched IS 'Sessions in both places.';

CREATE TABLE tccc.reconcile_finding (
    run_id     bigint NOT NULL REFERENCES tccc.reconcile_run ON DELETE CASCADE,
    kind       text NOT NULL CHECK (kind IN ('missing', 'extra', 'differing')),
    session_id text COLLATE "C" NOT NULL,
    started_at timestamptz NOT NULL,
    fields     text[],
    PRIMARY KEY (run_id, kind, session_id)
);

COMMENT ON TABLE tccc.reconcile_finding IS 'What a run has found: sessions that are missing here, unknown to the API, or told differently.';
COMMENT ON COLUMN tccc.reconcile_finding.run_id IS 'The run.';
COMMENT ON COLUMN tccc.reconcile_finding.kind IS 'missing, extra or differing.';
COMMENT ON COLUMN tccc.reconcile_finding.session_id IS 'The vendor''s SessionId.';
COMMENT ON COLUMN tccc.reconcile_finding.started_at IS 'When the session began.';
COMMENT ON COLUMN tccc.reconcile_finding.fields IS 'Of a differing session: the columns that differ.';
