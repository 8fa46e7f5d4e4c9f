"""Tells the CPU time that the servers of a cluster take for a push, where all of them run on this machine."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import psutil

from tests.bench.counters import tree_cpu_s
from tests.databases import Cluster
from worker.database import connected

_HERE = {"127.0.0.1", "::1", "localhost"}


@asynccontextmanager
async def told_cost(name: str, cluster: Cluster, count: int) -> AsyncIterator[None]:
    """Print what each push of the block cost, if it stored so many; whatever else the servers do counts too."""
    servers = await _servers(cluster)
    before = [tree_cpu_s(pid) for pid in servers]
    yield
    each = [(tree_cpu_s(pid) - began_s) / count * 1e6 for pid, began_s in zip(servers, before, strict=True)]
    if each:
        coordinator, *data = each
        print(
            f"{name}: CPU time a push {coordinator:.0f} µs of the coordinator's, {sum(data):.0f} of data nodes'"
        )


async def _servers(cluster: Cluster) -> list[int]:
    """The first process of each node's server, the coordinator's before the others'; none if some are elsewhere."""
    nodes, pids = await cluster.nodes(), []
    if {node.host for node in nodes} - _HERE:
        return []
    for node in nodes:
        async with connected(cluster.url_of(node)) as connection:
            backend = psutil.Process(await connection.fetchval("SELECT pg_backend_pid()"))
            pids.append(backend.ppid())
    return pids
