"""A worker at lag: it finds a topic full of pushes, and is measured from a common start until all are stored.

The start is a gate: the tables are locked until every process is a member of its group and has fetched what it
likes; so start-up costs nothing, and all begin at the same instant.
"""

import asyncio
import sys
import time
import uuid
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager, AsyncExitStack, asynccontextmanager
from typing import Any

import asyncpg
from msgspec import Struct

from tests.bench.connect import TABLE, Connect
from tests.bench.counters import cpu_s, rss_mib
from tests.bench.figures import Sample
from tests.bench.peers.flat import CALLS, LEGS
from tests.bench.roles import peer, role
from tests.bench.run import Run
from tests.bench.services import Filled, database, empty, without_autovacuum

_JOIN_TIMEOUT_S = 60.0
_STORE_TIMEOUT_S = 180.0
_POLL_S = 0.05
_FETCH_S = 1.5  # for prefetches to fill up behind the gate


class Joined(Struct, frozen=True):
    """Processes that have been started on a topic, and the group that they are to join."""

    pids: list[int]
    group: str
    members: int


Start = Callable[[Run, Filled], AbstractAsyncContextManager[Joined]]


class Worker(Struct, frozen=True):
    """A contender: how to start it, and where its rows go. `key` is the column of the SessionId."""

    start: Start
    tables: Sequence[str]
    key: str = "session_id"


def project(workers: int = 1, **settings: Any) -> Worker:
    return Worker(
        start=_starter(workers, settings), tables=("tccc.call", "tccc.call_participant", "tccc.push")
    )


def python_peer(module: str) -> Worker:
    return Worker(start=_peer_starter(module), tables=(CALLS.name, LEGS.name))


def debezium(running: Connect, batch: int) -> Worker:
    @asynccontextmanager
    async def start(_run: Run, filled: Filled) -> AsyncIterator[Joined]:
        async with running.sink(filled.topic, batch) as group:
            yield Joined(pids=[running.pid], group=group, members=1)

    return Worker(start=start, tables=(TABLE,), key="sessionid")


async def drain(run: Run, worker: Worker, filled: Filled, *, keep: bool = False) -> Sample:
    """Measure one worker; the tables are emptied before, unless what is in them is to be kept."""
    services = run.services
    if keep:
        before = await _count(run, worker.tables[0])
    else:
        await empty(services, worker.tables)
        before = 0
    async with without_autovacuum(services), database(services) as connection, AsyncExitStack() as stack:
        async with _gate(connection, worker.tables[0]):
            joined = await stack.enter_async_context(worker.start(run, filled))
            await _wait_joined(run, joined)
            await asyncio.sleep(_FETCH_S)
            started = _Counters(run, joined, await _wal_bytes(connection))
        await _wait_stored(connection, worker, filled)
        ended = _Counters(run, joined, await _wal_bytes(connection))
        rss = rss_mib(joined.pids)
    stored = await _count(run, worker.tables[0]) - before
    if stored != filled.records:
        raise RuntimeError(f"{stored} rows of {filled.records} pushes")
    return started.until(ended, filled.records) | {"rss_mib": rss}


class _Counters:
    def __init__(self, run: Run, joined: Joined, wal_bytes: int) -> None:
        self.at = time.perf_counter()
        self.worker_s = cpu_s(joined.pids)
        self.postgres_s = run.services.postgres_cpu_s()
        self.kafka_s = run.services.kafka_cpu_s()
        self.wal_bytes = wal_bytes

    def until(self, end: "_Counters", records: int) -> dict[str, float]:
        worker_us = (end.worker_s - self.worker_s) / records * 1e6
        postgres_us = (end.postgres_s - self.postgres_s) / records * 1e6
        return {
            "worker_us": worker_us,
            "postgres_us": postgres_us,
            "together_us": worker_us + postgres_us,
            "kafka_us": (end.kafka_s - self.kafka_s) / records * 1e6,
            "pushes_per_s": records / (end.at - self.at),
            "wal_bytes": (end.wal_bytes - self.wal_bytes) / records,
        }


@asynccontextmanager
async def _gate(connection: asyncpg.Connection, table: str) -> AsyncIterator[None]:
    """Nobody writes to the table until the block ends."""
    async with connection.transaction():
        await connection.execute(f"LOCK TABLE {table} IN SHARE ROW EXCLUSIVE MODE")
        yield


async def _wait_joined(run: Run, joined: Joined) -> None:
    async with asyncio.timeout(_JOIN_TIMEOUT_S):
        while await run.services.group_members(joined.group) != joined.members:
            await asyncio.sleep(_POLL_S)


async def _wait_stored(connection: asyncpg.Connection, worker: Worker, filled: Filled) -> None:
    """Until the last push of every partition is there: partitions are consumed in order."""
    query = f"SELECT count(*) FROM {worker.tables[0]} WHERE {worker.key} = ANY($1)"
    async with asyncio.timeout(_STORE_TIMEOUT_S):
        while await connection.fetchval(query, filled.last_sessions) < len(filled.last_sessions):
            await asyncio.sleep(_POLL_S)


async def _count(run: Run, table: str) -> int:
    async with database(run.services) as connection:
        return int(await connection.fetchval(f"SELECT count(*) FROM {table}"))


async def _wal_bytes(connection: asyncpg.Connection) -> int:
    return int(await connection.fetchval("SELECT pg_current_wal_insert_lsn() - '0/0'::pg_lsn"))


def _starter(workers: int, more: Mapping[str, Any]) -> Start:
    @asynccontextmanager
    async def start(run: Run, filled: Filled) -> AsyncIterator[Joined]:
        # A batch behind the gate would hold up the others' joining for the whole grace.
        settings = run.services.on_topic(filled.topic, revoke_grace_s=0.1, **more)
        async with AsyncExitStack() as stack:
            roles = [
                await stack.enter_async_context(role(run.services, "worker", settings))
                for _ in range(workers)
            ]
            yield Joined(pids=[one.pid for one in roles], group=settings.kafka_group, members=workers)

    return start


def _peer_starter(module: str) -> Start:
    @asynccontextmanager
    async def start(run: Run, filled: Filled) -> AsyncIterator[Joined]:
        group = f"group-{uuid.uuid4().hex[:12]}"
        environ = {
            "TOPIC": filled.topic,
            "BOOTSTRAP": run.services.kafka.bootstrap,
            "DSN": run.services.postgres.url,
            "GROUP": group,
        }
        command = [sys.executable, "-m", f"tests.bench.peers.{module}"]
        async with peer(run.services, f"peer-{module}", command, environ) as pid:
            yield Joined(pids=[pid], group=group, members=1)

    return start
