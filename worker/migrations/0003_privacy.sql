-- compatible_from: 1

-- What needs more rights than the worker's role has, and what hides persons. Who may do what: worker/roles.sql.

CREATE SCHEMA IF NOT EXISTS tccc_private;
CREATE SCHEMA IF NOT EXISTS tccc_masked;
COMMENT ON SCHEMA tccc_private IS 'Keys, and what handles them: for the owner only.';
COMMENT ON SCHEMA tccc_masked IS 'The tables of tccc without persons: numbers, names and mail addresses as keyed hashes, the rest NULL.';

-- HMAC-SHA256 (RFC 2104) out of what every Postgres has built in: keys lie here as their two padded blocks.
CREATE TABLE tccc_private.hash_key (
    purpose   text PRIMARY KEY CHECK (purpose IN ('mask', 'erasure')),
    inner_pad bytea NOT NULL,
    outer_pad bytea NOT NULL
);
COMMENT ON TABLE tccc_private.hash_key IS 'Keys of the hashes; whoever reads the key of a hash can try out numbers until one fits.';

DO $$
DECLARE
    wanted text;
    key bytea;
    inner_pad bytea;
    outer_pad bytea;
BEGIN
    FOREACH wanted IN ARRAY ARRAY['mask', 'erasure'] LOOP
        key := sha256(convert_to(gen_random_uuid()::text || gen_random_uuid()::text || gen_random_uuid()::text, 'UTF8'));
        inner_pad := decode(repeat('36', 64), 'hex');
        outer_pad := decode(repeat('5c', 64), 'hex');
        FOR n IN 0..31 LOOP
            inner_pad := set_byte(inner_pad, n, get_byte(inner_pad, n) # get_byte(key, n));
            outer_pad := set_byte(outer_pad, n, get_byte(outer_pad, n) # get_byte(key, n));
        END LOOP;
        INSERT INTO tccc_private.hash_key VALUES (wanted, inner_pad, outer_pad);
    END LOOP;
END $$;

CREATE FUNCTION tccc_private.keyed_hash(value text, inner_pad bytea, outer_pad bytea) RETURNS bytea
LANGUAGE sql STABLE PARALLEL SAFE
RETURN sha256(outer_pad || sha256(inner_pad || convert_to(value, 'UTF8')));

-- One form for all spellings of a number: schemas/phone.py has the same rule. What is no number: in lower case.
CREATE FUNCTION tccc_private.one_form(value text) RETURNS text
LANGUAGE sql IMMUTABLE PARALLEL SAFE
RETURN CASE
    WHEN value ~ '^\+?[0-9][-0-9 ().]+$' THEN regexp_replace(
        regexp_replace(regexp_replace(value, '^\+', '00'), '[^0-9]', '', 'g'),
        '^(00(86)?|86(?=[0-9]{10,}$))?0*', '')
    ELSE lower(btrim(value))
END;

CREATE FUNCTION tccc_private.masked(value text, inner_pad bytea, outer_pad bytea) RETURNS text
LANGUAGE sql STABLE PARALLEL SAFE
RETURN left(encode(tccc_private.keyed_hash(tccc_private.one_form(nullif(value, '')), inner_pad, outer_pad), 'hex'), 32);

-- Words of an open list, such as an end status: shown unless something in them may be a number or an address.
CREATE FUNCTION tccc_private.word(value text) RETURNS text
LANGUAGE sql IMMUTABLE PARALLEL SAFE
RETURN CASE WHEN length(value) <= 100 AND value !~ '[0-9][-0-9 ().]{3,}[0-9]|@' THEN value END;

CREATE FUNCTION tccc_private.words(listed text[]) RETURNS text[]
LANGUAGE sql IMMUTABLE PARALLEL SAFE
RETURN CASE WHEN listed IS NOT NULL THEN ARRAY(SELECT tccc_private.word(one) FROM unnest(listed) AS one) END;

-- Of pressed keys only those of a menu: longer ones may be a number that somebody typed in.
CREATE FUNCTION tccc_private.menu_keys(presses jsonb) RETURNS jsonb
LANGUAGE sql IMMUTABLE PARALLEL SAFE
RETURN CASE WHEN jsonb_typeof(presses) = 'array' THEN (
    SELECT coalesce(jsonb_agg(jsonb_build_object(
        'key', CASE WHEN length(press ->> 'key') <= 2 THEN press ->> 'key' END) ORDER BY n), '[]'::jsonb)
    FROM jsonb_array_elements(presses) WITH ORDINALITY AS pressed(press, n)
) END;

CREATE VIEW tccc_masked.call AS SELECT
    c.session_id, c.sdk_app_id, tccc_private.word(c.direction) AS direction, c.call_type,
    tccc_private.masked(c.caller, k.inner_pad, k.outer_pad) AS caller,
    tccc_private.masked(c.callee, k.inner_pad, k.outer_pad) AS callee,
    NULL::text AS caller_location,
    c.started_at, c.queued_at, c.rang_at, c.accepted_at, c.ended_at, c.duration_s, c.ivr_duration_s,
    tccc_private.word(c.hung_up_side) AS hung_up_side, tccc_private.word(c.end_status) AS end_status,
    tccc_private.masked(c.agent_user_id, k.inner_pad, k.outer_pad) AS agent_user_id,
    tccc_private.masked(c.agent_name, k.inner_pad, k.outer_pad) AS agent_name,
    tccc_private.masked(c.agent_nick, k.inner_pad, k.outer_pad) AS agent_nick,
    tccc_private.masked(c.agent_mail, k.inner_pad, k.outer_pad) AS agent_mail,
    tccc_private.masked(c.agent_phone, k.inner_pad, k.outer_pad) AS agent_phone,
    tccc_private.masked(c.agent_staff_number, k.inner_pad, k.outer_pad) AS agent_staff_number,
    tccc_private.words(c.agent_skill_groups) AS agent_skill_groups,
    c.skill_group_id, tccc_private.word(c.skill_group_name) AS skill_group_name,
    tccc_private.menu_keys(c.ivr_keys) AS ivr_keys, tccc_private.menu_keys(c.post_ivr_keys) AS post_ivr_keys,
    tccc_private.masked(c.record_id, k.inner_pad, k.outer_pad) AS record_id,
    NULL::text AS user_remark, NULL::text AS uui,
    tccc_private.masked(c.tel_number, k.inner_pad, k.outer_pad) AS tel_number,
    tccc_private.word(c.tel_country) AS tel_country, NULL::text AS tel_province, NULL::text AS tel_city,
    tccc_private.word(c.tel_operator) AS tel_operator,
    NULL::jsonb AS extra, NULL::jsonb AS repairs, c.source, c.received_at, c.updated_at
FROM tccc.call c CROSS JOIN tccc_private.hash_key k WHERE k.purpose = 'mask';

CREATE VIEW tccc_masked.call_participant AS SELECT
    p.session_id, p.sequence, tccc_private.word(p.type) AS type,
    tccc_private.masked(p.mail, k.inner_pad, k.outer_pad) AS mail,
    tccc_private.masked(p.phone, k.inner_pad, k.outer_pad) AS phone,
    p.started_at, p.rang_at, p.accepted_at, p.ended_at,
    tccc_private.masked(p.record_id, k.inner_pad, k.outer_pad) AS record_id,
    tccc_private.masked(p.transfer_from, k.inner_pad, k.outer_pad) AS transfer_from,
    tccc_private.word(p.transfer_from_type) AS transfer_from_type,
    tccc_private.masked(p.transfer_to, k.inner_pad, k.outer_pad) AS transfer_to,
    tccc_private.word(p.transfer_to_type) AS transfer_to_type,
    p.skill_group_id, tccc_private.word(p.skill_group_name) AS skill_group_name, p.skill_group_priority,
    tccc_private.word(p.end_status) AS end_status, NULL::jsonb AS extra, NULL::jsonb AS repairs
FROM tccc.call_participant p CROSS JOIN tccc_private.hash_key k WHERE k.purpose = 'mask';

CREATE VIEW tccc_masked.recording AS SELECT
    r.session_id, tccc_private.masked(r.endpoint_user, k.inner_pad, k.outer_pad) AS endpoint_user,
    tccc_private.masked(r.record_id, k.inner_pad, k.outer_pad) AS record_id,
    r.sdk_app_id, r.recorded_at, NULL::text AS record_url, NULL::text AS custom_record_url,
    NULL::jsonb AS extra, NULL::jsonb AS repairs, r.source, r.received_at, r.updated_at
FROM tccc.recording r CROSS JOIN tccc_private.hash_key k WHERE k.purpose = 'mask';

CREATE VIEW tccc_masked.voicemail AS SELECT
    v.session_id, v.record_url_md5, NULL::text AS record_url, v.sdk_app_id,
    tccc_private.masked(v.endpoint_user, k.inner_pad, k.outer_pad) AS endpoint_user,
    v.left_at, NULL::jsonb AS extra, NULL::jsonb AS repairs, v.source, v.received_at, v.updated_at
FROM tccc.voicemail v CROSS JOIN tccc_private.hash_key k WHERE k.purpose = 'mask';

CREATE VIEW tccc_masked.chat AS SELECT
    c.session_id, c.sdk_app_id, c.started_at, c.queued_at, c.rang_at, c.accepted_at, c.ended_at,
    c.duration_s, c.ivr_duration_s, tccc_private.word(c.end_status) AS end_status,
    tccc_private.masked(c.agent_user_id, k.inner_pad, k.outer_pad) AS agent_user_id,
    tccc_private.masked(c.agent_name, k.inner_pad, k.outer_pad) AS agent_name,
    tccc_private.masked(c.agent_nick, k.inner_pad, k.outer_pad) AS agent_nick,
    tccc_private.masked(c.agent_mail, k.inner_pad, k.outer_pad) AS agent_mail,
    tccc_private.masked(c.agent_phone, k.inner_pad, k.outer_pad) AS agent_phone,
    tccc_private.masked(c.agent_staff_number, k.inner_pad, k.outer_pad) AS agent_staff_number,
    tccc_private.words(c.agent_skill_groups) AS agent_skill_groups,
    c.skill_group_id, tccc_private.word(c.skill_group_name) AS skill_group_name,
    tccc_private.menu_keys(c.ivr_keys) AS ivr_keys,
    tccc_private.masked(c.client_user_id, k.inner_pad, k.outer_pad) AS client_user_id,
    tccc_private.masked(c.client_user_nick, k.inner_pad, k.outer_pad) AS client_user_nick,
    NULL::text AS client_data,
    CASE WHEN c.satisfaction IS NOT NULL THEN
        jsonb_build_object('id', tccc_private.word(c.satisfaction ->> 'id')) END AS satisfaction,
    NULL::text AS user_remark,
    NULL::jsonb AS extra, NULL::jsonb AS repairs, c.source, c.received_at, c.updated_at
FROM tccc.chat c CROSS JOIN tccc_private.hash_key k WHERE k.purpose = 'mask';

-- Who was erased: without the key nobody can tell whom a row is about.
CREATE TABLE tccc.erasure (
    identity  bytea PRIMARY KEY,
    kind      text NOT NULL CHECK (kind IN ('session', 'number')),
    erased_at timestamptz NOT NULL DEFAULT clock_timestamp()
);
CREATE INDEX erasure_of_numbers ON tccc.erasure (erased_at) WHERE kind = 'number';
COMMENT ON TABLE tccc.erasure IS 'Sessions and numbers that ''tccc erase'' removed, as keyed hashes: the worker stores none of them again.';
COMMENT ON COLUMN tccc.erasure.identity IS 'Keyed hash of the session id, or of the number in its one form.';
COMMENT ON COLUMN tccc.erasure.kind IS 'session or number.';
COMMENT ON COLUMN tccc.erasure.erased_at IS 'When; a number counts for what was received before then.';

CREATE FUNCTION tccc.erased_among(kind text, candidates text[]) RETURNS TABLE (candidate text, erased_at timestamptz)
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
    SELECT asked.candidate, found.erased_at
    FROM tccc_private.hash_key k, unnest($2) AS asked(candidate), tccc.erasure found
    WHERE k.purpose = 'erasure' AND found.kind = $1
      AND found.identity = tccc_private.keyed_hash($1 || ':' || asked.candidate, k.inner_pad, k.outer_pad)
$$;
REVOKE EXECUTE ON FUNCTION tccc.erased_among FROM PUBLIC;
COMMENT ON FUNCTION tccc.erased_among IS 'Those of the candidates that were erased, and when.';

-- The ledger's partitions are the owner's, so that the worker's role needs no right to make or drop a table.
CREATE FUNCTION tccc.maintain_ledger(ledger_days integer, days_ahead integer) RETURNS SETOF text
LANGUAGE plpgsql SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
SET lock_timeout = '2s'  -- waiting for a reader's lock would make every writer wait behind us
SET timezone = 'UTC'
SET datestyle = 'ISO, YMD'
AS $$
DECLARE
    today CONSTANT date := current_date;
    oldest CONSTANT date := today - greatest(ledger_days, 2);  -- no caller gets a younger day dropped
    day date;
    partition text;
BEGIN
    IF NOT pg_try_advisory_xact_lock(1952670564) THEN
        RETURN;  -- another worker is at it
    END IF;
    FOR day IN SELECT today + n FROM generate_series(-1, least(days_ahead, 31)) AS n LOOP
        partition := 'push_' || to_char(day, 'YYYYMMDD');
        CONTINUE WHEN to_regclass('tccc.' || partition) IS NOT NULL;
        EXECUTE format('CREATE TABLE tccc.%I (LIKE tccc.push INCLUDING DEFAULTS INCLUDING CONSTRAINTS)', partition);
        EXECUTE format(
            'WITH moved AS (DELETE FROM tccc.push_default WHERE received_at >= %L AND received_at < %L RETURNING *)'
            ' INSERT INTO tccc.%I SELECT * FROM moved', day, day + 1, partition);
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
    DELETE FROM tccc.push_default WHERE settled_at < oldest;
END $$;
REVOKE EXECUTE ON FUNCTION tccc.maintain_ledger FROM PUBLIC;
COMMENT ON FUNCTION tccc.maintain_ledger IS 'Makes the ledger''s day partitions ahead, fills them from the default one, drops those that are too old; returns what was done.';
