-- compatible_from: 1

CREATE TABLE tccc.drift (
    kind       text NOT NULL CHECK (kind IN ('field', 'value')),
    action     text NOT NULL,
    name       text NOT NULL,
    value      text NOT NULL,
    source     text NOT NULL,
    records    bigint NOT NULL,
    first_seen timestamptz NOT NULL,
    last_seen  timestamptz NOT NULL,
    PRIMARY KEY (kind, action, name, value, source)
);

COMMENT ON TABLE tccc.drift IS 'Fields, and values of enumerations, that the vendor sends and the protocol does not list.';
COMMENT ON COLUMN tccc.drift.kind IS 'field or value.';
COMMENT ON COLUMN tccc.drift.action IS 'cdr, record, voicemail or imcdr.';
COMMENT ON COLUMN tccc.drift.name IS 'The field, with the object it stands in: SeatUser.Role. (other): names that may hold data, or too many of them.';
COMMENT ON COLUMN tccc.drift.value IS 'Of an enumeration: the value; (other) as above; '''' for a field, whose values are not kept here.';
COMMENT ON COLUMN tccc.drift.source IS 'push, or api for what came from the vendor''s API.';
COMMENT ON COLUMN tccc.drift.records IS 'In how many records it was seen; one that is consumed twice may count twice.';
COMMENT ON COLUMN tccc.drift.first_seen IS 'received-at of the first of them.';
COMMENT ON COLUMN tccc.drift.last_seen IS 'received-at of the last of them.';
