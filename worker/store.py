"""Settles a batch in one transaction: reads the state of its rows, folds its pushes into it, writes by COPY.

Nothing is locked between reading and writing. A row that exists is replaced only if it is still as it was
read (`updated_at` tells), and one that does not is inserted; where another transaction was quicker, either
fails, all is undone, and the batch is read anew. So two workers that hold the same records, one of them a
zombie, do no harm. What the database refuses is left out, by savepoints, and told.
See docs/decisions/0004-how-rows-are-stored.md.
"""

from collections.abc import Sequence
from typing import Any, TypeVar
from weakref import WeakSet

from msgspec import Struct
from msgspec.structs import astuple

from schemas import rows
from schemas.push import Action
from schemas.rows import TABLES, LedgerRow, Micros, Outcome, Provenance, Table
from worker import migrate
from worker.batch import Item, Place
from worker.citus import staging
from worker.citus.commit import commit_in_two_phases
from worker.database import Conflict, Connection, Refused, Unclear, translated
from worker.erasure import erased
from worker.fold import RowState
from worker.known import look_up
from worker.normalise import Key, Normalised

SCHEMA = "tccc"
# Into how many a refused piece is taken apart where nothing tells which of it is bad, or too much is.
PARTS = 8
# How often in a row a piece is taken apart where the database points.
CHANCES = 3

T = TypeVar("T")

_PREPARED: WeakSet[Connection] = WeakSet()


class RowChange(Struct):
    """A row of a batch: as it was read, as it is after the fold, and the push whose content it shows."""

    key: Key
    state: RowState
    version: Micros | None  # updated_at as it was read; None: no such row
    content: Normalised | None = None


class Refusal(Struct, frozen=True):
    """Records of one row that was left out of a transaction because the database refuses it, and why."""

    items: list[Item]
    why: Refused


class Settled(Struct, frozen=True):
    """What a transaction did; `refused` is as it was before."""

    ledger: list[LedgerRow]
    refused: list[Refusal]


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
    """Store what of a batch is not settled yet in one transaction, but for the rows that the database refuses.

    Raises Conflict (read anew and try again), DatabaseAway, or Refused if it cannot be told what is refused.
    """
    if connection not in _PREPARED:
        raise ValueError("the connection was not prepared: it would shift all times by 30 years")
    try:
        return await _settle(connection, items, staged=False)
    except Unclear:
        return await _settle(connection, items, staged=True)


async def _settle(connection: Connection, items: Sequence[Item], *, staged: bool) -> Settled:
    """`staged`: by way of temporary tables, where Citus has not told what is wrong (worker/citus/staging.py)."""
    with translated():
        async with connection.transaction():
            known = await look_up(connection, items)
            if known.spread:
                await commit_in_two_phases(connection)
            items = known.items
            gone = await erased(connection, items, known.erasures) if known.erasures else set()
            anonymous = [item.erased() for item in items if item.place in gone] if gone else []
            if gone:
                items = [item for item in items if item.place not in gone]
            changes = await _read_rows(connection, items)
            forgotten = await _forgotten(connection, items, changes)
            ledger = _fold(items, changes, forgotten)
            refused = {}
            for action, table in TABLES.items():
                changed = [change for change in changes[action].values() if change.state.changed]
                if staged:  # Citus cannot always go back to a savepoint: who calls takes the batch apart
                    await _write(connection, table, changed, staged=True)
                    continue
                for change, why in await _write_sparing(connection, table, changed):
                    refused[action, change.key] = Refusal([], why)
            if refused:
                ledger = _leave_out(items, ledger, refused)
            ledger += anonymous
            settled = [astuple(row) for row in ledger]
            await _copy(connection, "push", LedgerRow.__struct_fields__, settled, staged=staged)
    return Settled(ledger, list(refused.values()))


def in_parts(things: Sequence[T]) -> list[Sequence[T]]:
    """By position; smaller than the whole, if that has two or more."""
    size = max(1, -(-len(things) // PARTS))
    return [things[n : n + size] for n in range(0, len(things), size)]


def _leave_out(
    items: Sequence[Item], ledger: Sequence[LedgerRow], refused: dict[tuple[Action, Key], Refusal]
) -> list[LedgerRow]:
    """Give each refusal its items; returns the ledger rows of the others."""
    kept = []
    for item, row in zip(items, ledger, strict=True):
        refusal = item.normalised and refused.get((item.normalised.action, item.normalised.key))
        if refusal:
            refusal.items.append(item)
        else:
            kept.append(row)
    return kept


def _fold(
    items: Sequence[Item], changes: dict[str, dict[Key, RowChange]], forgotten: set[Place]
) -> list[LedgerRow]:
    ledger = []
    for item in items:
        outcome: Outcome = "dead"
        if item.normalised is not None:
            change = changes[item.normalised.action][item.normalised.key]
            is_known = forgotten and item.place in forgotten
            outcome = "duplicate" if is_known else change.state.apply(item.push)
            if outcome == "applied":
                change.content = item.normalised
        ledger.append(item.settled(outcome))
    return ledger


async def _read_rows(connection: Connection, items: Sequence[Item]) -> dict[str, dict[Key, RowChange]]:
    """The rows that a batch touches, sorted by key: writers that meet do so in one order."""
    keys: dict[str, set[Key]] = {action: set() for action in TABLES}
    for item in items:
        if item.normalised is not None:
            keys[item.normalised.action].add(item.normalised.key)
    changes: dict[str, dict[Key, RowChange]] = {}
    for action, table in TABLES.items():
        found = {key: RowChange(key, RowState.absent(), None) for key in sorted(keys[action])}
        changes[action] = found
        if found:
            sessions = sorted({key[0] for key in found})
            for record in await connection.fetch(_STATES[table.name], sessions):
                values = tuple(record)
                change = found.get(values[: len(table.key)])
                if change is not None:
                    change.version, *stored = values[len(table.key) :]
                    change.state = RowState.read(Provenance(*stored))
    return changes


async def _forgotten(
    connection: Connection, items: Sequence[Item], changes: dict[str, dict[Key, RowChange]]
) -> set[Place]:
    """Retries of pushes so old that their row no longer remembers them, but the ledger does."""
    crowded = {
        (action, key): change.state
        for action, rows_changed in changes.items()
        for key, change in rows_changed.items()
        if change.version is not None and change.state.may_have_forgotten
    }
    if not crowded:
        return set()
    doubtful = []
    for item in items:
        state = item.normalised and crowded.get((item.normalised.action, item.normalised.key))
        if state and item.envelope.push_id not in state.known:
            doubtful.append(item)
    found = await connection.fetch(_KNOWN, [item.session_id for item in doubtful])
    known = {tuple(record) for record in found}
    return {
        item.place
        for item in doubtful
        if (item.session_id, item.envelope.action, item.envelope.push_id) in known
    }


async def _write_sparing(
    connection: Connection,
    table: Table,
    changed: Sequence[RowChange],
    chances: int = CHANCES,
) -> list[tuple[RowChange, Refused]]:
    """Write what the database takes; returns the rest, and why it is refused."""
    if not changed:
        return []
    try:
        with translated():
            async with connection.transaction():  # within another one: a savepoint
                await _write(connection, table, changed, staged=False)
    except Refused as exc:
        if len(changed) == 1:
            return [(changed[0], exc)]
        refused = []
        around = _around(changed, exc.session_id) if chances else []
        for part in around or in_parts(changed):
            left = chances - 1 if around else CHANCES
            refused += await _write_sparing(connection, table, part, left)
        return refused
    return []


def _around(changed: Sequence[RowChange], suspect: str | None) -> list[Sequence[RowChange]]:
    """What comes before the rows of the session that the database points at, these, and what comes after.

    Empty if that would split nothing.
    """
    found = [n for n, change in enumerate(changed) if change.key[0] == suspect]
    if not found or len(found) == len(changed):
        return []
    return [changed[: found[0]], changed[found[0] : found[-1] + 1], changed[found[-1] + 1 :]]


async def _write(connection: Connection, table: Table, changed: Sequence[RowChange], *, staged: bool) -> None:
    remembered = [change for change in changed if change.content is None]
    shown = [change for change in changed if change.content is not None]
    replaced = [change for change in shown if change.version is not None]
    for change in remembered:
        provenance = change.state.provenance()
        await _expect_one(
            connection,
            _REMEMBER[table.name],
            *change.key,
            change.version,
            provenance.earlier_push_ids,
            provenance.earlier_received_at,
        )
    if replaced:
        await _remove(connection, table, replaced)
    columns = (*table.row.__struct_fields__, *Provenance.__struct_fields__)
    await _copy(connection, table.name, columns, [_values(change) for change in shown], staged=staged)
    if table.row is rows.Call:
        await _write_participants(connection, shown, replaced, staged=staged)


async def _write_participants(
    connection: Connection, shown: Sequence[RowChange], replaced: Sequence[RowChange], *, staged: bool
) -> None:
    if replaced:
        sessions = [change.key[0] for change in replaced]
        await connection.execute("DELETE FROM tccc.call_participant WHERE session_id = ANY($1)", sessions)
    participants = [
        astuple(participant)
        for change in shown
        if change.content is not None
        for participant in change.content.participants
    ]
    columns = rows.CallParticipant.__struct_fields__
    await _copy(connection, "call_participant", columns, participants, staged=staged)


def _values(change: RowChange) -> tuple[Any, ...]:
    assert change.content is not None
    provenance = change.state.provenance()
    return astuple(change.content.row) + astuple(provenance)


async def _remove(connection: Connection, table: Table, replaced: Sequence[RowChange]) -> None:
    parts = [list(part) for part in zip(*(change.key for change in replaced), strict=True)]
    versions = [change.version for change in replaced]
    status = await connection.execute(_REMOVE[table.name], *parts, versions)
    if status != f"DELETE {len(replaced)}":
        raise Conflict("a row changed between reading and writing")


async def _expect_one(connection: Connection, statement: str, *values: Any) -> None:
    if await connection.execute(statement, *values) != "UPDATE 1":
        raise Conflict("a row changed between reading and writing")


async def _copy(
    connection: Connection,
    table: str,
    columns: Sequence[str],
    records: Sequence[tuple[Any, ...]],
    *,
    staged: bool,
) -> None:
    if not records:
        return
    try:
        with translated():
            schema = await staging.begin(connection, SCHEMA, table) if staged else SCHEMA
            await connection.copy_records_to_table(
                table, schema_name=schema, columns=list(columns), records=records
            )
            if staged:
                await staging.end(connection, SCHEMA, table, columns)
    except Refused as exc:
        if exc.line is not None and "session_id" in columns:
            exc.session_id = records[exc.line - 1][columns.index("session_id")]
        raise


def _states(table: Table) -> str:
    columns = ", ".join((*table.key, "updated_at", *Provenance.__struct_fields__))
    return f"SELECT {columns} FROM tccc.{table.name} WHERE session_id = ANY($1)"  # noqa: S608 -- our own names


def _remove_sql(table: Table) -> str:
    names = ", ".join((*table.key, "updated_at"))
    arrays = ", ".join([f"${n}::text[]" for n in range(1, len(table.key) + 1)])
    same = " AND ".join(f"t.{name} = v.{name}" for name in (*table.key, "updated_at"))
    return (
        f"DELETE FROM tccc.{table.name} t"  # noqa: S608 -- our own names
        f" USING unnest({arrays}, ${len(table.key) + 1}::timestamptz[]) AS v({names}) WHERE {same}"
    )


def _remember_sql(table: Table) -> str:
    n = len(table.key)
    same = " AND ".join(f"{name} = ${i}" for i, name in enumerate((*table.key, "updated_at"), 1))
    return (
        f"UPDATE tccc.{table.name} SET earlier_push_ids = ${n + 2}, earlier_received_at = ${n + 3},"  # noqa: S608
        f" updated_at = statement_timestamp() WHERE {same}"
    )


_STATES = {table.name: _states(table) for table in TABLES.values()}
_REMOVE = {table.name: _remove_sql(table) for table in TABLES.values()}
_REMEMBER = {table.name: _remember_sql(table) for table in TABLES.values()}
_KNOWN = """
SELECT session_id, action, push_id FROM tccc.push WHERE session_id = ANY($1) AND outcome <> 'dead'
"""
