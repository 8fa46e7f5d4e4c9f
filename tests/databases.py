"""Databases of a test's own: on one Postgres, or distributed ones on a Citus cluster of the environment's.

A cluster is named by CITUS_URL, its coordinator's superuser; `make citus-test` sets it. Nodes are then reached as they
reach each other, with that user and its password.
"""

import asyncio
import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from urllib.parse import urlsplit, urlunsplit

import asyncpg
from msgspec import Struct

from tests.services import execute
from worker import store
from worker.citus.distribute import distribute
from worker.database import Connection, connected
from worker.migrate import migrate

CITUS_URL = os.environ.get("CITUS_URL", "")
SHARDS = 6  # as few as show what many would


def with_database(url: str, name: str) -> str:
    """The same server's address, with another database."""
    head, _, tail = url.rpartition("/")
    _, question, options = tail.partition("?")
    return f"{head}/{name}{question}{options}"


class Postgres(Struct, frozen=True):
    """One server; `url` is a superuser's."""

    url: str

    async def create(self, name: str, template: str | None = None) -> str:
        """Returns its URL; a template has to be one that nobody is connected to."""
        await execute(self.url, f"CREATE DATABASE {name} TEMPLATE {template or 'template1'}")
        return with_database(self.url, name)

    async def migrate(self, url: str, *, shards: int) -> None:
        """To the newest schema; nothing is distributed here."""
        await migrate(url)

    async def make_template(self, name: str) -> None:
        await self.migrate(await self.create(name), shards=SHARDS)

    async def drop(self, name: str) -> None:
        await execute(self.url, f"DROP DATABASE {name} WITH (FORCE)")


class Node(Struct, frozen=True):
    host: str
    port: int
    is_coordinator: bool


class Cluster(Struct, frozen=True):
    """A Citus cluster; `url` is its coordinator's. A database is one on every node, joined anew."""

    url: str

    async def create(self, name: str, template: str | None = None) -> str:
        url, nodes = with_database(self.url, name), await self.nodes()
        for node in nodes:
            async with _connected(self.url_of(node)) as connection:
                await connection.execute(f"CREATE DATABASE {name} TEMPLATE {template or 'template1'}")
            if template is None:
                await execute(with_database(self.url_of(node), name), "CREATE EXTENSION citus")
        if template is None:
            await self._join(url, nodes)
        return url

    async def migrate(self, url: str, *, shards: int) -> None:
        """To the newest schema, and distributed."""
        await migrate(url)
        await distribute(url, shards=shards)

    async def make_template(self, name: str) -> None:
        """Migrated and distributed. Copied whole on each node, it is a cluster again: shards and catalogs go together."""
        await self.migrate(await self.create(name), shards=SHARDS)
        for node in await self.nodes():  # Citus' own daemon keeps a connection, and takes it again
            await execute(
                self.url_of(node),
                f"ALTER DATABASE {name} ALLOW_CONNECTIONS false;"
                f" SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity WHERE datname = '{name}'",
            )

    async def drop(self, name: str) -> None:
        for node in await self.nodes():
            while True:
                try:
                    await execute(self.url_of(node), f"DROP DATABASE IF EXISTS {name} WITH (FORCE)")
                    break
                except asyncpg.ObjectInUseError:  # a daemon of another node's was quicker
                    await asyncio.sleep(0.05)

    async def nodes(self) -> list[Node]:
        """The coordinator first."""
        async with _connected(self.url) as connection:
            found = await connection.fetch(
                "SELECT nodename, nodeport, groupid FROM pg_dist_node ORDER BY groupid"
            )
        return [Node(host, port, group == 0) for host, port, group in found]

    def url_of(self, node: Node) -> str:
        """As a superuser, of the database that `url` names."""
        parts = urlsplit(self.url)
        user, at, _ = parts.netloc.rpartition("@")
        return urlunsplit(parts._replace(netloc=f"{user}{at}{node.host}:{node.port}"))

    async def _join(self, url: str, nodes: list[Node]) -> None:
        async with _connected(url) as connection:
            for node in nodes:
                joining = "citus_set_coordinator_host" if node.is_coordinator else "citus_add_node"
                await connection.execute(f"SELECT {joining}($1, $2)", node.host, node.port)


@asynccontextmanager
async def _connected(url: str) -> AsyncIterator["asyncpg.Connection[asyncpg.Record]"]:
    connection = await asyncpg.connect(url)
    try:
        yield connection
    finally:
        await connection.close()


@asynccontextmanager
async def prepared(url: str) -> AsyncIterator[Connection]:
    """A connection as the worker's: it counts times otherwise than who asks."""
    async with connected(url) as connection:
        await store.prepare(connection)
        yield connection
