"""Outages that last, under load: `python -m tests.chaos.outages kafka|postgres|poison|restore`.

Each has its own Kafka and Postgres, prints what it measured, and accounts for every push at its end. Exit
status: 0 all held, 1 something did not.
"""

import argparse
import asyncio
import random
import sys
import tempfile
import time
import uuid
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import asyncpg
import psutil
from msgspec import Struct
from msgspec.structs import replace

from deploy.local.kafka import LocalKafka
from deploy.local.postgres import LocalPostgres
from runtime.topics import ensure_topics
from schemas.envelope import push_headers
from schemas.settings import Settings
from tests.pipeline import Database, Sent, cdr, now_us, produce, tccc
from tests.processes import Role, running
from worker.migrate import migrate

BODY_SEED = 5
DRAIN_TIMEOUT_S = 600.0


class Services(Struct):
    """Kafka and Postgres of the run's own, with everything made on them."""

    kafka: LocalKafka
    postgres: LocalPostgres
    settings: Settings


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
        await _until(receiver.ready)
        await _until(worker.ready)
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
        await _until(lambda: Database(settings).has_settled(sent))
        await _until(lambda: _spool_is_empty(receiver))
        print(
            f"spool drained and all settled {time.monotonic() - began:.0f} s after the brokers were started"
        )
        loads = (calm, first, away, after)
    even = await _audited(settings)
    return even and all(load.taken == load.sent for load in loads) and away.latency_ms["p99"] < 20


async def postgres_outage(services: Services, *, seconds: int, rate: int) -> bool:
    """Postgres stopped under load: nothing is given up, nobody restarts, and the lag is made good."""
    settings = services.settings
    async with running("receiver", settings) as receiver, running("worker", settings) as worker:
        await _until(receiver.ready)
        await _until(worker.ready)
        url = (await receiver.event("started"))["push"]
        sending = asyncio.create_task(_send(url, seconds=seconds + 60, rate=rate, seed=1))
        await asyncio.sleep(10)
        await asyncio.to_thread(services.postgres.stop)
        await asyncio.sleep(seconds)
        await asyncio.to_thread(services.postgres.start)
        back = time.monotonic()
        await _until(lambda: _newest_row_is_younger(settings, 2.0))
        fresh_s = time.monotonic() - back
        load = await sending
        print(load.line())
        print(f"push to row under 2 s again {fresh_s:.1f} s after Postgres was started")
        await _until(lambda: Database(settings).has_settled(load.taken))
        alive = worker.process.returncode is None and receiver.process.returncode is None
        print(f"workers and receivers that ended: {0 if alive else 'some'}")
    outcomes = await Database(settings).outcomes()
    print("ledger:", outcomes)
    return await _audited(settings) and alive and load.taken == load.sent and "dead" not in outcomes


async def poison(services: Services, *, records: int) -> bool:
    """One record in a hundred is poison of ten kinds; the others are stored, at half the calm rate at least."""
    calm = await _timed(services, [cdr(n, at_us=now_us()) for n in range(records)], bad=0)
    print(f"clean:  {calm:.0f} records/s")
    settings = await _made_anew(services)
    database = Database(settings)
    await database.execute("ALTER TABLE tccc.call ADD CONSTRAINT mended_later CHECK (caller <> 'refused')")
    sent = _with_poison(records)
    poisoned = await _timed(replace_settings(services, settings), sent, bad=records // 100)
    outcomes = await database.outcomes()
    print(f"poison: {poisoned:.0f} records/s, {poisoned / calm:.2f} of it; ledger {outcomes}")
    listed = (await tccc(settings, "dead", "list", "--json")).result
    print("reasons:", _reasons(listed))
    await database.execute("ALTER TABLE tccc.call DROP CONSTRAINT mended_later")
    async with running("worker", settings) as worker:
        await _until(worker.ready)
        replayed = await tccc(
            settings, "dead", "replay", "--reason", "refused-by-database", "--yes", "--json"
        )
        print("replay: ", replayed.out.strip())
        refused = records // 1000
        await _until(lambda: database.has_settled(records + refused))
        again = await tccc(settings, "dead", "replay", "--reason", "refused-by-database", "--yes", "--json")
        print("again:  ", again.out.strip())
    settled = await database.outcomes()
    print("ledger: ", settled)
    expected = {"applied": records - records // 100 + refused, "dead": records // 100}
    return settled == expected and poisoned >= calm / 2 and await _audited(settings)


async def restore(services: Services, *, seconds: int, rate: int) -> bool:
    """The database is set back to a copy of `seconds` ago, under load; audit names the gap, rewind closes it."""
    settings = services.settings
    admin_url = services.postgres.url
    name = settings.database_url.rpartition("/")[2]
    async with running("receiver", settings) as receiver:
        await _until(receiver.ready)
        url = (await receiver.event("started"))["push"]
        sending = asyncio.create_task(_send(url, seconds=seconds + 40, rate=rate, seed=1))
        async with running("worker", settings) as worker:
            await _until(worker.ready)
            await asyncio.sleep(10)
            assert await worker.stop() == 0
        await _execute(admin_url, f"CREATE DATABASE {name}_copy TEMPLATE {name}")
        async with running("worker", settings) as worker:
            await asyncio.sleep(seconds)
            assert await worker.stop() == 0
        await _execute(admin_url, f"DROP DATABASE {name} WITH (FORCE)")
        await _execute(admin_url, f"ALTER DATABASE {name}_copy RENAME TO {name}")
        gap = await tccc(settings, "audit", "--json")
        told = gap.result
        print(f"audit after the restore: exit {gap.status}, rewind_to {told['rewind_to']}")
        rewound = await tccc(settings, "rewind", "--to", told["rewind_to"])
        print(f"rewind: exit {rewound.status}")
        async with running("worker", settings) as worker:
            load = await sending
            await _until(lambda: Database(settings).has_settled(load.taken))
            print(load.line())
    return gap.status == 3 and await _audited(settings) and load.taken == load.sent


KINDS: tuple[Callable[[str], Sent], ...] = (
    lambda s: (s, push_headers(b"cdr", b"1", s.encode(), now_us()), b"not json"),
    lambda s: (s, push_headers(b"cdr", b"1", s.encode(), now_us()), b""),
    lambda s: (s, push_headers(b"cdr", b"1", s.encode(), now_us()), b"[]"),
    lambda s: (s, push_headers(b"cdr", b"1", s.encode(), now_us()), b'{"a":NaN}'),
    lambda s: (s, push_headers(b"cdr", b"1", s.encode(), now_us()), b'{"a":"\xff"}'),
    lambda s: (
        s,
        push_headers(b"cdr", b"1", s.encode(), now_us()),
        b'{"a":' + b"[" * 300 + b"]" * 300 + b"}",
    ),
    lambda s: (s, push_headers(b"nonsense", b"1", s.encode(), now_us()), b"{}"),
    lambda s: (s, [("push-id", s.encode())], b"{}"),
    lambda s: (None, push_headers(b"cdr", b"1", s.encode(), now_us()), b"{}"),
    lambda s: (s, push_headers(b"cdr", b"1", s.encode(), now_us()), b'{"Caller":"refused"}'),
)


def _with_poison(records: int) -> list[Sent]:
    """Shuffled: of each hundred records one is poison, all kinds in turn."""
    sent = [cdr(n, at_us=now_us()) for n in range(records - records // 100)]
    sent += [KINDS[n % len(KINDS)](f"poison-{n}") for n in range(records // 100)]
    random.Random(BODY_SEED).shuffle(sent)
    return sent


async def _timed(services: Services, sent: list[Sent], *, bad: int) -> float:
    """Produce, then let one worker settle it all; returns records a second, from the first to the last."""
    settings = services.settings
    await produce(settings, sent)
    database = Database(settings)
    async with running("worker", settings) as worker:
        await _until(lambda: database.has_settled(1))
        first, began = await database.count("push"), time.monotonic()
        await _until(lambda: database.has_settled(len(sent)), poll_s=0.02)
        took_s = time.monotonic() - began
        assert await worker.stop() == 0
    assert (await database.outcomes()).get("dead", 0) == bad
    return (len(sent) - first) / took_s


def _reasons(listed: Any) -> dict[str, int]:
    counts: dict[str, int] = {}
    for letter in listed["letters"]:
        counts[letter["reason"]] = counts.get(letter["reason"], 0) + len(letter["letters"])
    return counts


def replace_settings(services: Services, settings: Settings) -> Services:
    return Services(services.kafka, services.postgres, settings)


async def _send(url: str, *, seconds: int, rate: int, seed: int) -> Load:
    words = ("send", "--url", url, "--rate", str(rate), "--count", str(seconds * rate), "--json")
    ran = await tccc(Settings(), *words, "--seed", str(seed), "--retries", "0", "--quirks", "0")
    told = ran.result
    return Load(told["sent"], told["taken"], told["refusals"], told["latency_ms"])


async def _audited(settings: Settings) -> bool:
    ran = await tccc(settings, "audit")
    print("\n".join(ran.out.strip().splitlines()[-2:]), f"(audit exits {ran.status})")
    return ran.status == 0


async def _newest_row_is_younger(settings: Settings, age_s: float) -> bool:
    query = "SELECT extract(epoch FROM clock_timestamp() - max(received_at))::float FROM tccc.push"
    age = (await Database(settings).fetch(query))[0][0]
    return age is not None and age < age_s


async def _spool_is_empty(receiver: Role) -> bool:
    _, metrics = await receiver.admin("/metrics")
    return "\ntccc_spool_records 0.0" in metrics


def _resident_mib(role: Role) -> int:
    return int(psutil.Process(role.process.pid).memory_info().rss) >> 20


async def _until(condition: Callable[[], Awaitable[object]], *, poll_s: float = 0.1) -> None:
    async with asyncio.timeout(DRAIN_TIMEOUT_S):
        while not await condition():
            await asyncio.sleep(poll_s)


async def _execute(url: str, statement: str) -> None:
    connection = await asyncpg.connect(url)
    try:
        await connection.execute(statement)
    finally:
        await connection.close()


async def _made_anew(services: Services) -> Settings:
    """Topics, group and database that are empty."""
    unique = uuid.uuid4().hex[:12]
    url = services.postgres.url
    await _execute(url, f"CREATE DATABASE outage_{unique}")
    settings = replace(
        services.settings,
        kafka_topic=f"push-{unique}",
        kafka_dead_topic=f"dead-{unique}",
        kafka_group=f"group-{unique}",
        database_url=f"{url.rpartition('/')[0]}/outage_{unique}",
    )
    await migrate(settings.database_url)
    await ensure_topics(settings)
    return settings


@asynccontextmanager
async def _services(home: Path) -> AsyncIterator[Services]:
    postgres, kafka = LocalPostgres(home / "postgres"), LocalKafka(home / "kafka")
    try:
        postgres.start()
        kafka.start()
        services = Services(
            kafka,
            postgres,
            Settings(
                kafka_bootstrap=kafka.bootstrap,
                listen="127.0.0.1:0",
                admin_listen="127.0.0.1:0",
                drain_s=0,
                spool_dir=str(home / "spool"),
            ),
        )
        services.settings = await _made_anew(services)
        yield services
    finally:
        kafka.stop()
        postgres.stop()


async def _main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.chaos.outages", description=__doc__)
    parser.add_argument("what", choices=("kafka", "postgres", "poison", "restore"))
    parser.add_argument("--seconds", type=int, default=120)
    parser.add_argument("--rate", type=int, default=500)
    parser.add_argument("--records", type=int, default=10_000)
    given = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="tccc-outage-") as home:
        async with _services(Path(home)) as services:
            if given.what == "poison":
                held = await poison(services, records=given.records)
            else:
                act = {"kafka": kafka_outage, "postgres": postgres_outage, "restore": restore}[given.what]
                held = await act(services, seconds=given.seconds, rate=given.rate)
    print("held" if held else "DID NOT HOLD")
    return 0 if held else 1


if __name__ == "__main__":
    sys.exit(asyncio.run(_main()))
