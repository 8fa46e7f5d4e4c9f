"""Settles a batch in one transaction: reads the state of its rows, folds its pushes into it, writes by COPY.

Nothing is locked between reading and writing. A row that exists is replaced only if it is still as it was
read (`updated_at` tells), and one that does not is inserted; where another transaction was quicker, either
fails, all is undone, and the batch is read anew. So two workers that hold the same records, one of them a
zombie, do no harm. What the database refuses is left out, by savepoints, and told.
See docs/decisions/0004-how-rows-are-stored.md.
"""

from collections.abc import Iterable, Sequence
from itertools import groupby
from operator import attrgetter
from typing import TypeVar
from weakref import WeakSet

from msgspec import Struct

from schemas.errors import RecordError
from schemas.rows import TABLES, LedgerRow, Table
from worker import migrate
from worker.batch import Item
from worker.citus.commit import commit_in_two_phases
from worker.database import Connection, Refused, Unclear, translated
from worker.drift import Reading
from worker.erasure import Erasures, erased
from worker.known import Known, look_up
from worker.stored import Stored, read_stored
from worker.writing import Group, Share, enter, write

# Into how many a refused piece is taken apart where nothing tells which of it is bad, or too much is.
PARTS = 8
# How often in a row a piece is taken apart where the database points.
CHANCES = 3

T = TypeVar("T")

_PREPARED: WeakSet[Connection] = WeakSet()


class Settled(Struct, frozen=True):
    """What a transaction did, and what it left out.

    `dead` can never be stored. The database refuses something of each group in `doubtful`, and it is not known what.
    """

    ledger: list[LedgerRow]
    unlisted: list[Reading]
    dead: list[Item]
    doubtful: list[Group]

    def add(self, share: Share) -> None:
        self.ledger.extend(share.ledger)
        self.unlisted.extend(share.unlisted)
        self.dead.extend(share.dead)

    def refuse(self, group: Group, why: Refused) -> None:
        if len(group) == 1:
            self.dead.append(group[0].dead(fault(why), "store"))
        else:
            self.doubtful.append(group)


async def prepare(connection: Connection) -> None:
    """Make a connection ready for `settle`; once for each. Raises DatabaseAway, or OperatorError if the schema does not fit."""
    await migrate.check(connection)
    with translated():
        # Rows hold times as they travel: to make a number of a number, one by one, would cost a sixth of the worker.
        await connection.set_builtin_type_codec(
            "timestamptz", schema="pg_catalog", codec_name="int8", format="binary"
        )
        # All is looked up by its key. A plan that was made while a table was small would read it whole, for as
        # long as the connection lasts.
        await connection.execute("SET enable_seqscan = off")
    _PREPARED.add(connection)


async def settle(connection: Connection, items: Sequence[Item]) -> Settled:
    """Store what of a batch is not settled yet in one transaction, but for what is dead or the database refuses.

    Raises Conflict (read anew and try again), DatabaseAway, or Refused if it cannot be told what is refused.
    """
    try:
        return await _settle(connection, items, staged=False)
    except Unclear:
        return await _settle(connection, items, staged=True)


async def settle_dead(connection: Connection, items: Sequence[Item]) -> Settled:
    """Enter into the ledger what was given up. Raises Conflict or DatabaseAway."""
    with translated():
        async with connection.transaction():
            known = await _look_up(connection, items)
            gone = await erased(connection, known.items, known.erasures) if known.erasures else set()
            ledger = [item.erased() if item.place in gone else item.settled("dead") for item in known.items]
            await enter(connection, ledger, staged=False)
    return Settled(ledger, [], [], [])


async def _settle(connection: Connection, items: Sequence[Item], *, staged: bool) -> Settled:
    """`staged`: by way of temporary tables, where Citus has not told what is wrong (worker/citus/staging.py)."""
    settled = Settled([], [], [], [])
    with translated():
        async with connection.transaction():
            known = await _look_up(connection, items)
            items = known.items
            if known.erasures:
                items = await _without_erased(connection, items, known.erasures, settled)
            of_action: dict[str, list[Item]] = {action: [] for action in TABLES}
            for item in items:
                (settled.dead if item.fault is not None else of_action[item.envelope.action]).append(item)
            for action, table in TABLES.items():
                groups = _groups(of_action[action])
                if not groups:
                    continue
                stored = await read_stored(connection, action, [group[0].session_id for group in groups])
                if staged:  # Citus cannot always go back to a savepoint: who calls takes the batch apart
                    settled.add(await write(connection, table, groups, stored, staged=True))
                else:
                    await _write_sparing(connection, table, groups, stored, settled)
            await enter(connection, settled.ledger, staged=staged)
    return settled


async def _look_up(connection: Connection, items: Sequence[Item]) -> Known:
    if connection not in _PREPARED:
        raise ValueError("the connection was not prepared: it would shift all times by 30 years")
    known = await look_up(connection, items)
    if known.spread:
        await commit_in_two_phases(connection)
    return known


async def _without_erased(
    connection: Connection, items: Sequence[Item], erasures: Erasures, settled: Settled
) -> list[Item]:
    """Leave out what is of somebody who was erased: it is entered without a name, if it is not dead."""
    gone = await erased(connection, items, erasures)
    items = [item.checked() if item.place in gone else item for item in items]
    settled.ledger.extend(item.erased() for item in items if item.place in gone and not item.fault)
    return [item for item in items if item.place not in gone or item.fault]


def _groups(items: Iterable[Item]) -> list[Group]:
    """By session, sorted; those of a session in the order of consumption."""
    return [list(group) for _, group in groupby(sorted(items, key=_SESSION), _SESSION)]


async def _write_sparing(
    connection: Connection,
    table: Table,
    groups: Sequence[Group],
    stored: Stored,
    settled: Settled,
    *,
    chances: int = CHANCES,
) -> None:
    """Write what the database takes, and add to `settled` what became of it."""
    try:
        with translated():
            async with connection.transaction():  # within another one: a savepoint
                share = await write(connection, table, groups, stored, staged=False)
    except Refused as exc:
        if len(groups) == 1:
            settled.refuse(groups[0], exc)
            return
        around = _around(groups, exc.session_id) if chances else []
        for part in around or in_parts(groups):
            if part:
                left = chances - 1 if around else CHANCES
                await _write_sparing(connection, table, part, stored, settled, chances=left)
    else:
        settled.add(share)


def _around(groups: Sequence[Group], suspect: str | None) -> list[Sequence[Group]]:
    """What comes before the session that the database points at, this, and what comes after.

    Empty if that would split nothing.
    """
    found = next((n for n, group in enumerate(groups) if group[0].session_id == suspect), None)
    if found is None or len(groups) == 1:
        return []
    return [groups[:found], groups[found : found + 1], groups[found + 1 :]]


def in_parts(things: Sequence[T]) -> list[Sequence[T]]:
    """By position; smaller than the whole, if that has two or more."""
    size = max(1, -(-len(things) // PARTS))
    return [things[n : n + size] for n in range(0, len(things), size)]


def fault(refused: Refused) -> RecordError:
    return RecordError("refused-by-database", str(refused))


_SESSION = attrgetter("session_id")
