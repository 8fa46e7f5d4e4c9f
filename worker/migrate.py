"""Brings the database to the newest schema, and tells whether a program and a database go together.

Migrations are the files `migrations/NNNN_name.sql`, append-only, each in a transaction of its own; the first
line of each, `-- compatible_from: N`, is the oldest program (by its newest migration) that works with it.
"""

import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from importlib import resources

from msgspec import Struct

from schemas.errors import OperatorError, SchemaMismatch
from worker import roles
from worker.citus.forms import QUIETLY, adapt, is_distributed
from worker.database import Connection, connected, translated
from worker.statements import statements

# Any number will do, as long as all programs use the same one.
_LOCK = 0x7463_6363
_NAME = re.compile(r"(\d{4})_\w+\.sql")
_COMPATIBLE = re.compile(r"-- compatible_from: (\d+)\n")
_HISTORY = """
CREATE SCHEMA IF NOT EXISTS tccc;
CREATE TABLE IF NOT EXISTS tccc.schema_version (
    version         integer PRIMARY KEY,
    name            text NOT NULL,
    compatible_from integer NOT NULL,
    applied_at      timestamptz NOT NULL DEFAULT now()
);
COMMENT ON TABLE tccc.schema_version IS 'The migrations that were applied.';
COMMENT ON COLUMN tccc.schema_version.compatible_from IS 'The oldest program, by its newest migration, that works from here on.';
"""


class Migration(Struct, frozen=True):
    version: int
    name: str
    compatible_from: int
    sql: str


def migrations() -> list[Migration]:
    """All migrations that this program knows, oldest first."""
    found = []
    for file in resources.files("worker").joinpath("migrations").iterdir():
        match = _NAME.fullmatch(file.name)
        if match:
            sql = file.read_text(encoding="utf-8")
            compatible = _COMPATIBLE.match(sql)
            if compatible is None:
                raise ValueError(f"{file.name} does not begin with -- compatible_from: N")
            found.append(Migration(int(match[1]), file.name, int(compatible[1]), sql))
    return sorted(found, key=lambda migration: migration.version)


async def migrate(database_url: str, *, dry_run: bool = False) -> list[str]:
    """Apply what is missing, then grant the roles their rights; returns the names of what was (or would be) applied.

    Safe to run twice and by two at once. Raises DatabaseAway or OperatorError, SchemaMismatch for a database
    that is too new for this program.
    """
    async with locked(database_url) as connection:
        with translated():
            applied = []
            newest = await schema_version(connection)
            for migration in migrations():
                if migration.version > newest:
                    applied.append(migration.name)
                    if not dry_run:
                        await _apply(connection, migration)
            if newest > migrations()[-1].version:
                await check(connection)
            elif not dry_run:
                await roles.grant(connection)
                await _adapt(connection)
            return applied


@asynccontextmanager
async def locked(database_url: str) -> AsyncIterator[Connection]:
    """A connection on which nobody else changes the schema meanwhile; waits for who does. Raises DatabaseAway."""
    async with connected(database_url) as connection:
        with translated():
            await connection.execute("SELECT pg_advisory_lock($1)", _LOCK)
        yield connection


async def check(connection: Connection) -> None:
    """Raise SchemaMismatch if this program and this database do not go together."""
    needed = migrations()[-1].version
    with translated():
        version = await schema_version(connection)
        if version < needed:
            raise SchemaMismatch(
                f"the database's schema is at version {version}, this program needs {needed}: run 'tccc migrate'"
            )
        compatible_from = await connection.fetchval(
            "SELECT max(compatible_from) FROM tccc.schema_version WHERE version > $1", needed
        )
    if compatible_from is not None and compatible_from > needed:
        raise SchemaMismatch(
            f"the database's schema is at version {version} and works with programs from version"
            f" {compatible_from} on, this one is at {needed}: install a newer tccc-ingest"
        )


async def schema_version(connection: Connection) -> int:
    """The newest migration that was applied; 0 if none was."""
    if await connection.fetchval("SELECT to_regclass('tccc.schema_version')") is None:
        return 0
    return int(await connection.fetchval("SELECT coalesce(max(version), 0) FROM tccc.schema_version"))


async def _apply(connection: Connection, migration: Migration) -> None:
    async with connection.transaction():
        try:
            await connection.execute(QUIETLY)
            for statement in (*statements(_HISTORY), *statements(migration.sql)):
                await connection.execute(statement)
        except Exception as exc:
            # Names the file: the driver's error alone would not. Its message may quote a row.
            raise OperatorError(f"migration {migration.name} failed: {_facts(exc)}") from exc
        await connection.execute(
            "INSERT INTO tccc.schema_version (version, name, compatible_from) VALUES ($1, $2, $3)",
            migration.version,
            migration.name,
            migration.compatible_from,
        )


async def _adapt(connection: Connection) -> None:
    """On Citus, what a migration has made is put into the form that runs there."""
    if await is_distributed(connection) and await roles.owns(connection):
        async with connection.transaction():
            await connection.execute(QUIETLY)
            await adapt(connection)


def _facts(error: Exception) -> str:
    """What the database says of its own objects."""
    fields = ("sqlstate", "schema_name", "table_name", "column_name", "constraint_name")
    named = [f"{field} {value}" for field in fields if (value := getattr(error, field, None))]
    return ", ".join([type(error).__name__, *named])
