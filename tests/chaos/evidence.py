"""What the auditor joins: what was sent and answered, what the topics hold, what the database shows."""

from collections.abc import Iterable
from typing import Any, Literal

from msgspec import Struct

# good: becomes a row. refused: taken, then refused by the database. door: refused at the door, and kept.
# topic: put on the topic by the driver itself, and can never be a row.
Kind = Literal["good", "refused", "door", "topic"]
Row = dict[str, Any]


class Sent(Struct, frozen=True, gc=False):
    """A push as the driver wrote it down. `digests` are those of the values that may stand for its body."""

    push_id: str
    action: str
    session_id: str
    kind: Kind
    reason: str  # of its dead letter; empty for a good one
    row_key: tuple[str, ...]
    digests: tuple[bytes, ...]
    position: int = 0  # of its line in the journal


class Try(Struct, frozen=True, gc=False):
    """One request and its answer; `status` 0 and `err_code` None where none came. Times are the wall clock's."""

    push_id: str
    sent_at_s: float
    answered_at_s: float
    status: int
    err_code: int | None
    fault: str = ""


class TopicRecord(Struct, frozen=True, gc=False):
    partition: int
    offset: int
    key: bytes | None
    push_id: str
    action: str
    received_at_us: int
    digest: bytes


class LedgerEntry(Struct, frozen=True, gc=False):
    partition: int
    offset: int
    push_id: str
    action: str
    session_id: str
    received_at_us: int
    outcome: str


class Letter(Struct, frozen=True, gc=False):
    """A dead letter; `origin` is (partition, offset), None for one from a receiver."""

    push_id: str
    stage: str
    reason: str
    digest: bytes
    origin: tuple[int, int] | None


class Window(Struct, frozen=True):
    """A time in which something that is otherwise a breach is due to a fault.

    `closed`: no durable place was open, refusals are right. `unanswered`: a receiver was hit, so that requests
    break off or wait. `stopping`: a receiver was told to stop, and refuses what still comes to it.
    """

    since_s: float
    until_s: float
    kind: Literal["closed", "unanswered", "stopping"]

    def covers(self, attempt: Try) -> bool:
        return attempt.sent_at_s <= self.until_s and attempt.answered_at_s >= self.since_s


class Evidence(Struct):
    """`rows` come as (table, row as JSON would have it, a call's with its `participants`), in no order."""

    sent: dict[str, Sent]
    tries: list[Try]
    records: list[TopicRecord]
    ends: dict[int, tuple[int, int]]  # of each partition: its first and its next offset
    ledger: list[LedgerEntry]
    letters: list[Letter]
    rows: Iterable[tuple[str, Row]]
    windows: list[Window]
