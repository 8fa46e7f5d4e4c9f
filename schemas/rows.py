"""The rows, one type for each table of the schema `tccc`; fields stand in the order of their columns.

Times are as Postgres counts them, so that they travel as plain integers: µs since 2000-01-01 UTC (timestamptz).
`…_keys`, `extra`, `repairs` and `satisfaction` are JSON text (jsonb). Absent values are None; a part of a primary key
that was not sent is ''.
"""

from typing import Literal

from msgspec import Struct

from schemas.envelope import Source
from schemas.push import Action

EPOCH_US = 946_684_800_000_000  # 2000-01-01 UTC in µs since 1970

Micros = int  # since 2000
JsonText = str
Outcome = Literal["applied", "duplicate", "stale", "dead"]
Direction = Literal["inbound", "outbound"]


class Row(Struct, frozen=True, gc=False):
    """What a push says; how rows came to be is in `Provenance`."""


class Call(Row, frozen=True):
    session_id: str
    sdk_app_id: int | None
    direction: Direction | None
    call_type: int | None
    caller: str | None
    callee: str | None
    caller_location: str | None
    started_at: Micros | None
    queued_at: Micros | None
    rang_at: Micros | None
    accepted_at: Micros | None
    ended_at: Micros | None
    duration_s: int | None
    ivr_duration_s: int | None
    hung_up_side: str | None
    end_status: str | None
    agent_user_id: str | None
    agent_name: str | None
    agent_nick: str | None
    agent_mail: str | None
    agent_phone: str | None
    agent_staff_number: str | None
    agent_skill_groups: list[str] | None
    skill_group_id: int | None
    skill_group_name: str | None
    ivr_keys: JsonText | None
    post_ivr_keys: JsonText | None
    record_id: str | None
    user_remark: str | None
    uui: str | None
    tel_number: str | None
    tel_country: str | None
    tel_province: str | None
    tel_city: str | None
    tel_operator: str | None
    extra: JsonText | None
    repairs: JsonText | None


class CallParticipant(Row, frozen=True):
    session_id: str
    sequence: int
    type: str | None
    mail: str | None
    phone: str | None
    started_at: Micros | None
    rang_at: Micros | None
    accepted_at: Micros | None
    ended_at: Micros | None
    record_id: str | None
    transfer_from: str | None
    transfer_from_type: str | None
    transfer_to: str | None
    transfer_to_type: str | None
    skill_group_id: int | None
    skill_group_name: str | None
    skill_group_priority: int | None
    end_status: str | None
    extra: JsonText | None
    repairs: JsonText | None


class Recording(Row, frozen=True):
    session_id: str
    endpoint_user: str
    record_id: str
    sdk_app_id: int | None
    recorded_at: Micros | None
    record_url: str | None
    custom_record_url: str | None
    extra: JsonText | None
    repairs: JsonText | None


class Voicemail(Row, frozen=True):
    session_id: str
    record_url_md5: str
    record_url: str | None
    sdk_app_id: int | None
    endpoint_user: str | None
    left_at: Micros | None
    extra: JsonText | None
    repairs: JsonText | None


class Chat(Row, frozen=True):
    session_id: str
    sdk_app_id: int | None
    started_at: Micros | None
    queued_at: Micros | None
    rang_at: Micros | None
    accepted_at: Micros | None
    ended_at: Micros | None
    duration_s: int | None
    ivr_duration_s: int | None
    end_status: str | None
    agent_user_id: str | None
    agent_name: str | None
    agent_nick: str | None
    agent_mail: str | None
    agent_phone: str | None
    agent_staff_number: str | None
    agent_skill_groups: list[str] | None
    skill_group_id: int | None
    skill_group_name: str | None
    ivr_keys: JsonText | None
    client_user_id: str | None
    client_user_nick: str | None
    client_data: str | None
    satisfaction: JsonText | None
    user_remark: str | None
    extra: JsonText | None
    repairs: JsonText | None


class Provenance(Struct, frozen=True, gc=False):
    """Which push a row shows, and which others it has seen: parallel lists, oldest first, or None."""

    source: Source
    push_id: str
    received_at: Micros
    earlier_push_ids: list[str] | None
    earlier_received_at: list[Micros] | None


class LedgerRow(Struct, frozen=True, gc=False):
    """One consumed record of the topic and what became of it."""

    push_id: str
    action: str
    session_id: str
    received_at: Micros
    kafka_partition: int
    kafka_offset: int
    outcome: Outcome


class Table(Struct, frozen=True):
    """A table that pushes are folded into; `session_id` is always the first column of its key."""

    name: str
    row: type[Row]
    key: tuple[str, ...]


TABLES: dict[Action, Table] = {
    "cdr": Table("call", Call, ("session_id",)),
    "record": Table("recording", Recording, ("session_id", "endpoint_user", "record_id")),
    "voicemail": Table("voicemail", Voicemail, ("session_id", "record_url_md5")),
    "imcdr": Table("chat", Chat, ("session_id",)),
}
