"""Fills the tables with millions of calls: what a worker has stored, under random SessionIds, spread over months.

It stands for COPY of such rows, without their way through a client. Indexes are made afterwards, as full as
random keys leave them in the long run.
"""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from asyncpg import Connection

TABLES = ("call", "call_participant", "push")
_STEP = 500_000
_RANDOM_FILL = 70  # per cent: a fresh index of 90 would split its pages all at once
_LOADING = ("fsync = off", "full_page_writes = off", "max_wal_size = '32GB'")

_DEFINITIONS = """
    SELECT format('ALTER TABLE tccc.%I DROP CONSTRAINT %I', relname, conname) AS undo,
           format('ALTER TABLE tccc.%I ADD CONSTRAINT %I %s', relname, conname, pg_get_constraintdef(k.oid)) AS make
    FROM pg_constraint k JOIN pg_class t ON t.oid = conrelid
    WHERE contype = 'p' AND relnamespace = 'tccc'::regnamespace AND relname = ANY($1)
    UNION ALL
    SELECT format('DROP INDEX tccc.%I', indexname), indexdef FROM pg_indexes
    WHERE schemaname = 'tccc' AND tablename = ANY($1) AND indexname NOT IN (SELECT conname FROM pg_constraint)
"""
_COLUMNS = """
    SELECT string_agg(quote_ident(column_name), ', ' ORDER BY ordinal_position),
        string_agg(
            quote_ident(column_name) || CASE WHEN data_type LIKE 'timestamp%' THEN ' - earlier' ELSE '' END,
            ', ' ORDER BY ordinal_position
        )
    FROM information_schema.columns
    WHERE table_schema = 'tccc' AND table_name = $1 AND is_generated = 'NEVER'
      AND column_name NOT IN ('session_id', 'kafka_offset')
"""
# Each copy of the template lies a few hours before the one before it.
_APART = "interval '8 hours'"
_DAYS = """
    DO $$ BEGIN
        FOR n IN 2..{days} LOOP  -- those of today and yesterday are there
            EXECUTE format(
                'CREATE TABLE IF NOT EXISTS tccc.push_bench_%s PARTITION OF tccc.push FOR VALUES FROM (%L) TO (%L)',
                n, (current_date - n)::timestamp AT TIME ZONE 'UTC', (current_date - n + 1)::timestamp AT TIME ZONE 'UTC'
            );
        END LOOP;
    END $$
"""


class Base:
    """Make it while the tables hold the template and nothing else; it empties them."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self._calls = 0
        self._copies = 0

    async def take_template(self) -> None:
        for table in TABLES:
            await self._run(f"CREATE UNLOGGED TABLE template_{table} AS SELECT * FROM tccc.{table}")
        await self._run(f"TRUNCATE {', '.join(f'tccc.{table}' for table in TABLES)}")
        await self._run("CREATE SEQUENCE template_offset START 1000000000")
        self._calls = await self._connection.fetchval("SELECT count(*) FROM template_call")

    async def add(self, sessions: int) -> None:
        """So many sessions more, to the next multiple of the template."""
        async with self._unsafely(), self._without_indexes():
            await self._insert(sessions)
        await self._tidy()

    async def add_in_place(self, sessions: int) -> None:
        """The same into indexes that stand, and by way of the write-ahead log, as a worker does it."""
        await self._insert(sessions)
        await self._tidy()

    async def _insert(self, sessions: int) -> None:
        days = (self._copies + sessions // self._calls) // 3 + 2
        await self._run(_DAYS.format(days=days))
        for first in range(0, sessions, _STEP):
            await self._multiply(min(_STEP, sessions - first) // self._calls)

    async def _tidy(self) -> None:
        """What was done long before so many sessions were there: roll-ups, and what autovacuum does."""
        await self._run("TRUNCATE tccc.rollup_mark, tccc.rollup_session")
        await self._run("VACUUM (ANALYZE) tccc.call, tccc.call_participant, tccc.push")

    async def _multiply(self, times: int) -> None:
        await self._run(
            "CREATE UNLOGGED TABLE renamed AS SELECT session_id AS was, gen_random_uuid()::text AS now, "
            f"n * {_APART} AS earlier "
            f"FROM template_call, generate_series({self._copies + 1}, {self._copies + times}) AS n"
        )
        self._copies += times
        for table in TABLES:
            record = await self._connection.fetchrow(_COLUMNS, table)
            assert record is not None
            columns, shifted = record
            more, values = (", kafka_offset", ", nextval('template_offset')") if table == "push" else ("", "")
            await self._run(
                f"INSERT INTO tccc.{table} (session_id{more}, {columns}) "
                f"SELECT now{values}, {shifted} FROM template_{table} JOIN renamed ON was = session_id"
            )
        await self._run("DROP TABLE renamed")

    @asynccontextmanager
    async def _without_indexes(self) -> AsyncIterator[None]:
        definitions = await self._connection.fetch(_DEFINITIONS, TABLES)
        for undo, _ in definitions:
            await self._run(undo)
        yield
        await self._run("SET maintenance_work_mem = '1GB'")
        for _, make in definitions:
            # The definition of a partitioned table's index leaves its partitions out.
            head, where, condition = make.replace(" ON ONLY ", " ON ", 1).partition(" WHERE ")
            # An index that this has made before says so itself; a key never does.
            fill = "" if "fillfactor" in make else f" WITH (fillfactor = {_RANDOM_FILL})"
            await self._run(f"{head}{fill}{where}{condition}")
        assert await self._connection.fetchval("SELECT bool_and(indisvalid) FROM pg_index")

    @asynccontextmanager
    async def _unsafely(self) -> AsyncIterator[None]:
        """Settings that no measurement sees: reset, and all written out, when the block ends."""
        for setting in _LOADING:
            await self._run(f"ALTER SYSTEM SET {setting}")
        await self._run("SELECT pg_reload_conf()")
        yield
        for setting in _LOADING:
            await self._run(f"ALTER SYSTEM RESET {setting.partition(' ')[0]}")
        await self._run("SELECT pg_reload_conf()")
        await self._run("CHECKPOINT")

    async def _run(self, statement: str) -> None:
        await self._connection.execute(statement, timeout=None)
