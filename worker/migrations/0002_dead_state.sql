-- compatible_from: 1

CREATE TABLE tccc.dead_state (
    letter_id  text COLLATE "C" PRIMARY KEY,
    state      text NOT NULL CHECK (state IN ('replayed', 'dropped')),
    replays    integer NOT NULL,
    changed_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    push_id    text NOT NULL,
    stage      text NOT NULL,
    reason     text NOT NULL,
    note       text
);

COMMENT ON TABLE tccc.dead_state IS 'What became of dead letters: one row for each that was replayed or dropped; the others are open.';
COMMENT ON COLUMN tccc.dead_state.letter_id IS 'As ''tccc dead list'' shows it: a digest of what the letter is.';
COMMENT ON COLUMN tccc.dead_state.state IS 'replayed or dropped.';
COMMENT ON COLUMN tccc.dead_state.replays IS 'How often this letter was replayed; what the record had behind it before is in its header replays.';
COMMENT ON COLUMN tccc.dead_state.changed_at IS 'When it was last replayed or dropped.';
COMMENT ON COLUMN tccc.dead_state.push_id IS 'The push that the letter holds.';
COMMENT ON COLUMN tccc.dead_state.stage IS 'Where it died: receive, normalise or store.';
COMMENT ON COLUMN tccc.dead_state.reason IS 'Why it died.';
COMMENT ON COLUMN tccc.dead_state.note IS 'What the operator had to say when dropping it.';
