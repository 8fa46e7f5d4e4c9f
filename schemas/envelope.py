"""The Kafka record: its key, its headers, how they are written and read.

The value is the body of the push, byte for byte; everything we know beside it travels in headers, all UTF-8.
"""

import hashlib
from collections.abc import Iterable
from typing import Literal

from msgspec import Struct

from schemas.errors import DeadReason, DeadStage

Headers = list[tuple[str, bytes]]
Source = Literal["push", "api"]

MAX_PUSH_ID_BYTES = 200
TRACEPARENT = "traceparent"  # W3C trace context, there if the receiver traces


class Record(Struct, frozen=True, gc=False):
    """A record to be written, by whoever publishes it. A key of None lets the producer choose a partition."""

    topic: str
    key: bytes | None
    value: bytes
    headers: Headers


class Envelope(Struct, frozen=True, gc=False):
    """What the headers of a consumed record say; `received_at_us` is µs since the epoch."""

    action: str
    push_id: str
    received_at_us: int
    source: Source


class Origin(Struct, frozen=True, gc=False):
    """Where a dead letter was consumed from."""

    topic: str
    partition: int
    offset: int


def digest_push_id(action: str, body: bytes) -> str:
    """Name a push that came without a usable id, so that a retry of it has the same name."""
    return "sha256:" + hashlib.sha256(action.encode() + b"\0" + body).hexdigest()


def push_headers(
    action: bytes, version: bytes, push_id: bytes, received_at_us: int, source: bytes = b"push"
) -> Headers:
    return [
        ("action", action),
        ("version", version),
        ("push-id", push_id),
        ("received-at", b"%d" % received_at_us),
        ("source", source),
    ]


def dead_headers(
    *, stage: DeadStage, reason: DeadReason, detail: str, at_us: int, origin: Origin | None = None
) -> Headers:
    """What is added to the original headers of a record that becomes a dead letter."""
    headers = [
        ("dead-stage", stage.encode()),
        ("dead-reason", reason.encode()),
        ("dead-detail", detail.encode(errors="replace")),
        ("dead-at", b"%d" % at_us),
    ]
    if origin is not None:
        headers += [
            ("origin-topic", origin.topic.encode()),
            ("origin-partition", b"%d" % origin.partition),
            ("origin-offset", b"%d" % origin.offset),
        ]
    return headers


def read_envelope(headers: Iterable[tuple[str, bytes | None]], value: bytes, timestamp_ms: int) -> Envelope:
    """Read a consumed record's headers, of which none is trusted to be there or to be well formed.

    A missing or bad `received-at` is the record's own timestamp. An unreadable action reads as ''.
    """
    named = {name: content for name, content in headers if content is not None}
    action = _text(named.get("action"))
    sent_id = named.get("push-id")
    push_id = _text(sent_id) if sent_id and len(sent_id) <= MAX_PUSH_ID_BYTES else ""
    return Envelope(
        action,
        push_id or digest_push_id(action, value),
        _microseconds(named.get("received-at"), timestamp_ms),
        "api" if named.get("source") == b"api" else "push",
    )


def _text(raw: bytes | None) -> str:
    """'' for what Postgres could not hold: with a part left out it might be taken for another."""
    if raw is None:
        return ""
    try:
        text = raw.decode()
    except UnicodeDecodeError:
        return ""
    return "" if "\0" in text else text


# 2000-01-01 to 9999-12-31: what a received-at can mean, in a column of timestamptz that any client can read.
_EARLIEST_US, _LATEST_US = 946_684_800_000_000, 253_402_300_799_999_999


def _microseconds(raw: bytes | None, timestamp_ms: int) -> int:
    if (
        raw is not None
        and raw.isdigit()
        and len(raw) <= 18
        and _EARLIEST_US <= (at := int(raw)) <= _LATEST_US
    ):
        return at
    return max(timestamp_ms * 1000, _EARLIEST_US)
