"""Reads what the database has of a batch's rows, by session, before anything is written."""

from collections.abc import Sequence

from msgspec import Struct

from schemas.push import Action
from schemas.rows import TABLES, Micros, Provenance, Table
from worker.database import Connection
from worker.fold import RowState
from worker.normalise import Key


class StoredRow(Struct, frozen=True):
    """`version` is its updated_at."""

    version: Micros
    provenance: Provenance

    @property
    def state(self) -> RowState:
        """Its memory, to fold pushes into: a new one each time."""
        return RowState.read(self.provenance)


class Stored(Struct, frozen=True):
    """Rows by session and key; and what the ledger has of sessions with a row that may have forgotten some."""

    rows: dict[str, dict[Key, StoredRow]]
    ledger: set[tuple[str, str]]

    def row(self, key: Key) -> StoredRow | None:
        return self.rows.get(key[0], {}).get(key)

    def is_retry(self, key: Key, push_id: str) -> bool:
        """Whether a push is known to the ledger though the row may no longer remember it."""
        if not self.ledger:
            return False
        row = self.row(key)
        return row is not None and row.state.may_have_forgotten and (key[0], push_id) in self.ledger


async def read_stored(connection: Connection, action: Action, sessions: Sequence[str]) -> Stored:
    """Raises what the driver does."""
    table = TABLES[action]
    rows: dict[str, dict[Key, StoredRow]] = {}
    for record in await connection.fetch(_ROWS[action], "\n".join(sessions)):
        values = tuple(record)
        key, version, provenance = (
            values[: len(table.key)],
            values[len(table.key)],
            values[len(table.key) + 1 :],
        )
        rows.setdefault(key[0], {})[key] = StoredRow(version, Provenance(*provenance))
    crowded = [
        name for name, keyed in rows.items() if any(row.state.may_have_forgotten for row in keyed.values())
    ]
    ledger = await connection.fetch(_LEDGER, action, crowded) if crowded else []
    return Stored(rows, {tuple(record) for record in ledger})


def _rows_sql(table: Table) -> str:
    columns = ", ".join((*table.key, "updated_at", *Provenance.__struct_fields__))
    # Sessions as the lines of one text, for none holds a newline: asyncpg asks of each text in an array whether it is an
    # array itself, half a microsecond a session.
    return (
        f"SELECT {columns} FROM tccc.{table.name}"  # noqa: S608 -- our own names
        " WHERE session_id = ANY(string_to_array($1, E'\\n'))"
    )


_ROWS = {action: _rows_sql(table) for action, table in TABLES.items()}
_LEDGER = "SELECT session_id, push_id FROM tccc.push WHERE action = $1 AND session_id = ANY($2) AND outcome <> 'dead'"
