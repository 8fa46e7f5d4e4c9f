"""Tells which records are of somebody who was erased: they change no row, and the ledger keeps no name of theirs.

A session that was erased stays so. A number that was erased counts for what was received before then; whoever
calls again after it is stored anew. See docs/decisions/0007-erasure.md.
"""

from collections.abc import Sequence

from msgspec import Struct

from schemas import rows
from schemas.errors import RecordError
from schemas.phone import as_text, numbers_in
from schemas.rows import Micros
from worker.batch import Item, Place
from worker.database import Connection


class Erasures(Struct, frozen=True):
    """There were some; `newest_number` is when a number was last erased, None if none was."""

    newest_number: Micros | None


async def erased(connection: Connection, items: Sequence[Item], erasures: Erasures) -> set[Place]:
    """The places of those items.

    Its answer holds until the transaction ends: `tccc erase` waits for who has read `tccc.erasure`.
    """
    sessions = await _among(connection, "session", {item.session_id for item in items if item.session_id})
    found = {item.place for item in items if item.session_id in sessions}
    if erasures.newest_number is not None:
        suspects = [item for item in items if _date(item) < erasures.newest_number]
        found |= await _of_numbers(connection, suspects)
    return found


async def _of_numbers(connection: Connection, suspects: Sequence[Item]) -> set[Place]:
    held = [(item, set(numbers_in(as_text(item.value)))) for item in suspects]
    numbers = await _among(connection, "number", {number for _, inside in held for number in inside})
    return {
        item.place
        for item, inside in held
        if any(_date(item) < numbers[number] for number in inside & numbers.keys())
    }


def _date(item: Item) -> Micros:
    """When it happened, as far as that is known: the vendor's API tells of calls long after them."""
    try:
        row = item.read().row
    except RecordError:
        return item.received_at
    started_at = row.started_at if isinstance(row, rows.Call | rows.Chat) else None
    return item.received_at if started_at is None else min(started_at, item.received_at)


async def _among(connection: Connection, kind: str, candidates: set[str]) -> dict[str, Micros]:
    if not candidates:
        return {}
    found = await connection.fetch(_AMONG, kind, list(candidates))
    return {candidate: erased_at for candidate, erased_at in found}  # noqa: C416 -- dict() takes no records


_AMONG = "SELECT candidate, erased_at FROM tccc.erased_among($1, $2)"
