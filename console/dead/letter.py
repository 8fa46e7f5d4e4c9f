"""A dead letter as its record says it; no I/O."""

import hashlib
from typing import Literal

from msgspec import Struct

from schemas.envelope import Headers, Origin, read_envelope
from worker.batch import KafkaRecord

State = Literal["open", "replayed", "dropped"]

ID_CHARS = 16
_ADDED = ("dead-", "origin-")
_REPLAYS = "replays"


class Letter(Struct, frozen=True, kw_only=True, gc=False):
    """`replays` counts how often the record had been replayed before it died as this letter."""

    id: str
    dead_at_us: int
    received_at_us: int
    stage: str
    reason: str
    detail: str
    action: str
    push_id: str
    session_id: str
    replays: int
    origin: Origin | None
    partition: int
    offset: int
    key: bytes | None
    value: bytes
    headers: Headers

    def original_headers(self) -> Headers:
        """Those that the record came with, but for the count of its replays."""
        return [
            (name, value) for name, value in self.headers if not name.startswith(_ADDED) and name != _REPLAYS
        ]

    def replayed_headers(self, replays: int) -> Headers:
        return [*self.original_headers(), (_REPLAYS, b"%d" % replays)]


def read_letter(record: KafkaRecord) -> Letter:
    """Never raises: what is missing or unreadable reads as empty."""
    headers = [(name, value) for name, value in record.headers if value is not None]
    named = dict(headers)
    value = record.value or b""
    envelope = read_envelope(headers, value, record.timestamp)
    origin = _origin(named)
    return Letter(
        id=_letter_id(origin, envelope.push_id, envelope.action, value),
        dead_at_us=_number(named.get("dead-at"), record.timestamp * 1000),
        received_at_us=envelope.received_at_us,
        stage=_text(named.get("dead-stage")),
        reason=_text(named.get("dead-reason")),
        detail=_text(named.get("dead-detail")),
        action=envelope.action,
        push_id=envelope.push_id,
        session_id=_text(record.key),
        replays=_number(named.get(_REPLAYS), 0),
        origin=origin,
        partition=record.partition,
        offset=record.offset,
        key=record.key,
        value=value,
        headers=headers,
    )


def _letter_id(origin: Origin | None, push_id: str, action: str, value: bytes) -> str:
    """Name a letter by where it died, and by what it holds: the same one twice has the same name.

    With an origin the content only tells records of a topic from those of an earlier topic of its name.
    """
    place = "" if origin is None else f"{origin.topic}\0{origin.partition}\0{origin.offset}"
    content = hashlib.sha256(action.encode() + b"\0" + value).hexdigest()
    return hashlib.sha256(f"{place}\0{push_id}\0{content}".encode()).hexdigest()[:ID_CHARS]


def _origin(named: dict[str, bytes]) -> Origin | None:
    topic = _text(named.get("origin-topic"))
    partition, offset = _number(named.get("origin-partition"), -1), _number(named.get("origin-offset"), -1)
    return Origin(topic, partition, offset) if topic and partition >= 0 and offset >= 0 else None


def _number(raw: bytes | None, otherwise: int) -> int:
    return int(raw) if raw and raw.isdigit() and len(raw) <= 18 else otherwise


def _text(raw: bytes | None) -> str:
    return (raw or b"").decode(errors="replace")
