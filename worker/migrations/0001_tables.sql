-- compatible_from: 1

CREATE TABLE tccc.call (
    session_id          text COLLATE "C" NOT NULL,
    sdk_app_id          bigint,
    direction           text,
    call_type           smallint,
    caller              text,
    callee              text,
    caller_location     text,
    started_at          timestamptz,
    queued_at           timestamptz,
    rang_at             timestamptz,
    accepted_at         timestamptz,
    ended_at            timestamptz,
    duration_s          integer,
    ivr_duration_s      integer,
    hung_up_side        text,
    end_status          text,
    agent_user_id       text,
    agent_name          text,
    agent_nick          text,
    agent_mail          text,
    agent_phone         text,
    agent_staff_number  text,
    agent_skill_groups  text[],
    skill_group_id      bigint,
    skill_group_name    text,
    ivr_keys            jsonb,
    post_ivr_keys       jsonb,
    record_id           text,
    user_remark         text,
    uui                 text,
    tel_number          text,
    tel_country         text,
    tel_province        text,
    tel_city            text,
    tel_operator        text,
    extra               jsonb,
    repairs             jsonb,
    source              text NOT NULL,
    push_id             text NOT NULL,
    received_at         timestamptz NOT NULL,
    earlier_push_ids    text[],
    earlier_received_at timestamptz[],
    updated_at          timestamptz NOT NULL DEFAULT clock_timestamp(),
    PRIMARY KEY (session_id)
);
CREATE INDEX call_started_at ON tccc.call (started_at);
CREATE INDEX call_caller ON tccc.call (caller, started_at);
CREATE INDEX call_callee ON tccc.call (callee, started_at);
CREATE INDEX call_agent ON tccc.call (agent_user_id, started_at) WHERE agent_user_id IS NOT NULL;
CREATE INDEX call_skill_group ON tccc.call (skill_group_id, started_at) WHERE skill_group_id IS NOT NULL;

COMMENT ON TABLE tccc.call IS 'One row for each call session: what the newest push of action cdr says of it.';
COMMENT ON COLUMN tccc.call.session_id IS 'The vendor''s SessionId, opaque text.';
COMMENT ON COLUMN tccc.call.sdk_app_id IS 'The contact centre''s SdkAppId.';
COMMENT ON COLUMN tccc.call.direction IS 'inbound or outbound.';
COMMENT ON COLUMN tccc.call.call_type IS '1 outbound, 2 inbound, 3 audio inbound, 5 predictive outbound, 6 internal; newer pushes only.';
COMMENT ON COLUMN tccc.call.caller IS 'The calling number, usually with a 0086 prefix, sometimes masked.';
COMMENT ON COLUMN tccc.call.callee IS 'The called number.';
COMMENT ON COLUMN tccc.call.caller_location IS 'Where the caller''s number is registered, as the vendor words it.';
COMMENT ON COLUMN tccc.call.started_at IS 'When the session began.';
COMMENT ON COLUMN tccc.call.queued_at IS 'Inbound: when the caller left the IVR for a queue.';
COMMENT ON COLUMN tccc.call.rang_at IS 'When it rang: at the agent''s if inbound, at the user''s if outbound.';
COMMENT ON COLUMN tccc.call.accepted_at IS 'When it was answered: by the agent if inbound, by the user if outbound.';
COMMENT ON COLUMN tccc.call.ended_at IS 'When the session ended.';
COMMENT ON COLUMN tccc.call.duration_s IS 'Seconds of talk, as sent (documented as ended minus accepted; the vendor''s own samples disagree).';
COMMENT ON COLUMN tccc.call.ivr_duration_s IS 'Seconds in the IVR, as sent.';
COMMENT ON COLUMN tccc.call.hung_up_side IS 'user, seat or system; open list.';
COMMENT ON COLUMN tccc.call.end_status IS 'How the call ended, e.g. ok, ivrGiveUp, waitingGiveUp; open list.';
COMMENT ON COLUMN tccc.call.agent_user_id IS 'The agent; after a transfer the last one. All of them: tccc.call_participant.';
COMMENT ON COLUMN tccc.call.agent_name IS 'The agent''s name.';
COMMENT ON COLUMN tccc.call.agent_nick IS 'The agent''s nickname.';
COMMENT ON COLUMN tccc.call.agent_mail IS 'The agent''s mail address.';
COMMENT ON COLUMN tccc.call.agent_phone IS 'The agent''s phone number.';
COMMENT ON COLUMN tccc.call.agent_staff_number IS 'The agent''s staff number.';
COMMENT ON COLUMN tccc.call.agent_skill_groups IS 'Names of the agent''s skill groups.';
COMMENT ON COLUMN tccc.call.skill_group_id IS 'Inbound: the skill group queued in. Outbound: derived by the vendor.';
COMMENT ON COLUMN tccc.call.skill_group_name IS 'Name of that skill group.';
COMMENT ON COLUMN tccc.call.ivr_keys IS 'Keys pressed in the IVR: [{"key": …, "label": …, …}].';
COMMENT ON COLUMN tccc.call.post_ivr_keys IS 'Keys pressed after the call (satisfaction): [{"key": …, "label": …, …}].';
COMMENT ON COLUMN tccc.call.record_id IS 'The recording of the user''s side.';
COMMENT ON COLUMN tccc.call.user_remark IS 'The remark on the user.';
COMMENT ON COLUMN tccc.call.uui IS 'Data that the caller of the outbound interface passed along.';
COMMENT ON COLUMN tccc.call.tel_number IS 'The number that the location belongs to.';
COMMENT ON COLUMN tccc.call.tel_country IS 'Country of that number.';
COMMENT ON COLUMN tccc.call.tel_province IS 'Province of that number.';
COMMENT ON COLUMN tccc.call.tel_city IS 'City of that number.';
COMMENT ON COLUMN tccc.call.tel_operator IS 'Operator of that number.';

CREATE TABLE tccc.call_participant (
    session_id           text COLLATE "C" NOT NULL,
    sequence             integer NOT NULL,
    type                 text,
    mail                 text,
    phone                text,
    started_at           timestamptz,
    rang_at              timestamptz,
    accepted_at          timestamptz,
    ended_at             timestamptz,
    record_id            text,
    transfer_from        text,
    transfer_from_type   text,
    transfer_to          text,
    transfer_to_type     text,
    skill_group_id       bigint,
    skill_group_name     text,
    skill_group_priority integer,
    end_status           text,
    extra                jsonb,
    repairs              jsonb,
    PRIMARY KEY (session_id, sequence)
);
CREATE INDEX call_participant_agent ON tccc.call_participant (mail, started_at) WHERE mail IS NOT NULL;
CREATE INDEX call_participant_skill_group ON tccc.call_participant (skill_group_id, started_at)
    WHERE skill_group_id IS NOT NULL;

COMMENT ON TABLE tccc.call_participant IS 'The agents who served a call, one row for each service track (a transfer adds one); exactly those of the push that tccc.call shows.';
COMMENT ON COLUMN tccc.call_participant.sequence IS 'Order of service, from 0.';
COMMENT ON COLUMN tccc.call_participant.type IS 'staffSeat, outboundSeat, staffPhoneSeat, miniProgramSeat, staffExtensionSeat; open list.';
COMMENT ON COLUMN tccc.call_participant.mail IS 'The agent''s mail address.';
COMMENT ON COLUMN tccc.call_participant.phone IS 'The agent''s phone number.';
COMMENT ON COLUMN tccc.call_participant.started_at IS 'When this track began.';
COMMENT ON COLUMN tccc.call_participant.rang_at IS 'When it rang at the agent''s.';
COMMENT ON COLUMN tccc.call_participant.accepted_at IS 'When the agent answered.';
COMMENT ON COLUMN tccc.call_participant.ended_at IS 'When this track ended.';
COMMENT ON COLUMN tccc.call_participant.record_id IS 'The recording of this track.';
COMMENT ON COLUMN tccc.call_participant.transfer_from IS 'Who transferred the call to this agent.';
COMMENT ON COLUMN tccc.call_participant.transfer_from_type IS 'Type of that participant.';
COMMENT ON COLUMN tccc.call_participant.transfer_to IS 'Whom this agent transferred the call to.';
COMMENT ON COLUMN tccc.call_participant.transfer_to_type IS 'Type of that participant.';
COMMENT ON COLUMN tccc.call_participant.skill_group_id IS 'The skill group that the call came through.';
COMMENT ON COLUMN tccc.call_participant.skill_group_name IS 'Name of that skill group.';
COMMENT ON COLUMN tccc.call_participant.skill_group_priority IS 'Priority of that skill group.';
COMMENT ON COLUMN tccc.call_participant.end_status IS 'How this track ended.';

CREATE TABLE tccc.recording (
    session_id          text COLLATE "C" NOT NULL,
    endpoint_user       text NOT NULL,
    record_id           text NOT NULL,
    sdk_app_id          bigint,
    recorded_at         timestamptz,
    record_url          text,
    custom_record_url   text,
    extra               jsonb,
    repairs             jsonb,
    source              text NOT NULL,
    push_id             text NOT NULL,
    received_at         timestamptz NOT NULL,
    earlier_push_ids    text[],
    earlier_received_at timestamptz[],
    updated_at          timestamptz NOT NULL DEFAULT clock_timestamp(),
    PRIMARY KEY (session_id, endpoint_user, record_id)
);
CREATE INDEX recording_recorded_at ON tccc.recording (recorded_at);

COMMENT ON TABLE tccc.recording IS 'One row for each recorded participant of a call (action record).';
COMMENT ON COLUMN tccc.recording.endpoint_user IS 'Whom it recorded: the phone number on the user''s side, the mail address on the agent''s; '''' if not sent.';
COMMENT ON COLUMN tccc.recording.record_id IS 'The vendor''s RecordId; '''' if not sent.';
COMMENT ON COLUMN tccc.recording.recorded_at IS 'The vendor''s Timestamp.';
COMMENT ON COLUMN tccc.recording.record_url IS 'Where the vendor keeps it, for 3 months by default; signed and short-lived.';
COMMENT ON COLUMN tccc.recording.custom_record_url IS 'Where it lies in the customer''s own storage, if copied there.';

CREATE TABLE tccc.voicemail (
    session_id          text COLLATE "C" NOT NULL,
    record_url_md5      text NOT NULL,
    record_url          text,
    sdk_app_id          bigint,
    endpoint_user       text,
    left_at             timestamptz,
    extra               jsonb,
    repairs             jsonb,
    source              text NOT NULL,
    push_id             text NOT NULL,
    received_at         timestamptz NOT NULL,
    earlier_push_ids    text[],
    earlier_received_at timestamptz[],
    updated_at          timestamptz NOT NULL DEFAULT clock_timestamp(),
    PRIMARY KEY (session_id, record_url_md5)
);
CREATE INDEX voicemail_left_at ON tccc.voicemail (left_at);
CREATE INDEX voicemail_endpoint_user ON tccc.voicemail (endpoint_user);

COMMENT ON TABLE tccc.voicemail IS 'One row for each voice message left in the IVR (action voicemail).';
COMMENT ON COLUMN tccc.voicemail.record_url_md5 IS 'MD5 of record_url in hex, which may be too long for a key; '''' if not sent.';
COMMENT ON COLUMN tccc.voicemail.record_url IS 'Where the vendor keeps it; signed and short-lived.';
COMMENT ON COLUMN tccc.voicemail.endpoint_user IS 'The phone number of who left it.';
COMMENT ON COLUMN tccc.voicemail.left_at IS 'The vendor''s Timestamp.';

CREATE TABLE tccc.chat (
    session_id          text COLLATE "C" NOT NULL,
    sdk_app_id          bigint,
    started_at          timestamptz,
    queued_at           timestamptz,
    rang_at             timestamptz,
    accepted_at         timestamptz,
    ended_at            timestamptz,
    duration_s          integer,
    ivr_duration_s      integer,
    end_status          text,
    agent_user_id       text,
    agent_name          text,
    agent_nick          text,
    agent_mail          text,
    agent_phone         text,
    agent_staff_number  text,
    agent_skill_groups  text[],
    skill_group_id      bigint,
    skill_group_name    text,
    ivr_keys            jsonb,
    client_user_id      text,
    client_user_nick    text,
    client_data         text,
    satisfaction        jsonb,
    user_remark         text,
    extra               jsonb,
    repairs             jsonb,
    source              text NOT NULL,
    push_id             text NOT NULL,
    received_at         timestamptz NOT NULL,
    earlier_push_ids    text[],
    earlier_received_at timestamptz[],
    updated_at          timestamptz NOT NULL DEFAULT clock_timestamp(),
    PRIMARY KEY (session_id)
);
CREATE INDEX chat_started_at ON tccc.chat (started_at);
CREATE INDEX chat_agent ON tccc.chat (agent_user_id, started_at) WHERE agent_user_id IS NOT NULL;
CREATE INDEX chat_skill_group ON tccc.chat (skill_group_id, started_at) WHERE skill_group_id IS NOT NULL;
CREATE INDEX chat_client ON tccc.chat (client_user_id) WHERE client_user_id IS NOT NULL;

COMMENT ON TABLE tccc.chat IS 'One row for each text chat (action imcdr).';
COMMENT ON COLUMN tccc.chat.client_user_id IS 'Who chatted, as the customer''s own system names them.';
COMMENT ON COLUMN tccc.chat.client_user_nick IS 'Their nickname.';
COMMENT ON COLUMN tccc.chat.client_data IS 'Data of the customer''s own, Base64, as sent.';
COMMENT ON COLUMN tccc.chat.satisfaction IS 'The answer to the satisfaction question: {"id": …, "content": …}.';
COMMENT ON COLUMN tccc.chat.ivr_keys IS 'Keys chosen before an agent joined: [{"key": …}].';

-- What several tables share says the same of them all.
DO $$
DECLARE
    shared CONSTANT text[][] := ARRAY[
        ['session_id', 'The vendor''s SessionId, opaque text.'],
        ['sdk_app_id', 'The contact centre''s SdkAppId.'],
        ['started_at', 'When the session began.'],
        ['queued_at', 'When the user was queued.'],
        ['rang_at', 'When it rang at the agent''s.'],
        ['accepted_at', 'When the agent answered.'],
        ['ended_at', 'When the session ended.'],
        ['duration_s', 'Seconds of service, as sent.'],
        ['ivr_duration_s', 'Seconds in the IVR, as sent.'],
        ['end_status', 'How the session ended; open list.'],
        ['agent_user_id', 'The agent; after a transfer the last one.'],
        ['agent_name', 'The agent''s name.'],
        ['agent_nick', 'The agent''s nickname.'],
        ['agent_mail', 'The agent''s mail address.'],
        ['agent_phone', 'The agent''s phone number.'],
        ['agent_staff_number', 'The agent''s staff number.'],
        ['agent_skill_groups', 'Names of the agent''s skill groups.'],
        ['skill_group_id', 'The skill group queued in.'],
        ['skill_group_name', 'Name of that skill group.'],
        ['user_remark', 'The remark on the user.'],
        ['record_id', 'The vendor''s RecordId.'],
        ['extra', 'Fields as sent that no column holds, nested as they were.'],
        ['repairs', 'Values as sent that could not be understood (their column is NULL) or had to be mended.'],
        ['source', 'push, or api for a row that came from the vendor''s API.'],
        ['push_id', 'The push that this row shows.'],
        ['received_at', 'When that push was received.'],
        ['earlier_push_ids', 'Other pushes of this row, oldest first, the newest 32; NULL if there was one only.'],
        ['earlier_received_at', 'When those were received, in the same order.'],
        ['updated_at', 'When this row last changed.']
    ];
    pair text[];
    target record;
BEGIN
    FOREACH pair SLICE 1 IN ARRAY shared LOOP
        FOR target IN
            SELECT c.oid, a.attname, a.attnum, c.relname
            FROM pg_class c JOIN pg_attribute a ON a.attrelid = c.oid
            WHERE c.relnamespace = 'tccc'::regnamespace AND a.attname = pair[1]
              AND c.relname IN ('call', 'call_participant', 'recording', 'voicemail', 'chat')
              AND col_description(c.oid, a.attnum) IS NULL
        LOOP
            EXECUTE format('COMMENT ON COLUMN tccc.%I.%I IS %L', target.relname, target.attname, pair[2]);
        END LOOP;
    END LOOP;
END $$;

CREATE TABLE tccc.push (
    push_id         text NOT NULL,
    action          text NOT NULL,
    session_id      text COLLATE "C" NOT NULL,
    received_at     timestamptz NOT NULL,
    kafka_partition integer NOT NULL,
    kafka_offset    bigint NOT NULL,
    outcome         text NOT NULL,
    settled_at      timestamptz NOT NULL DEFAULT clock_timestamp()
) PARTITION BY RANGE (received_at);
CREATE UNIQUE INDEX push_record ON tccc.push (kafka_partition, kafka_offset, received_at);
CREATE INDEX push_session ON tccc.push (session_id);
CREATE TABLE tccc.push_default PARTITION OF tccc.push DEFAULT;

COMMENT ON TABLE tccc.push IS 'The ledger: one row for each record of the topic, written in the transaction that settled it.';
COMMENT ON COLUMN tccc.push.push_id IS 'X-TCCC-PUSH-UUID, or sha256: of action and body where there was none.';
COMMENT ON COLUMN tccc.push.action IS 'cdr, record, voicemail, imcdr; as sent where it is none of them, '''' where it was not readable.';
COMMENT ON COLUMN tccc.push.session_id IS 'The record''s key; '''' where it had none.';
COMMENT ON COLUMN tccc.push.received_at IS 'When the push was received; partitioned by its day, UTC.';
COMMENT ON COLUMN tccc.push.kafka_partition IS 'Where the record is.';
COMMENT ON COLUMN tccc.push.kafka_offset IS 'Where the record is.';
COMMENT ON COLUMN tccc.push.outcome IS 'applied, duplicate (a retry), stale (older than what the row shows) or dead (see the dead letters).';
COMMENT ON COLUMN tccc.push.settled_at IS 'When it was settled.';

