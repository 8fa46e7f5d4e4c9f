"""What should have become of each record and which push each row should show: the contract's rules, plainly.

A push is dated by its first record in the topic; of those of one row the greatest (received-at, push id) wins.
Shares no code with the worker.
"""

from collections.abc import Iterable

from msgspec import Struct

from tests.chaos.evidence import Sent, TopicRecord

MAX_EARLIER = 32

RowKey = tuple[str, tuple[str, ...]]  # action, primary key
Place = tuple[int, int]


class Shown(Struct):
    """A row as it should be: the push whose content it shows, and how it remembers the others."""

    push_id: str
    received_at_us: int
    seen: dict[str, int]

    def earlier(self) -> list[str] | None:
        others = sorted((at, push_id) for push_id, at in self.seen.items() if push_id != self.push_id)
        return [push_id for _, push_id in others[-MAX_EARLIER:]] or None


def fold(
    records: Iterable[TopicRecord], sent: dict[str, Sent]
) -> tuple[dict[Place, str], dict[RowKey, Shown]]:
    """The outcome of each record whose push is known, and each row."""
    outcomes: dict[Place, str] = {}
    rows: dict[RowKey, Shown] = {}
    for record in sorted(records, key=lambda one: (one.partition, one.offset)):
        push = sent.get(record.push_id)
        if push is None:
            continue
        place = (record.partition, record.offset)
        if push.kind != "good":
            outcomes[place] = "dead"
            continue
        key = (push.action, push.row_key)
        outcomes[place] = _apply(rows, key, record)
    return outcomes, rows


def _apply(rows: dict[RowKey, Shown], key: RowKey, record: TopicRecord) -> str:
    push_id, at = record.push_id, record.received_at_us
    row = rows.get(key)
    if row is None:
        rows[key] = Shown(push_id, at, {push_id: at})
        return "applied"
    if push_id in row.seen:
        return "duplicate"
    row.seen[push_id] = at
    if (at, push_id) < (row.received_at_us, row.push_id):
        return "stale"
    row.push_id, row.received_at_us = push_id, at
    return "applied"
