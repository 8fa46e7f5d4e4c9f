"""The stack under chaos: three brokers and Postgres behind proxies, receivers on one port, workers, a supervisor."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from typing import Any

import asyncpg
from msgspec import Struct
from msgspec.structs import replace

from deploy.local.kafka import LocalKafka
from deploy.local.ports import free_port
from deploy.local.postgres import LocalPostgres
from receiver.spool.inspection import inspect
from runtime.topics import ensure_topics
from schemas.settings import Settings
from tests.chaos.arms import Arms
from tests.chaos.feed import CONSTRAINT
from tests.chaos.mount import Disk
from tests.chaos.processes import Process
from tests.chaos.proxy import Proxy
from tests.chaos.roles import Roles
from worker.migrate import migrate


class Size(Struct, frozen=True, kw_only=True):
    brokers: int = 3
    receivers: int = 2
    workers: int = 3
    heap_mb: int = 384
    durable_postgres: bool = True


class Stack:
    """Everything a fault can get hold of. `direct` are settings that go past the proxies: the auditor's."""

    def __init__(self, home: Path, size: Size) -> None:
        self.home = home
        self.disk = Disk(home / "spool")
        self.kafka_proxies: list[Proxy] = []
        self._size = size
        *self._broker_ports, postgres_port = _free_ports(size.brokers + 1)
        self.postgres = LocalPostgres(home / "postgres", port=postgres_port, fast=not size.durable_postgres)
        self.roles: Roles
        self.kafka: LocalKafka
        self.postgres_proxy: Proxy
        self.direct: Settings
        self.settings: Settings

    @property
    def arms(self) -> Arms:
        return self.roles.arms

    @property
    def receivers(self) -> list[Process]:
        return self.roles.receivers

    @property
    def workers(self) -> list[Process]:
        return self.roles.workers

    @asynccontextmanager
    async def running(self, mutant: str | None = None) -> AsyncIterator[None]:
        """Everything started and ready; stopped at the end of the block, whatever a fault has left."""
        async with AsyncExitStack() as stack:
            stack.callback(self.disk.release)
            self.disk.prepare()
            await self._start_services(stack)
            size = self._size
            self.roles = Roles(
                self.home, self.settings, receivers=size.receivers, workers=size.workers, mutant=mutant
            )
            await stack.enter_async_context(self.roles.running())
            yield

    async def _start_services(self, stack: AsyncExitStack) -> None:
        for port in self._broker_ports:
            self.kafka_proxies.append(await stack.enter_async_context(Proxy(port)))
        self.kafka = LocalKafka(
            self.home / "kafka",
            self._size.brokers,
            ports=self._broker_ports,
            advertised_ports=[proxy.port for proxy in self.kafka_proxies],
            heap_mb=self._size.heap_mb,
        )
        stack.callback(self.kafka.stop)
        stack.callback(self.postgres.stop)
        await asyncio.gather(asyncio.to_thread(self.kafka.start), asyncio.to_thread(self.postgres.start))
        url = self.postgres.url
        port = int(url.rpartition(":")[2].partition("/")[0])
        self.postgres_proxy = await stack.enter_async_context(Proxy(port))
        await migrate(url)
        await self.execute(CONSTRAINT, url)
        self.direct = self._configure(url)
        self.settings = replace(
            self.direct, database_url=url.replace(f":{port}/", f":{self.postgres_proxy.port}/")
        )
        await ensure_topics(self.direct)

    def _configure(self, database_url: str) -> Settings:
        return Settings(
            kafka_bootstrap=self.kafka.bootstrap,
            topic_replication=self._size.brokers,
            topic_min_insync_replicas=max(1, self._size.brokers - 1),
            database_url=database_url,
            spool_dir=str(self.disk.folder),
            spool_max_bytes=256 * 2**20,
            dead_per_minute=1_000_000,
            store_timeout_s=10,
            revoke_grace_s=5,
            stuck_s=60,
        )

    async def execute(self, statement: str, url: str | None = None) -> None:
        """Run a statement on a connection of its own, past the proxy."""
        connection = await asyncpg.connect(url or self.direct.database_url)
        try:
            await connection.execute(statement)
        finally:
            await connection.close()

    async def fetch_value(self, query: str, *values: Any) -> Any:
        """The first value of a query, past the proxy; None while the database does not answer."""
        try:
            connection = await asyncpg.connect(self.direct.database_url, timeout=5)
        except (OSError, asyncpg.PostgresError, TimeoutError):
            return None
        try:
            return await connection.fetchval(query, *values)
        except (OSError, asyncpg.PostgresError, asyncpg.InterfaceError):
            return None
        finally:
            connection.terminate()

    async def spooled(self) -> tuple[int, int]:
        """Records in the spool's files, read from the disk, also those of the dead; and files set aside."""
        found = await asyncio.to_thread(inspect, self.disk.folder)
        return sum(file.records for file in found if not file.salvaged), sum(file.corrupt for file in found)


def _free_ports(count: int) -> list[int]:
    ports: list[int] = []
    for _ in range(count):
        ports.append(free_port(taken=ports))
    return ports
