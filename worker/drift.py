"""Notices what the protocol does not list: fields that no column holds, and new values of its enumerations.

Notes are gathered in memory and written seldom. Names and values come from outside, so both are bounded, in
number and in form: what might hold data of a person, or is one too many, counts as (other).
"""

import re
from collections.abc import Iterable, Iterator, Sequence
from itertools import product
from typing import Any, Literal

import msgspec
from msgspec import Struct

from schemas import rows
from schemas.decoding import number
from schemas.envelope import Envelope, Source
from schemas.push import PUSHES, Action, SeatUser, ServeParticipant, TelLocation
from schemas.vocabulary import (
    API_FIELDS,
    CALL_TYPES,
    CHAT_END_STATUSES,
    END_STATUSES,
    HUNG_UP_SIDES,
    PARTICIPANT_TYPES,
)
from worker.database import Connection, translated
from worker.normalise import Normalised

OTHER = "(other)"
MAX_NOTES = 256  # between two writes
MAX_ROWS = 1000  # about, in the table
_MAX_PARTICIPANTS = 32
# No number is too large or too precise to be skipped over.
_DECODER = msgspec.json.Decoder(float_hook=number)

Kind = Literal["field", "value"]
Reading = tuple[Envelope, Normalised]


class Note(Struct, frozen=True, gc=False):
    """What was seen; `value` is '' for a field."""

    kind: Kind
    action: Action
    name: str
    value: str
    source: Source


class Seen(Struct):
    """How often, and when first and last (µs)."""

    records: int
    first: int
    last: int

    def add(self, other: "Seen") -> None:
        self.records += other.records
        self.first = min(self.first, other.first)
        self.last = max(self.last, other.last)


class Drift:
    def __init__(self) -> None:
        self._seen: dict[Note, Seen] = {}

    def note(self, readings: Iterable[Reading]) -> list[Note]:
        """Note what is new in settled records; returns it, one note for each record and name."""
        noted = []
        for envelope, normalised in readings:
            at = envelope.received_at_us
            for note in set(_notes(envelope.source, normalised)):
                self._add(note, Seen(1, at, at))
                noted.append(note)
        return noted

    async def write(self, connection: Connection) -> None:
        """Write what was gathered. Raises DatabaseAway, and has it all for the next time."""
        if not self._seen:
            return
        seen, self._seen = self._seen, {}
        try:
            with translated():
                await connection.execute(_WRITE, *_columns(seen), OTHER, MAX_ROWS)
        except BaseException:
            for note, times in seen.items():
                self._add(note, times)
            raise

    def _add(self, note: Note, seen: Seen) -> None:
        known = self._seen.get(note)
        if known is None and len(self._seen) >= MAX_NOTES:
            note = Note(note.kind, note.action, OTHER, "", note.source)
            known = self._seen.get(note)
        if known is None:
            self._seen[note] = seen
        else:
            known.add(seen)


def is_listed(normalised: Normalised) -> bool:
    """Whether there is nothing to note: a quick yes for what nearly all records are; a no says nothing."""
    row = normalised.row
    if not isinstance(row, rows.Call):
        assert isinstance(row, rows.Recording | rows.Voicemail | rows.Chat)
        return row.extra is None and (not isinstance(row, rows.Chat) or row.end_status in _CHATS_AS_LISTED)
    if row.extra is not None or row.repairs is not None:
        return False
    if (row.end_status, row.hung_up_side, row.call_type) not in _CALLS_AS_LISTED:
        return False
    for participant in normalised.participants:
        if participant.extra is not None:
            return False
        if (participant.type, participant.end_status) not in _PARTICIPANTS_AS_LISTED:
            return False
    return True


def _notes(source: Source, normalised: Normalised) -> Iterator[Note]:
    participants = normalised.participants[:_MAX_PARTICIPANTS]
    for name in _unknown_fields(normalised, participants):
        if source != "api" or name not in API_FIELDS:
            yield Note("field", normalised.action, name, "", source)
    for name, value in _unlisted_values(normalised.row, participants):
        yield Note("value", normalised.action, name, _plain(str(value), _VALUE), source)


def _unknown_fields(normalised: Normalised, participants: Sequence[rows.CallParticipant]) -> Iterator[str]:
    """Only records that hold something which no column does are looked at."""
    row = normalised.row
    assert isinstance(row, rows.Call | rows.Recording | rows.Voicemail | rows.Chat)
    if row.extra is not None:
        fields, sent = _FIELDS[normalised.action], _DECODER.decode(row.extra)
        yield from _names(sent, "", fields)
        for nested, inner_fields in _NESTED.items():
            if nested in fields and isinstance(sent.get(nested), dict):
                yield from _names(sent[nested], f"{nested}.", inner_fields)
    for participant in participants:
        if participant.extra is not None:
            sent = _DECODER.decode(participant.extra)
            yield from _names(sent, "ServeParticipants.", _PARTICIPANT_FIELDS)


def _names(sent: dict[str, Any], prefix: str, known: frozenset[str]) -> Iterator[str]:
    for name in sent:
        if name not in known:
            yield prefix + _plain(name, _NAME)


def _unlisted_values(
    row: rows.Row, participants: Sequence[rows.CallParticipant]
) -> Iterator[tuple[str, Any]]:
    """The usual record costs some set look-ups."""
    for column, name, listed in _LISTED.get(type(row), ()):
        if (value := getattr(row, column)) not in listed:
            yield name, value
    if isinstance(row, rows.Call) and row.repairs is not None:
        repairs = _DECODER.decode(row.repairs)
        if "Direction" in repairs:
            yield "Direction", repairs["Direction"]
    for participant in participants:
        for column, name, listed in _LISTED[rows.CallParticipant]:
            if (value := getattr(participant, column)) not in listed:
                yield name, value


def _plain(text: str, form: re.Pattern[str]) -> str:
    """What may hold a number, an address or a name of a person is not kept."""
    return text if form.fullmatch(text) and not _LONG_NUMBER.search(text) else OTHER


# Words as the vendor makes them, in ASCII; a code of up to four digits.
_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]{0,63}")
_VALUE = re.compile(r"[A-Za-z][A-Za-z0-9_]{0,63}|-?\d{1,4}")
_LONG_NUMBER = re.compile(r"\d{5}")


_CHATS_AS_LISTED = CHAT_END_STATUSES | {None}
_Listed = tuple[str, str, frozenset[Any]]
_LISTED: dict[type[rows.Row], tuple[_Listed, ...]] = {
    rows.Call: (
        ("end_status", "EndStatusString", END_STATUSES | {None}),
        ("hung_up_side", "HungUpSide", HUNG_UP_SIDES | {None}),
        ("call_type", "CallType", CALL_TYPES | {None, 0}),
    ),
    rows.CallParticipant: (
        ("type", "ServeParticipants.Type", PARTICIPANT_TYPES | {None}),
        ("end_status", "ServeParticipants.EndStatusString", END_STATUSES | {None}),
    ),
    rows.Chat: (("end_status", "EndStatusString", _CHATS_AS_LISTED),),
}
_CALLS_AS_LISTED = frozenset(product(*(listed for _, _, listed in _LISTED[rows.Call])))
_PARTICIPANTS_AS_LISTED = frozenset(product(*(listed for _, _, listed in _LISTED[rows.CallParticipant])))


def _fields_of(kind: type[Struct]) -> frozenset[str]:
    return frozenset(field.encode_name for field in msgspec.structs.fields(kind))


_FIELDS = {action: _fields_of(kind) for action, kind in PUSHES.items()}
_NESTED = {"SeatUser": _fields_of(SeatUser), "TelLocation": _fields_of(TelLocation)}
_PARTICIPANT_FIELDS = _fields_of(ServeParticipant)


def _columns(seen: dict[Note, Seen]) -> list[list[Any]]:
    return [
        [note.kind for note in seen],
        [note.action for note in seen],
        [note.name for note in seen],
        [note.value for note in seen],
        [note.source for note in seen],
        [times.records for times in seen.values()],
        [times.first for times in seen.values()],
        [times.last for times in seen.values()],
    ]


_WRITE = """
WITH sent AS (
    SELECT * FROM unnest($1::text[], $2::text[], $3::text[], $4::text[], $5::text[], $6::bigint[],
                         $7::timestamptz[], $8::timestamptz[])
        AS s(kind, action, name, value, source, records, first_seen, last_seen)
), held AS (SELECT count(*) AS rows FROM tccc.drift), fitted AS (
    SELECT s.*, d.kind IS NOT NULL OR held.rows < $10 AS fits
    FROM sent AS s CROSS JOIN held LEFT JOIN tccc.drift AS d USING (kind, action, name, value, source)
)
INSERT INTO tccc.drift AS d (kind, action, name, value, source, records, first_seen, last_seen)
SELECT kind, action, CASE WHEN fits THEN name ELSE $9 END, CASE WHEN fits THEN value ELSE '' END, source,
       sum(records), min(first_seen), max(last_seen)
FROM fitted GROUP BY 1, 2, 3, 4, 5 ORDER BY 1, 2, 3, 4, 5
ON CONFLICT (kind, action, name, value, source) DO UPDATE SET
    records = d.records + excluded.records,
    first_seen = least(d.first_seen, excluded.first_seen),
    last_seen = greatest(d.last_seen, excluded.last_seen)
"""
