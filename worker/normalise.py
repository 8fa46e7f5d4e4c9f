"""Turns the value of one record into rows: pure functions, no I/O, no clock.

A value is stored, repaired or refused with a RecordError, never dropped.
"""

import hashlib
from collections.abc import Callable
from decimal import Decimal
from typing import Any

import msgspec
from msgspec import Struct

from schemas import push as sent
from schemas import rows
from schemas.decoding import decode_object, nests_too_deep, session_id_fault
from schemas.errors import RecordError
from schemas.lenient import JSON_ENCODER, Fitted, Json, clean, fit
from schemas.push import DECODERS, PUSHES, Action

Key = tuple[str, ...]


class Normalised(Struct, frozen=True, gc=False):
    """The rows that one push asks for."""

    action: Action
    key: Key
    row: rows.Row
    participants: list[rows.CallParticipant]


def normalise(action: str, session_id: str, value: bytes) -> Normalised:
    """Raises RecordError for what can never become a row."""
    if action not in PUSHES:
        raise RecordError("unknown-action", "the action header is missing or names none that is known")
    return _NORMALISERS[action](session_id, decode(action, value))


def read_session_id(key: bytes | None) -> str:
    """A record's key is its SessionId."""
    try:
        session_id = (key or b"").decode()
    except UnicodeDecodeError:
        raise RecordError("no-key", "the key is not UTF-8") from None
    fault = session_id_fault(session_id)
    if fault:
        raise RecordError("no-key", f"the key is no SessionId: {fault}")
    return session_id


def decode(action: Action, value: bytes) -> Fitted[Any]:
    """In one step where the body is as the protocol says, else field by field."""
    # Postgres stores no NUL; a body that may hold one is looked at closely.
    if b"\\u0000" not in value and not nests_too_deep(value):
        try:
            return Fitted(DECODERS[action].decode(value))
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
            pass
    return fit(PUSHES[action], decode_object(value))


def _call(session_id: str, fitted: Fitted[sent.Cdr]) -> Normalised:
    cdr = fitted.value
    tel = cdr.tel_location or _NO_TEL
    extra = _with_key_presses(cdr, fitted.extra)
    row = rows.Call(
        session_id=session_id,
        sdk_app_id=cdr.sdk_app_id or None,
        direction=None if cdr.direction is None else _DIRECTIONS[cdr.direction],
        call_type=cdr.call_type,
        caller=cdr.caller or None,
        callee=cdr.callee or None,
        caller_location=cdr.caller_location or None,
        started_at=_micros(cdr.start_timestamp),
        queued_at=_micros(cdr.queued_timestamp),
        rang_at=_micros(cdr.ring_timestamp),
        accepted_at=_micros(cdr.accept_timestamp),
        ended_at=_micros(cdr.ended_timestamp),
        duration_s=cdr.duration,
        ivr_duration_s=cdr.ivr_duration,
        hung_up_side=cdr.hung_up_side or None,
        end_status=cdr.end_status_string or None,
        **_agent(cdr.seat_user),
        skill_group_id=cdr.queued_skill_group_id or None,
        skill_group_name=cdr.queued_skill_group_name or None,
        ivr_keys=_key_presses(cdr.ivr_key_pressed, cdr.ivr_key_pressed_ex),
        post_ivr_keys=_key_presses(None, cdr.post_ivr_key_pressed),
        record_id=cdr.record_id or None,
        user_remark=cdr.user_remark or None,
        uui=cdr.uui or None,
        tel_number=tel.tel_number or None,
        tel_country=tel.country or None,
        tel_province=tel.province or None,
        tel_city=tel.city or None,
        tel_operator=tel.operator or None,
        extra=_json(extra),
        repairs=_repairs(session_id, cdr.session_id, fitted.repairs),
    )
    return Normalised("cdr", (session_id,), row, _participants(session_id, fitted))


def _participants(session_id: str, fitted: Fitted[sent.Cdr]) -> list[rows.CallParticipant]:
    items = fitted.parts.get("serve_participants")
    if items is None:
        items = [Fitted(participant) for participant in fitted.value.serve_participants or ()]
    numbers = _sequences([item.value.sequence for item in items])
    return [_participant(session_id, number, item) for number, item in zip(numbers, items, strict=True)]


def _sequences(asked: list[int | None]) -> list[int]:
    """The first to ask for a number gets it; who asks for none, or for one that is taken, the next free."""
    taken: set[int] = set()
    given: list[int | None] = []
    for number in asked:
        free = number is not None and number not in taken
        given.append(number if free else None)
        if number is not None:
            taken.add(number)
    numbers = []
    candidate = 0
    for number in given:
        if number is None:
            while candidate in taken:
                candidate += 1
            taken.add(candidate)
        numbers.append(candidate if number is None else number)
    return numbers


def _participant(session_id: str, number: int, fitted: Fitted[sent.ServeParticipant]) -> rows.CallParticipant:
    participant = fitted.value
    repairs = fitted.repairs
    if number != participant.sequence:
        repairs = {"Sequence": participant.sequence} | repairs
    return rows.CallParticipant(
        session_id=session_id,
        sequence=number,
        type=participant.type or None,
        mail=participant.mail or None,
        phone=participant.phone or None,
        started_at=_micros(participant.start_timestamp),
        rang_at=_micros(participant.ring_timestamp),
        accepted_at=_micros(participant.accept_timestamp),
        ended_at=_micros(participant.ended_timestamp),
        record_id=participant.record_id or None,
        transfer_from=participant.transfer_from or None,
        transfer_from_type=participant.transfer_from_type or None,
        transfer_to=participant.transfer_to or None,
        transfer_to_type=participant.transfer_to_type or None,
        skill_group_id=participant.skill_group_id or None,
        skill_group_name=participant.skill_group_name or None,
        skill_group_priority=participant.skill_group_priority,
        end_status=participant.end_status_string or None,
        extra=_json(fitted.extra),
        repairs=_json(repairs),
    )


def _recording(session_id: str, fitted: Fitted[sent.Recording]) -> Normalised:
    record = fitted.value
    row = rows.Recording(
        session_id=session_id,
        endpoint_user=record.endpoint_user or "",
        record_id=record.record_id or "",
        sdk_app_id=record.sdk_app_id or None,
        recorded_at=_micros(record.timestamp),
        record_url=record.record_url or None,
        custom_record_url=record.custom_record_url or None,
        extra=_json(fitted.extra),
        repairs=_repairs(session_id, record.session_id, fitted.repairs),
    )
    return Normalised("record", (session_id, row.endpoint_user, row.record_id), row, [])


def _voicemail(session_id: str, fitted: Fitted[sent.Voicemail]) -> Normalised:
    message = fitted.value
    url = message.record_url or ""
    row = rows.Voicemail(
        session_id=session_id,
        # A URL may be longer than an index takes; its digest stands for it in the key.
        record_url_md5=hashlib.md5(url.encode(), usedforsecurity=False).hexdigest() if url else "",
        record_url=url or None,
        sdk_app_id=message.sdk_app_id or None,
        endpoint_user=None if message.endpoint_user in (None, "") else str(message.endpoint_user),
        left_at=_micros(message.timestamp),
        extra=_json(fitted.extra),
        repairs=_repairs(session_id, message.session_id, fitted.repairs),
    )
    return Normalised("voicemail", (session_id, row.record_url_md5), row, [])


def _chat(session_id: str, fitted: Fitted[sent.Chat]) -> Normalised:
    chat = fitted.value
    row = rows.Chat(
        session_id=session_id,
        sdk_app_id=chat.sdk_app_id or None,
        started_at=_micros(chat.start_timestamp),
        queued_at=_micros(chat.queued_timestamp),
        rang_at=_micros(chat.ring_timestamp),
        accepted_at=_micros(chat.accept_timestamp),
        ended_at=_micros(chat.ended_timestamp),
        duration_s=chat.duration,
        ivr_duration_s=chat.ivr_duration,
        end_status=chat.end_status_string or None,
        **_agent(chat.seat_user),
        skill_group_id=chat.queued_skill_group_id or None,
        skill_group_name=chat.queued_skill_group_name or None,
        ivr_keys=_key_presses(chat.ivr_key_pressed, None),
        client_user_id=chat.user_id or None,
        client_user_nick=chat.user_nick_name or None,
        client_data=chat.client_data or None,
        satisfaction=None if chat.satisfaction is None else _encode(chat.satisfaction),
        user_remark=chat.user_remark or None,
        extra=_json(fitted.extra),
        repairs=_repairs(session_id, chat.session_id, fitted.repairs),
    )
    return Normalised("imcdr", (session_id,), row, [])


_NORMALISERS: dict[Action, Callable[[str, Any], Normalised]] = {
    "cdr": _call,
    "record": _recording,
    "voicemail": _voicemail,
    "imcdr": _chat,
}
_DIRECTIONS: tuple[rows.Direction, rows.Direction] = ("inbound", "outbound")
_NO_TEL = sent.TelLocation()
_NO_AGENT = sent.SeatUser()
_SPELLED_LOWER = frozenset({"key", "label"})


def _micros(unix_s: int | None) -> rows.Micros | None:
    """The vendor sends 0 for what did not happen."""
    return unix_s * 1_000_000 if unix_s else None


def _agent(seat: sent.SeatUser | None) -> dict[str, Any]:
    seat = seat or _NO_AGENT
    return {
        "agent_user_id": seat.user_id or None,
        "agent_name": seat.name or None,
        "agent_nick": seat.nick or None,
        "agent_mail": seat.mail or None,
        "agent_phone": seat.phone or None,
        "agent_staff_number": seat.staff_number or None,
        "agent_skill_groups": seat.skill_group_name_list,
    }


def _key_presses(older: sent.KeyPresses | str | None, newer: sent.KeyPresses | None) -> rows.JsonText | None:
    """Both forms of pressed keys as one: [{"key": …, "label": …, …}]."""
    sent_keys = newer or older
    if sent_keys:
        return _encode(_presses(sent_keys))
    return None if newer is None else "[]"


def _presses(sent_keys: sent.KeyPresses | str) -> list[dict[str, Any]]:
    return [_key_press(press) for press in (sent_keys if isinstance(sent_keys, list) else [sent_keys])]


def _key_press(press: Any) -> dict[str, Any]:
    """One pressed key, whatever was sent for it: an object in any spelling, or just the key."""
    if not isinstance(press, dict):
        is_number = isinstance(press, int | Decimal) and not isinstance(press, bool)
        return {"key": str(press) if is_number else press}
    renamed: dict[str, Any] = {}
    for name, value in press.items():
        lower = name.lower()
        plain = lower in _SPELLED_LOWER and lower not in press and lower not in renamed
        renamed[lower if plain else name] = value
    return renamed


def _with_key_presses(cdr: sent.Cdr, extra: Json) -> Json:
    """Where both forms of pressed keys came, the older one is kept too unless the newer one says all of it."""
    older, newer = cdr.ivr_key_pressed, cdr.ivr_key_pressed_ex
    if not newer or not older:
        return extra
    old, new = _presses(older), _presses(newer)
    same = len(old) == len(new) and all(o.items() <= n.items() for o, n in zip(old, new, strict=True))
    return extra if same else extra | {"IVRKeyPressed": older}


def _repairs(key: str, in_body: str | None, repairs: Json) -> rows.JsonText | None:
    """A body that names another session than its record's key keeps that name here."""
    if in_body is not None and in_body != key:
        repairs = {"SessionId": clean(in_body)} | repairs
    return _json(repairs)


def _json(value: Json) -> rows.JsonText | None:
    return _encode(value) if value else None


def _encode(value: Any) -> rows.JsonText:
    return JSON_ENCODER.encode(value).decode()
