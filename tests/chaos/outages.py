"""Outages that last, under load: `python -m tests.chaos.outages kafka|postgres|poison|restore`.

Each has its own Kafka and Postgres, prints what it measured, and accounts for every push at its end. Exit
status: 0 all held, 1 something did not.
"""

import argparse
import asyncio
import sys
import tempfile
import time
from pathlib import Path

import psutil
from msgspec import Struct

from schemas.settings import Settings
from tests.chaos.own_services import Services, audited, own_services, until
from tests.chaos.poison_topic import poison
from tests.pipeline import Database, tccc
from tests.processes import Role, running
from tests.services import execute


class Load(Struct, frozen=True):
    """What `tccc send --json` said."""

    sent: int
    taken: int
    refusals: dict[str, int]
    latency_ms: dict[str, float]

    def line(self) -> str:
        spread = ", ".join(f"{name} {value:.1f}" for name, value in self.latency_ms.items())
        return f"sent {self.sent}, taken {self.taken}, refused {self.refusals or 0}; ack in ms: {spread}"


async def kafka_outage(services: Services, *, seconds: int, rate: int) -> bool:
    """All brokers stopped under load: every push is taken, from the spool, and becomes a row afterwards."""
    settings, url = services.settings, ""
    async with running("receiver", settings) as receiver, running("worker", settings) as worker:
        await until(receiver.ready)
        await until(worker.ready)
        url = (await receiver.event("started"))["push"]
        calm = await _send(url, seconds=10, rate=rate, seed=1)
        print("calm    ", calm.line(), flush=True)
        before = _resident_mib(receiver)
        stopping = asyncio.create_task(asyncio.to_thread(services.kafka.stop))
        first = await _send(url, seconds=1, rate=rate, seed=2)
        await stopping
        away = await _send(url, seconds=seconds, rate=rate, seed=3)
        print("stopping", first.line())
        print("away    ", away.line(), flush=True)
        print(f"receiver resident, MiB: {before} before, {_resident_mib(receiver)} after")
        began = time.monotonic()
        await asyncio.to_thread(services.kafka.start)
        after = await _send(url, seconds=10, rate=rate, seed=4)
        print("back    ", after.line(), flush=True)
        sent = calm.taken + first.taken + away.taken + after.taken
        await until(lambda: Database(settings).has_settled(sent))
        await until(lambda: _spool_is_empty(receiver))
        print(
            f"spool drained and all settled {time.monotonic() - began:.0f} s after the brokers were started"
        )
        loads = (calm, first, away, after)
    even = await audited(settings)
    return even and all(load.taken == load.sent for load in loads) and away.latency_ms["p99"] < 20


async def postgres_outage(services: Services, *, seconds: int, rate: int) -> bool:
    """Postgres stopped under load: nothing is given up, nobody restarts, and the lag is made good."""
    settings = services.settings
    async with running("receiver", settings) as receiver, running("worker", settings) as worker:
        await until(receiver.ready)
        await until(worker.ready)
        url = (await receiver.event("started"))["push"]
        sending = asyncio.create_task(_send(url, seconds=seconds + 60, rate=rate, seed=1))
        await asyncio.sleep(10)
        await asyncio.to_thread(services.postgres.stop)
        await asyncio.sleep(seconds)
        await asyncio.to_thread(services.postgres.start)
        back = time.monotonic()
        await until(lambda: _newest_row_is_younger(settings, 2.0))
        fresh_s = time.monotonic() - back
        load = await sending
        print(load.line())
        print(f"push to row under 2 s again {fresh_s:.1f} s after Postgres was started")
        await until(lambda: Database(settings).has_settled(load.taken))
        alive = worker.process.returncode is None and receiver.process.returncode is None
        print(f"workers and receivers that ended: {0 if alive else 'some'}")
    outcomes = await Database(settings).outcomes()
    print("ledger:", outcomes)
    return await audited(settings) and alive and load.taken == load.sent and "dead" not in outcomes


async def restore(services: Services, *, seconds: int, rate: int) -> bool:
    """The database is set back to a copy of `seconds` ago, under load; audit names the gap, rewind closes it."""
    settings = services.settings
    admin_url = services.postgres.url
    name = settings.database_url.rpartition("/")[2]
    async with running("receiver", settings) as receiver:
        await until(receiver.ready)
        url = (await receiver.event("started"))["push"]
        sending = asyncio.create_task(_send(url, seconds=seconds + 40, rate=rate, seed=1))
        async with running("worker", settings) as worker:
            await until(worker.ready)
            await asyncio.sleep(10)
            assert await worker.stop() == 0
        await execute(admin_url, f"CREATE DATABASE {name}_copy TEMPLATE {name}")
        async with running("worker", settings) as worker:
            await asyncio.sleep(seconds)
            assert await worker.stop() == 0
        await execute(admin_url, f"DROP DATABASE {name} WITH (FORCE)")
        await execute(admin_url, f"ALTER DATABASE {name}_copy RENAME TO {name}")
        gap = await tccc(settings, "audit", "--json")
        told = gap.result
        print(f"audit after the restore: exit {gap.status}, rewind_to {told['rewind_to']}")
        rewound = await tccc(settings, "rewind", "--to", told["rewind_to"])
        print(f"rewind: exit {rewound.status}")
        async with running("worker", settings) as worker:
            load = await sending
            await until(lambda: Database(settings).has_settled(load.taken))
            print(load.line())
    return gap.status == 3 and await audited(settings) and load.taken == load.sent


async def _send(url: str, *, seconds: int, rate: int, seed: int) -> Load:
    words = ("send", "--url", url, "--rate", str(rate), "--count", str(seconds * rate), "--json")
    ran = await tccc(Settings(), *words, "--seed", str(seed), "--retries", "0", "--quirks", "0")
    told = ran.result
    return Load(told["sent"], told["taken"], told["refusals"], told["latency_ms"])


async def _newest_row_is_younger(settings: Settings, age_s: float) -> bool:
    query = "SELECT extract(epoch FROM clock_timestamp() - max(received_at))::float FROM tccc.push"
    age = (await Database(settings).fetch(query))[0][0]
    return age is not None and age < age_s


async def _spool_is_empty(receiver: Role) -> bool:
    _, metrics = await receiver.admin("/metrics")
    return "\ntccc_spool_records 0.0" in metrics


def _resident_mib(role: Role) -> int:
    return int(psutil.Process(role.process.pid).memory_info().rss) >> 20


async def _main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.chaos.outages", description=__doc__)
    parser.add_argument("what", choices=("kafka", "postgres", "poison", "restore"))
    parser.add_argument("--seconds", type=int, default=120)
    parser.add_argument("--rate", type=int, default=500)
    parser.add_argument("--records", type=int, default=10_000)
    given = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="tccc-outage-") as home:
        async with own_services(Path(home)) as services:
            if given.what == "poison":
                held = await poison(services, records=given.records)
            else:
                act = {"kafka": kafka_outage, "postgres": postgres_outage, "restore": restore}[given.what]
                held = await act(services, seconds=given.seconds, rate=given.rate)
    print("held" if held else "DID NOT HOLD")
    return 0 if held else 1


if __name__ == "__main__":
    sys.exit(asyncio.run(_main()))
