"""Writes the pushes of one table: folds those of a session into its rows, which COPY draws one by one.

A push is read when COPY asks for its row, and all that was made of it is gone when the row is on its way: what is
alive at a time fits the processor's caches, and Postgres works meanwhile. Only rows that replace others are made
before, for those have to be taken away first.
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from msgspec import Struct
from msgspec.structs import astuple

from schemas.errors import RecordError
from schemas.rows import TABLES, Call, CallParticipant, LedgerRow, Micros, Outcome, Provenance, Table
from worker.batch import Item
from worker.citus import staging
from worker.database import Conflict, Connection, Refused, translated
from worker.drift import Reading, is_listed
from worker.fold import RowState
from worker.normalise import Key, Normalised
from worker.stored import Stored

SCHEMA = "tccc"

Group = Sequence[Item]  # all of a batch that are of one session and one table, in the order of consumption
Columns = tuple[Any, ...]


class RowChange(Struct):
    """A row: as it was read, as it is after the fold, and the push whose content it shows."""

    key: Key
    state: RowState
    version: Micros | None = None  # updated_at as it was read; None: no such row
    content: Normalised | None = None


class Share:
    """What becomes of a table's share of a batch: its `ledger`, what is `dead`, what is to be noted as drift."""

    def __init__(self, stored: Stored) -> None:
        self.ledger: list[LedgerRow] = []
        self.dead: list[Item] = []
        self.unlisted: list[Reading] = []
        self.participants: list[Columns] = []
        self.sessions: list[str] = []  # of the rows that were drawn
        self._stored = stored

    def fold(self, group: Group) -> list[RowChange]:
        """The rows of a session, by key, as its pushes leave them."""
        changes: dict[Key, RowChange] = {}
        for item in group:
            normalised = self._read(item)
            if normalised is None:
                continue
            change = changes.get(normalised.key)
            if change is None:
                change = changes[normalised.key] = self._change(normalised.key)
            is_retry = self._stored.is_retry(change.key, item.envelope.push_id)
            outcome: Outcome = "duplicate" if is_retry else change.state.apply(item.push)
            if outcome == "applied":
                change.content = normalised
            self.ledger.append(item.settled(outcome))
        return [changes[key] for key in sorted(changes)] if len(changes) > 1 else list(changes.values())

    def rows(self, shown: Iterable[RowChange], new: Iterable[Group]) -> Iterator[Columns]:
        """The columns of each row, for COPY to draw: of those that were there, and of those of new sessions."""
        for change in shown:
            yield self._row(change.content, change.state.provenance())
        for group in new:
            if len(group) > 1:
                for change in self.fold(group):
                    yield self._row(change.content, change.state.provenance())
            elif (normalised := self._read(group[0])) is not None:
                # Nearly all are of this kind; folding would come to the same.
                self.ledger.append(group[0].settled("applied"))
                yield self._row(normalised, group[0].push.alone)

    def _row(self, content: Normalised | None, provenance: Provenance) -> Columns:
        assert content is not None
        self.sessions.append(content.key[0])
        if content.participants:
            self.participants += map(astuple, content.participants)
        return astuple(content.row) + astuple(provenance)

    def _read(self, item: Item) -> Normalised | None:
        try:
            normalised = item.read()
        except RecordError as error:
            self.dead.append(item.dead(error))
            return None
        if not is_listed(normalised):
            self.unlisted.append((item.envelope, normalised))
        return normalised

    def _change(self, key: Key) -> RowChange:
        found = self._stored.row(key)
        return (
            RowChange(key, RowState.absent()) if found is None else RowChange(key, found.state, found.version)
        )


async def write(
    connection: Connection, table: Table, groups: Sequence[Group], stored: Stored, *, staged: bool
) -> Share:
    """Store the pushes of these sessions, sorted by session: writers that meet write in one order.

    Raises Refused, with the session if the database points at one, or Conflict; then nothing that this did is to stay.
    `staged`: by way of temporary tables (worker/citus/staging.py).
    """
    share = Share(stored)
    new = [group for group in groups if group[0].session_id not in stored.rows]
    met = [change for group in groups if group[0].session_id in stored.rows for change in share.fold(group)]
    shown = [change for change in met if change.content is not None]
    await _remember(connection, table, [change for change in met if change.content is None])
    await _remove(connection, table, [change for change in shown if change.version is not None])
    if shown or new:
        made = share.rows(shown, new)
        with _pointing(share.sessions.__getitem__):
            columns = (*table.row.__struct_fields__, *Provenance.__struct_fields__)
            await _copy(connection, table.name, columns, made, staged=staged)
    participants = share.participants
    if participants:
        with _pointing(lambda at: participants[at][0]):
            columns = CallParticipant.__struct_fields__
            await _copy(connection, "call_participant", columns, participants, staged=staged)
    return share


async def enter(connection: Connection, ledger: Sequence[LedgerRow], *, staged: bool) -> None:
    """Write ledger rows; raises what `write` does."""
    if ledger:
        await _copy(connection, "push", LedgerRow.__struct_fields__, map(astuple, ledger), staged=staged)


async def _copy(
    connection: Connection, table: str, columns: Sequence[str], records: Iterable[Columns], *, staged: bool
) -> None:
    with translated():
        schema = await staging.begin(connection, SCHEMA, table) if staged else SCHEMA
        await connection.copy_records_to_table(
            table, schema_name=schema, columns=list(columns), records=records
        )
        if staged:
            await staging.end(connection, SCHEMA, table, columns)


async def _remember(connection: Connection, table: Table, changes: Sequence[RowChange]) -> None:
    """Add pushes to the memory of rows that do not show them."""
    for change in changes:
        if not change.state.changed:
            continue
        provenance = change.state.provenance()
        status = await connection.execute(
            _REMEMBER[table.name],
            *change.key,
            change.version,
            provenance.earlier_push_ids,
            provenance.earlier_received_at,
        )
        if status != "UPDATE 1":
            raise Conflict("a row changed between reading and writing")


async def _remove(connection: Connection, table: Table, replaced: Sequence[RowChange]) -> None:
    if not replaced:
        return
    parts = [list(part) for part in zip(*(change.key for change in replaced), strict=True)]
    versions = [change.version for change in replaced]
    status = await connection.execute(_REMOVE[table.name], *parts, versions)
    if status != f"DELETE {len(replaced)}":
        raise Conflict("a row changed between reading and writing")
    if table.row is Call:
        await connection.execute("DELETE FROM tccc.call_participant WHERE session_id = ANY($1)", parts[0])


@contextmanager
def _pointing(session_at: Callable[[int], str]) -> Iterator[None]:
    """Name the session of the record that COPY was at when it was refused."""
    try:
        yield
    except Refused as exc:
        if exc.line is not None:
            exc.session_id = session_at(exc.line - 1)
        raise


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


_REMOVE = {table.name: _remove_sql(table) for table in TABLES.values()}
_REMEMBER = {table.name: _remember_sql(table) for table in TABLES.values()}
