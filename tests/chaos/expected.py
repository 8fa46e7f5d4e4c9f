"""The rows that pushes should have become, read off the contract anew: shares no code with the worker.

It understands what the simulator makes, oddities included, and no more. Values are as Postgres' to_jsonb
shows them.
"""

import hashlib
import json
import re
from collections.abc import Callable
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

Json = dict[str, Any]
Read = Callable[[Any], Any]
Columns = dict[str, tuple[str, Read]]

TABLES = {"cdr": "call", "record": "recording", "voicemail": "voicemail", "imcdr": "chat"}
_MILLISECONDS_FROM = 500_000_000_000


def parse(body: bytes) -> Json:
    """A body as the vendor meant it: commas before a closing bracket do not count."""
    try:
        parsed = json.loads(body, parse_float=Decimal)
    except ValueError:
        parsed = json.loads(without_commas(body), parse_float=Decimal)
    assert isinstance(parsed, dict)
    return parsed


def without_commas(body: bytes) -> bytes:
    """Good enough for the simulator's bodies, none of whose strings holds such a sequence."""
    return re.sub(rb",(?=\s*[\]}])", b"", body)


def row_key(action: str, body: bytes) -> tuple[str, ...]:
    """The primary key of the row that a push is folded into."""
    sent = parse(body)
    session = str(sent["SessionId"])
    if action == "record":
        return session, text(sent.get("EndpointUser")) or "", text(sent.get("RecordId")) or ""
    if action == "voicemail":
        return session, hashlib.md5(sent["RecordURL"].encode()).hexdigest() if sent["RecordURL"] else ""
    return (session,)


def row(action: str, body: bytes) -> Json:
    """What the push says, without how it came; a call with its `participants` in the order of their numbers."""
    sent = parse(body)
    columns = _COLUMNS[action]
    made = _read(sent, columns)
    extra = _unknown(sent, columns)
    if action in {"cdr", "imcdr"}:
        made |= _read(sent.get("SeatUser") or {}, _AGENT)
        _nest(extra, "SeatUser", _unknown(sent.get("SeatUser") or {}, _AGENT))
        made["ivr_keys"] = _keys(sent.get("IVRKeyPressedEx"), sent.get("IVRKeyPressed"))
    if action == "cdr":
        made |= _read(sent.get("TelLocation") or {}, _TEL)
        made["post_ivr_keys"] = _keys(sent.get("PostIVRKeyPressed"), None)
        made["participants"] = _participants(made["session_id"], sent.get("ServeParticipants") or [])
    if action == "voicemail":
        made["record_url_md5"] = row_key(action, body)[1]
    if action == "record":
        made |= {name: made[name] or "" for name in ("endpoint_user", "record_id")}
    return made | {"extra": extra or None, "repairs": None}


def text(value: Any) -> str | None:
    return str(value) if value not in (None, "") else None


def _number(value: Any) -> int | None:
    return None if value is None or value == "" else int(value)


def _id(value: Any) -> int | None:
    return _number(value) or None


def _time(value: Any) -> str | None:
    at = _number(value)
    if not at:
        return None
    return datetime.fromtimestamp(at // 1000 if at >= _MILLISECONDS_FROM else at, UTC).isoformat()


def _as_is(value: Any) -> Any:
    return value


def _direction(value: Any) -> str | None:
    number = _number(value)
    return None if number is None else ("inbound", "outbound")[number]


def _read(sent: Json, columns: Columns) -> Json:
    return {column: read(sent.get(field)) for column, (field, read) in columns.items()}


def _unknown(sent: Json, columns: Columns) -> Json:
    known = {field for field, _ in columns.values()} | _ELSEWHERE
    return {field: value for field, value in sent.items() if field not in known}


def _nest(into: Json, field: str, nested: Json) -> None:
    if nested:
        into[field] = nested


def _keys(newer: list[Json] | None, older: list[str] | None) -> list[Json] | None:
    if newer is not None:
        return [{{"Key": "key", "Label": "label"}.get(k, k): v for k, v in one.items()} for one in newer]
    return [{"key": key} for key in older] if older else None


def _participants(session_id: str, sent: list[Json]) -> list[Json]:
    """Those without a number get their position, which the contract has noted in `repairs`."""
    made = []
    for position, one in enumerate(sent):
        numbered = one.get("Sequence") is not None
        made.append(
            _read(one, _PARTICIPANT)
            | {
                "session_id": session_id,
                "sequence": one["Sequence"] if numbered else position,
                "extra": _unknown(one, _PARTICIPANT) or None,
                "repairs": None if numbered else {"Sequence": None},
            }
        )
    return sorted(made, key=lambda row: int(row["sequence"]))


_ELSEWHERE = {
    *("SeatUser", "TelLocation", "ServeParticipants", "Sequence"),
    *("IVRKeyPressed", "IVRKeyPressedEx", "PostIVRKeyPressed"),
}
_SESSION: Columns = {"session_id": ("SessionId", _as_is), "sdk_app_id": ("SdkAppId", _id)}
_TIMES: Columns = {
    "started_at": ("StartTimestamp", _time),
    "rang_at": ("RingTimestamp", _time),
    "accepted_at": ("AcceptTimestamp", _time),
    "ended_at": ("EndedTimestamp", _time),
}
_SERVED: Columns = {
    **_SESSION,
    **_TIMES,
    "queued_at": ("QueuedTimestamp", _time),
    "duration_s": ("Duration", _number),
    "ivr_duration_s": ("IVRDuration", _number),
    "end_status": ("EndStatusString", text),
    "skill_group_id": ("QueuedSkillGroupId", _id),
    "skill_group_name": ("QueuedSkillGroupName", text),
    "user_remark": ("UserRemark", text),
}
_AGENT: Columns = {
    "agent_user_id": ("UserId", text),
    "agent_name": ("Name", text),
    "agent_nick": ("Nick", text),
    "agent_mail": ("Mail", text),
    "agent_phone": ("Phone", text),
    "agent_staff_number": ("StaffNumber", text),
    "agent_skill_groups": ("SkillGroupNameList", _as_is),
}
_TEL: Columns = {
    "tel_number": ("TelNumber", text),
    "tel_country": ("Country", text),
    "tel_province": ("Province", text),
    "tel_city": ("City", text),
    "tel_operator": ("Operator", text),
}
_PARTICIPANT: Columns = {
    **_TIMES,
    "type": ("Type", text),
    "mail": ("Mail", text),
    "phone": ("Phone", text),
    "record_id": ("RecordId", text),
    "transfer_from": ("TransferFrom", text),
    "transfer_from_type": ("TransferFromType", text),
    "transfer_to": ("TransferTo", text),
    "transfer_to_type": ("TransferToType", text),
    "skill_group_id": ("SkillGroupId", _id),
    "skill_group_name": ("SkillGroupName", text),
    "skill_group_priority": ("SkillGroupPriority", _number),
    "end_status": ("EndStatusString", text),
}
_COLUMNS: dict[str, Columns] = {
    "cdr": {
        **_SERVED,
        "direction": ("Direction", _direction),
        "call_type": ("CallType", _number),
        "caller": ("Caller", text),
        "callee": ("Callee", text),
        "caller_location": ("CallerLocation", text),
        "hung_up_side": ("HungUpSide", text),
        "record_id": ("RecordId", text),
        "uui": ("Uui", text),
    },
    "imcdr": {
        **_SERVED,
        "client_user_id": ("UserId", text),
        "client_user_nick": ("UserNickName", text),
        "client_data": ("ClientData", text),
        "satisfaction": ("Satisfaction", _as_is),
    },
    "record": {
        **_SESSION,
        "endpoint_user": ("EndpointUser", text),
        "record_id": ("RecordId", text),
        "recorded_at": ("Timestamp", _time),
        "record_url": ("RecordURL", text),
        "custom_record_url": ("CustomRecordURL", text),
    },
    "voicemail": {
        **_SESSION,
        "endpoint_user": ("EndpointUser", text),
        "record_url": ("RecordURL", text),
        "left_at": ("Timestamp", _time),
    },
}
