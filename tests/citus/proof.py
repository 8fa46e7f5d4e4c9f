"""`python -m tests.citus.proof`: the same pushes into Citus and into one Postgres, and a data node stopped under load.

CITUS_URL names the cluster's coordinator; Kafka is the run's own, or the environment's. One topic is consumed
by three groups: into one Postgres, into a distributed database, and into another while a node is away. All is
accounted for by `tccc audit`, and every row compared by its content. Exit status: 0 all held.
"""

import asyncio
import subprocess
import sys
import tempfile
import time
import uuid
from contextlib import AsyncExitStack, nullcontext
from datetime import UTC, datetime, timedelta
from itertools import islice
from pathlib import Path

import click
from msgspec import Struct
from msgspec.structs import replace

from console.simulator import simulate
from console.simulator.delivery import disturb
from console.simulator.dice import Dice
from console.simulator.stream import in_order
from runtime.topics import ensure_topics
from schemas.decoding import without_trailing_commas
from schemas.envelope import push_headers
from schemas.settings import Settings
from tests import services
from tests.chaos.own_services import until
from tests.citus.contents import digests
from tests.citus.cost import told_cost
from tests.databases import CITUS_URL, Cluster, Postgres
from tests.pipeline import Database, Sent, produce, tccc
from tests.processes import running

_BATCH = 10_000
_RETRIED_AFTER_S = 5


class Fault(Struct, frozen=True):
    """Shell commands that stop a data node, and start it again after so many seconds."""

    stop: str
    start: str
    seconds: float


def feed(count: int, *, seed: int, duplicates: float, reorder: float) -> list[Sent]:
    """So many records as receivers publish them, of yesterday."""
    yesterday = datetime.now(UTC).date() - timedelta(days=1)
    sessions = simulate(None, seed=seed, first_day=yesterday, sessions_a_day=count, corrections=0.1)
    deliveries = disturb(in_order(sessions), Dice(seed, "feed"), duplicates=duplicates, reorder=reorder)
    sent: list[Sent] = []
    for delivery in islice(deliveries, count):
        push = delivery.push
        at_s = push.at + _RETRIED_AFTER_S if delivery.again else push.at
        headers = push_headers(push.action.encode(), b"1", push.push_id.encode(), int(at_s * 1_000_000))
        sent.append((push.session_id, headers, without_trailing_commas(push.body) or push.body))
    return sent


async def work_off(settings: Settings, count: int, *, workers: int, fault: Fault | None = None) -> None:
    """Consume the topic by a group of its own, from its start."""
    database = Database(settings)
    async with AsyncExitStack() as stack:
        for _ in range(workers):
            await stack.enter_async_context(running("worker", settings))
        if fault is not None:
            await until(lambda: database.has_settled(count // 10))
            before = await database.count("push")
            await _shell(fault.stop)
            try:
                print(f"a node is stopped for {fault.seconds:.0f} s, at {before} settled", flush=True)
                await asyncio.sleep(fault.seconds)
            finally:
                await _shell(fault.start)
        await until(lambda: database.has_settled(count), poll_s=1.0)


async def told(name: str, settings: Settings) -> dict[str, str]:
    """Print the rate and the account; returns what the tables hold."""
    database = Database(settings)
    [(seconds, count)] = await database.fetch(_DRAINED)
    audit = await tccc(settings, "audit", "--json")
    outcomes = await database.outcomes()
    print(f"{name}: {count} settled in {seconds:.1f} s, {count / seconds:.0f} pushes/s; {outcomes}")
    print(f"{name}: audit exits {audit.status}, missing {audit.result['missing']}", flush=True)
    assert audit.status == 0, audit.out
    return await digests(settings.database_url)


async def _shell(command: str) -> None:
    await asyncio.to_thread(subprocess.run, command, shell=True, check=True, stdout=subprocess.DEVNULL)


async def _main(count: int, seed: int, workers: int, shards: int, fault: Fault | None) -> bool:
    records = feed(count, seed=seed, duplicates=0.05, reorder=0.2)
    with (
        tempfile.TemporaryDirectory(prefix="tccc-citus-") as home,
        services.kafka(Path(home)) as bootstrap,
    ):
        unique = uuid.uuid4().hex[:12]
        shared = Settings(
            kafka_bootstrap=bootstrap,
            kafka_topic=f"push-{unique}",
            kafka_dead_topic=f"dead-{unique}",
            listen="127.0.0.1:0",
            admin_listen="127.0.0.1:0",
            spool_dir=f"{home}/spool",
        )
        await ensure_topics(shared)
        for first in range(0, count, _BATCH):
            await produce(shared, records[first : first + _BATCH])
        print(f"{count} records published", flush=True)
        # The one Postgres is a database of the coordinator's, not distributed: the same machine and settings.
        postgres, cluster = Postgres(CITUS_URL), Cluster(CITUS_URL)
        wanted: dict[str, Postgres | Cluster] = {"postgres": postgres, "citus": cluster}
        if fault:
            wanted["citus, node away"] = cluster
        found = {}
        for n, (name, server) in enumerate(wanted.items()):
            database = f"tccc_proof_{unique}_{n}"
            url = await server.create(database)
            try:
                await server.migrate(url, shards=shards)
                settings = replace(shared, database_url=url, kafka_group=f"group-{unique}-{n}")
                hit = fault if "away" in name else None
                async with nullcontext() if hit else told_cost(name, cluster, count):
                    await work_off(settings, count, workers=workers, fault=hit)
                found[name] = await told(name, settings)
            finally:
                await server.drop(database)
    for name, tables in found.items():
        print(name, tables)
    return all(tables == found["postgres"] for tables in found.values())


_DRAINED = """
SELECT extract(epoch FROM max(settled_at) - min(settled_at))::float8, count(*) FROM tccc.push
"""


@click.command()
@click.option("--pushes", default=200_000, show_default=True)
@click.option("--seed", default=1, show_default=True)
@click.option("--workers", default=1, show_default=True)
@click.option("--shards", default=32, show_default=True)
@click.option("--stop-node", default="", help="Shell command that stops a data node.")
@click.option("--start-node", default="", help="Shell command that starts it again.")
@click.option("--away-s", default=20.0, show_default=True)
def main(
    *, pushes: int, seed: int, workers: int, shards: int, stop_node: str, start_node: str, away_s: float
) -> None:
    """Prove that a distributed database holds what one Postgres would."""
    if not CITUS_URL:
        raise click.UsageError("CITUS_URL is not set: the coordinator's URL, as a superuser")
    fault = Fault(stop_node, start_node, away_s) if stop_node else None
    began_s = time.monotonic()
    held = asyncio.run(_main(pushes, seed, workers, shards, fault))
    print(f"{'proved' if held else 'ROWS DIFFER'} after {time.monotonic() - began_s:.0f} s")
    sys.exit(0 if held else 1)


if __name__ == "__main__":
    main()
