"""Turns the value of one record into rows: pure functions, no I/O, no clock.

A value is stored, repaired or refused with a RecordError, never dropped. Rows are built by position, in the
order of their columns: for the widest of them keywords would cost as much as all decoding. Times that did not
happen are sent as 0.
"""

import hashlib
from collections.abc import Callable
from typing import Any

import msgspec
from msgspec import Struct

from schemas import push as sent
from schemas import rows
from schemas.decoding import decode_object, is_plain_session_id, nests_too_deep, session_id_fault
from schemas.errors import RecordError
from schemas.lenient import JSON_ENCODER, Fitted, Json, clean, fit
from schemas.push import DECODERS, NOT_SENT, PUSHES, Action
from schemas.rows import EPOCH_US
from worker.key_presses import both_presented, presented

Key = tuple[str, ...]


class Normalised(Struct, frozen=True, gc=False):
    """The rows that one push asks for."""

    action: Action
    key: Key
    row: rows.Row
    participants: list[rows.CallParticipant]


def normalise(action: str, session_id: str, value: bytes) -> Normalised:
    """In one step where the body is as the protocol says, else field by field.

    Raises RecordError for what can never become a row.
    """
    action = known_action(action)
    rows_of = _NORMALISERS[action]
    # Postgres stores no NUL; a body that may hold one is looked at closely. Most have no escape at all.
    # A chat's satisfaction is any JSON; in other bodies what may nest deep is not decoded in this step.
    plain = b"\\" not in value or b"\\u0000" not in value
    if plain and (action != "imcdr" or not nests_too_deep(value)):
        try:
            return rows_of(session_id, Fitted(DECODERS[action].decode(value), _NONE, _NONE, _NONE))
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
            pass
    return normalise_leniently(action, session_id, value)


def known_action(action: str) -> Action:
    """Raises RecordError for one that no table is for."""
    if action not in PUSHES:
        raise RecordError("unknown-action", "the action header is missing or names none that is known")
    return action


def normalise_leniently(action: Action, session_id: str, value: bytes) -> Normalised:
    """Field by field, whatever the body is like; raises RecordError as `normalise` does."""
    return _NORMALISERS[action](session_id, fit(PUSHES[action], decode_object(value)))


def read_session_id(key: bytes | None) -> str:
    """A record's key is its SessionId."""
    try:
        session_id = (key or b"").decode()
    except UnicodeDecodeError:
        raise RecordError("no-key", "the key is not UTF-8") from None
    if not is_plain_session_id(session_id) and (fault := session_id_fault(session_id)):
        raise RecordError("no-key", f"the key is no SessionId: {fault}")
    return session_id


def _call(session_id: str, fitted: Fitted[sent.Cdr]) -> Normalised:
    cdr = fitted.value
    tel = cdr.tel_location or _NO_TEL
    ivr_keys, extra = both_presented(cdr.ivr_key_pressed, cdr.ivr_key_pressed_ex, fitted.extra)
    row = rows.Call(
        session_id,
        cdr.sdk_app_id or None,
        None if cdr.direction is None else _DIRECTIONS[cdr.direction],
        cdr.call_type,
        cdr.caller or None,
        cdr.callee or None,
        cdr.caller_location or None,
        (t - _EPOCH) * _SECOND if (t := cdr.start_timestamp) else None,
        (t - _EPOCH) * _SECOND if (t := cdr.queued_timestamp) else None,
        (t - _EPOCH) * _SECOND if (t := cdr.ring_timestamp) else None,
        (t - _EPOCH) * _SECOND if (t := cdr.accept_timestamp) else None,
        (t - _EPOCH) * _SECOND if (t := cdr.ended_timestamp) else None,
        cdr.duration,
        cdr.ivr_duration,
        cdr.hung_up_side or None,
        cdr.end_status_string or None,
        *_agent(cdr.seat_user),
        cdr.queued_skill_group_id or None,
        cdr.queued_skill_group_name or None,
        ivr_keys,
        presented(cdr.post_ivr_key_pressed),
        cdr.record_id or None,
        cdr.user_remark or None,
        cdr.uui or None,
        tel.tel_number or None,
        tel.country or None,
        tel.province or None,
        tel.city or None,
        tel.operator or None,
        _json(extra),
        _repairs(session_id, cdr.session_id, fitted.repairs),
    )
    return Normalised("cdr", (session_id,), row, _participants(session_id, fitted))


def _participants(session_id: str, fitted: Fitted[sent.Cdr]) -> list[rows.CallParticipant]:
    participants = fitted.value.serve_participants or ()
    parts = fitted.parts.get("serve_participants")
    if parts is None:
        asked = {participant.sequence for participant in participants}
        if None not in asked and len(asked) == len(participants):  # nearly always
            return [_participant(session_id, participant, _NONE, _NONE) for participant in participants]
        parts = [Fitted(participant, _NONE, _NONE, _NONE) for participant in participants]
    numbers = _sequences([participant.sequence for participant in participants])
    return [_numbered(session_id, part, number) for part, number in zip(parts, numbers, strict=True)]


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


def _numbered(session_id: str, part: Fitted[sent.ServeParticipant], number: int) -> rows.CallParticipant:
    participant, repairs = part.value, part.repairs
    if number != participant.sequence:
        repairs = {"Sequence": participant.sequence} | repairs
        participant = msgspec.structs.replace(participant, sequence=number)
    return _participant(session_id, participant, part.extra, repairs)


def _participant(
    session_id: str, participant: sent.ServeParticipant, extra: Json, repairs: Json
) -> rows.CallParticipant:
    assert participant.sequence is not None
    return rows.CallParticipant(
        session_id,
        participant.sequence,
        participant.type or None,
        participant.mail or None,
        participant.phone or None,
        (t - _EPOCH) * _SECOND if (t := participant.start_timestamp) else None,
        (t - _EPOCH) * _SECOND if (t := participant.ring_timestamp) else None,
        (t - _EPOCH) * _SECOND if (t := participant.accept_timestamp) else None,
        (t - _EPOCH) * _SECOND if (t := participant.ended_timestamp) else None,
        participant.record_id or None,
        participant.transfer_from or None,
        participant.transfer_from_type or None,
        participant.transfer_to or None,
        participant.transfer_to_type or None,
        participant.skill_group_id or None,
        participant.skill_group_name or None,
        participant.skill_group_priority,
        participant.end_status_string or None,
        _encode(extra) if extra else None,
        _encode(repairs) if repairs else None,
    )


def _recording(session_id: str, fitted: Fitted[sent.Recording]) -> Normalised:
    record = fitted.value
    row = rows.Recording(
        session_id,
        record.endpoint_user or "",
        record.record_id or "",
        record.sdk_app_id or None,
        (t - _EPOCH) * _SECOND if (t := record.timestamp) else None,
        record.record_url or None,
        record.custom_record_url or None,
        _json(fitted.extra),
        _repairs(session_id, record.session_id, fitted.repairs),
    )
    return Normalised("record", (session_id, row.endpoint_user, row.record_id), row, [])


def _voicemail(session_id: str, fitted: Fitted[sent.Voicemail]) -> Normalised:
    message = fitted.value
    url = message.record_url or ""
    row = rows.Voicemail(
        session_id,
        # A URL may be longer than an index takes; its digest stands for it in the key.
        hashlib.md5(url.encode(), usedforsecurity=False).hexdigest() if url else "",
        url or None,
        message.sdk_app_id or None,
        None if message.endpoint_user in (None, "") else str(message.endpoint_user),
        (t - _EPOCH) * _SECOND if (t := message.timestamp) else None,
        _json(fitted.extra),
        _repairs(session_id, message.session_id, fitted.repairs),
    )
    return Normalised("voicemail", (session_id, row.record_url_md5), row, [])


def _chat(session_id: str, fitted: Fitted[sent.Chat]) -> Normalised:
    chat = fitted.value
    row = rows.Chat(
        session_id,
        chat.sdk_app_id or None,
        (t - _EPOCH) * _SECOND if (t := chat.start_timestamp) else None,
        (t - _EPOCH) * _SECOND if (t := chat.queued_timestamp) else None,
        (t - _EPOCH) * _SECOND if (t := chat.ring_timestamp) else None,
        (t - _EPOCH) * _SECOND if (t := chat.accept_timestamp) else None,
        (t - _EPOCH) * _SECOND if (t := chat.ended_timestamp) else None,
        chat.duration,
        chat.ivr_duration,
        chat.end_status_string or None,
        *_agent(chat.seat_user),
        chat.queued_skill_group_id or None,
        chat.queued_skill_group_name or None,
        both_presented(chat.ivr_key_pressed, NOT_SENT, _NONE)[0],
        chat.user_id or None,
        chat.user_nick_name or None,
        chat.client_data or None,
        None if chat.satisfaction is None else _encode(chat.satisfaction),
        chat.user_remark or None,
        _json(fitted.extra),
        _repairs(session_id, chat.session_id, fitted.repairs),
    )
    return Normalised("imcdr", (session_id,), row, [])


_NORMALISERS: dict[Action, Callable[[str, Any], Normalised]] = {
    "cdr": _call,
    "record": _recording,
    "voicemail": _voicemail,
    "imcdr": _chat,
}
_DIRECTIONS: tuple[rows.Direction, rows.Direction] = ("inbound", "outbound")
_SECOND = 1_000_000  # in µs
# Taken off before a time is multiplied: what is left is one digit of CPython's, and quick to reckon with.
_EPOCH = EPOCH_US // _SECOND
_NONE: Json = {}  # never changed
_NO_TEL = sent.TelLocation()
_NO_AGENT = sent.SeatUser()


_Text = str | None
_Agent = tuple[_Text, _Text, _Text, _Text, _Text, _Text, list[str] | None]


def _agent(seat: sent.SeatUser | None) -> _Agent:
    """The columns from agent_user_id to agent_skill_groups."""
    seat = seat or _NO_AGENT
    return (
        seat.user_id or None,
        seat.name or None,
        seat.nick or None,
        seat.mail or None,
        seat.phone or None,
        seat.staff_number or None,
        seat.skill_group_name_list,
    )


def _repairs(key: str, in_body: str | None, repairs: Json) -> rows.JsonText | None:
    """A body that names another session than its record's key keeps that name here."""
    if in_body is not None and in_body != key:
        repairs = {"SessionId": clean(in_body)} | repairs
    return _json(repairs)


def _json(value: Json) -> rows.JsonText | None:
    return _encode(value) if value else None


def _encode(value: Any) -> rows.JsonText:
    return JSON_ENCODER.encode(value).decode()
