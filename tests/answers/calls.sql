-- One day of calls for measurements, straight into the tables: :day (UTC) and how many :calls.
-- Of each hundred, as a busy centre has them; numbers come back, so that there are repeat callers.
CREATE TEMP TABLE made ON COMMIT DROP AS
SELECT gen_random_uuid()::text AS session_id, started_at, kind, caller, agent, skill_group,
       started_at + make_interval(secs => ivr_s) AS queued_at,
       started_at + make_interval(secs => ivr_s + wait_s) AS rang_at,
       started_at + make_interval(secs => ivr_s + wait_s + ring_s) AS accepted_at,
       started_at + make_interval(secs => ivr_s + wait_s + ring_s + talk_s) AS ended_at,
       gen_random_uuid()::text AS record_id, gen_random_uuid()::text AS leg_record_id, number
FROM (
    SELECT number, random() * 100 AS kind,
           date_trunc('second', :day::timestamptz + make_interval(secs => (random() + random()) * 43200)) AS started_at,
           '0086138' || lpad(floor(random() * 2000000)::text, 8, '0') AS caller,
           'agent' || floor(random() * 700) || '@example.com' AS agent,
           3301 + floor(random() * 20)::int AS skill_group,
           floor(2 + random() * 20)::int AS ivr_s, floor(power(random(), 3) * 90)::int AS wait_s,
           1 + floor(random() * 15)::int AS ring_s, floor(4 + power(random(), 3) * 900)::int AS talk_s
    FROM generate_series(1, :calls) AS number
) AS drawn
ORDER BY started_at;

INSERT INTO tccc.call (
    session_id, sdk_app_id, direction, call_type, caller, callee, caller_location, started_at, queued_at, rang_at,
    accepted_at, ended_at, duration_s, ivr_duration_s, hung_up_side, end_status, agent_user_id, agent_name, agent_nick,
    agent_mail, agent_staff_number, agent_skill_groups, skill_group_id, skill_group_name, ivr_keys, post_ivr_keys,
    record_id, tel_number, tel_country, tel_province, tel_city, tel_operator, source, push_id, received_at)
SELECT session_id, 1400482256, CASE WHEN kind < 70 THEN 'inbound' ELSE 'outbound' END, CASE WHEN kind < 70 THEN 2 ELSE 1 END,
       CASE WHEN kind < 70 THEN caller ELSE line END, CASE WHEN kind < 70 THEN line ELSE caller END, '广东深圳', started_at,
       CASE WHEN kind < 60 THEN queued_at END, CASE WHEN kind < 52 OR kind >= 70 THEN rang_at END,
       CASE WHEN kind < 50 OR kind >= 85 THEN accepted_at END, ended_at,
       CASE WHEN kind < 50 OR kind >= 85 THEN extract(epoch FROM ended_at - accepted_at) ELSE 0 END, 12, 'user',
       CASE WHEN kind < 50 OR kind >= 85 THEN 'ok' WHEN kind < 52 THEN 'ringingGiveUp' WHEN kind < 60 THEN 'waitingGiveUp'
            WHEN kind < 65 THEN 'ivrGiveUp' WHEN kind < 70 THEN 'ivrEnd' ELSE 'notAnswer' END,
       agent, name, name, agent, name, ARRAY['售后一组', '售后二组'], CASE WHEN kind < 60 OR kind >= 70 THEN skill_group END,
       CASE WHEN kind < 60 OR kind >= 70 THEN 'Group ' || skill_group END, '[{"key": "1", "label": "中文服务"}, {"key": "3", "label": "售后"}]',
       CASE WHEN kind < 8 THEN '[{"key": "5", "label": "非常满意"}]'::jsonb END,
       CASE WHEN kind < 50 OR kind >= 85 THEN record_id END, caller, '中国', 'Province ' || mod(number, 30), '深圳', '移动',
       'push', gen_random_uuid()::text, ended_at
FROM made, LATERAL (
    SELECT '00864006666' || mod(number, 10) AS line, CASE WHEN kind < 52 OR kind >= 70 THEN left(agent, 8) END AS name
) AS told;

INSERT INTO tccc.call_participant (
    session_id, sequence, type, mail, started_at, rang_at, accepted_at, ended_at, record_id, transfer_from, transfer_to,
    skill_group_id, skill_group_name, skill_group_priority, end_status)
SELECT session_id, sequence, 'staffSeat', CASE sequence WHEN 0 THEN agent ELSE 'x' || agent END, rang_at, rang_at,
       CASE WHEN kind < 50 OR kind >= 85 THEN accepted_at END, ended_at,
       CASE WHEN kind < 50 OR kind >= 85 THEN sequence || leg_record_id END,
       CASE WHEN sequence = 1 THEN agent END, CASE WHEN sequence = 0 AND kind < 6 THEN 'x' || agent END,
       skill_group, 'Group ' || skill_group, 1, 'ok'
FROM made, generate_series(0, CASE WHEN kind < 6 THEN 1 ELSE 0 END) AS sequence
WHERE kind < 52 OR kind >= 70;

INSERT INTO tccc.recording (session_id, endpoint_user, record_id, sdk_app_id, recorded_at, record_url, source, push_id, received_at)
SELECT session_id, side.who, side.id, 1400482256, ended_at, 'https://recordings.example.com/' || side.id || '.mp3?sign=0123456789',
       'push', gen_random_uuid()::text, ended_at
FROM made, LATERAL (VALUES (caller, record_id), (agent, '0' || leg_record_id), ('x' || agent, '1' || leg_record_id)) AS side(who, id)
WHERE (kind < 50 OR kind >= 85) AND (kind < 6 OR side.id NOT LIKE '1%' OR length(side.id) = 36) AND random() < 0.997;
