"""Writes by way of a temporary table, for the sake of an answer that tells.

Of a COPY into a distributed table Citus passes on what a node said, but not its SQLSTATE: a row that is there already, one
that a constraint refuses and a fault of the node's look alike; and after it not every savepoint can be gone back to.
INSERT … SELECT … RETURNING of the same rows keeps both.
"""

from collections.abc import Sequence

from worker.database import Connection

_TEMPORARY = "pg_temp"


async def begin(connection: Connection, schema: str, table: str) -> str:
    """Make an empty table of this name and these columns; returns its schema."""
    columns = await connection.fetchval(_COLUMNS, f"{schema}.{table}")
    await connection.execute(
        f"DROP TABLE IF EXISTS {_TEMPORARY}.{table}; CREATE TEMPORARY TABLE {table} ({columns}) ON COMMIT DROP"
    )
    return _TEMPORARY


async def end(connection: Connection, schema: str, table: str, columns: Sequence[str]) -> None:
    """Move its rows to where they belong; raises what the driver does."""
    names = ", ".join(columns)
    await connection.fetch(
        f"WITH moved AS (INSERT INTO {schema}.{table} ({names})"  # noqa: S608 -- our own names
        f" SELECT {names} FROM {_TEMPORARY}.{table} RETURNING 1) SELECT count(*) FROM moved"
    )


# Not LIKE: the worker's role may not read every column.
_COLUMNS = """
SELECT string_agg(format('%I %s', attname, format_type(atttypid, atttypmod)), ', ' ORDER BY attnum)
FROM pg_attribute WHERE attrelid = to_regclass($1::text) AND attnum > 0 AND NOT attisdropped
"""
