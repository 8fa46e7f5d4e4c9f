"""Workers as processes, on real Kafka and Postgres."""

import asyncio
import signal
from collections import Counter
from collections.abc import Awaitable, Callable, Sequence
from contextlib import AsyncExitStack
from itertools import chain
from typing import Any

import asyncpg
from msgspec.structs import replace

from schemas.envelope import push_headers
from schemas.settings import Settings
from tests.pipeline import Database, Sent, cdr, dead_letters, produce
from tests.processes import Role, running
from tests.records import T0_US

Until = Callable[..., Awaitable[Any]]


async def test_records_become_rows_and_poison_becomes_dead_letters(
    settings: Settings, eventually: Until
) -> None:
    database = Database(settings)
    poison: list[Sent] = [
        (None, push_headers(b"cdr", b"1", b"p1", T0_US), b"{}"),
        ("p2", push_headers(b"cdr", b"1", b"p2", T0_US), b"not json"),
        ("p3", push_headers(b"nonsense", b"1", b"p3", T0_US), b"{}"),
        ("p4", push_headers(b"cdr", b"1", b"p4", T0_US), b'{"a":' + b"[" * 300 + b"]" * 300 + b"}"),
        ("p5", push_headers(b"cdr", b"1", b"p5", T0_US), b'{"Caller":"refused"}'),
    ]
    await database.execute("ALTER TABLE tccc.call ADD CONSTRAINT c CHECK (caller <> 'refused')")
    await produce(settings, [cdr(n) for n in range(150)] + poison + [cdr(n) for n in range(150, 300)])
    async with running("worker", settings) as worker:
        await eventually(lambda: database.has_settled(305))
        assert await database.outcomes() == {"applied": 300, "dead": 5}
        letters = await dead_letters(settings)
        named = {letter.key: dict(letter.headers) for letter in letters}
        assert {key: (h["dead-stage"], h["dead-reason"]) for key, h in named.items()} == {
            None: (b"normalise", b"no-key"),
            b"p2": (b"normalise", b"not-json"),
            b"p3": (b"normalise", b"unknown-action"),
            b"p4": (b"normalise", b"too-deep"),
            b"p5": (b"store", b"refused-by-database"),
        }
        assert {letter.value for letter in letters} == {value for _, _, value in poison}
        for headers in named.values():
            assert headers["origin-topic"] == settings.kafka_topic.encode()
            assert {
                "origin-partition",
                "origin-offset",
                "dead-detail",
                "dead-at",
                "push-id",
            } <= headers.keys()
        status, metrics = await worker.admin("/metrics")
        assert status == 200
        assert 'tccc_worker_pushes_total{action="cdr",outcome="applied"} 300.0' in metrics
        assert await worker.stop() == 0
    await _starting_again_settles_nothing_anew(settings, database, eventually)


async def test_a_record_that_is_large_when_unpacked_is_given_up_like_any(
    settings: Settings, eventually: Until
) -> None:
    """Not of our receivers, which take no such body."""
    database = Database(settings)
    large = b"[" + b" " * (5 * 2**20) + b"]"
    poison: Sent = ("p1", push_headers(b"cdr", b"1", b"p1", T0_US), large)
    await produce(settings, [poison], compression_type="gzip", max_request_size=2 * len(large))
    await produce(settings, [cdr(0)])
    async with running("worker", settings):
        await eventually(lambda: database.has_settled(2))
    assert await database.outcomes() == {"applied": 1, "dead": 1}
    assert [letter.value for letter in await dead_letters(settings)] == [large]


async def _starting_again_settles_nothing_anew(
    settings: Settings, database: Database, eventually: Until
) -> None:
    """A group that lost its offsets gets every record again."""
    before = await database.fetch("SELECT * FROM tccc.push ORDER BY kafka_partition, kafka_offset")
    async with running("worker", replace(settings, kafka_group=settings.kafka_group + "-again")) as worker:
        await eventually(worker.ready)
        await produce(settings, [cdr(1000)])
        await eventually(lambda: database.has_settled(306))
    after = await database.fetch("SELECT * FROM tccc.push ORDER BY kafka_partition, kafka_offset")
    assert [row for row in after if row[0] != "u1000"] == before
    assert len(await dead_letters(settings)) == 5


async def test_an_outage_of_the_database_is_waited_out(
    settings: Settings, postgres_url: str, eventually: Until
) -> None:
    database = Database(settings)
    name = settings.database_url.rpartition("/")[2]
    admin = await asyncpg.connect(postgres_url)
    async with running("worker", replace(settings, stuck_s=5)) as worker:
        await produce(settings, [cdr(0)])
        await eventually(lambda: database.has_settled(1))
        await admin.execute(f"ALTER DATABASE {name} ALLOW_CONNECTIONS false")
        await admin.execute("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = $1", name)
        await produce(settings, [cdr(n) for n in range(1, 50)])
        await worker.event("cannot settle, waiting")
        assert (await worker.admin("/readyz"))[0] == 503
        assert (await worker.admin("/livez"))[0] == 200
        await admin.execute(f"ALTER DATABASE {name} ALLOW_CONNECTIONS true")
        await eventually(lambda: database.has_settled(50))
        await eventually(worker.ready)
        assert await database.outcomes() == {"applied": 50}
    await admin.close()
    assert await dead_letters(settings) == []


async def test_a_worker_does_not_drain_the_topic_into_dead_letters(
    settings: Settings, eventually: Until
) -> None:
    """Where most records would be given up, the fault is not theirs: it pauses until that is mended."""
    database = Database(settings)
    await database.execute("ALTER TABLE tccc.call ADD CONSTRAINT mistake CHECK (caller IS NULL) NOT VALID")
    await produce(settings, [cdr(n) for n in range(400)])
    async with running("worker", settings) as worker:
        paused = await worker.event("cannot settle, waiting")
        assert "TCCC_DEAD_MAX_RATIO" in paused["reason"]
        assert (await worker.admin("/readyz"))[0] == 503
        assert (await worker.admin("/livez"))[0] == 200
        given_up = len(await dead_letters(settings))
        assert given_up < 200
        await database.execute("ALTER TABLE tccc.call DROP CONSTRAINT mistake")
        await eventually(lambda: database.has_settled(400))
        await eventually(worker.ready)
    assert Counter(await database.outcomes()) == Counter(applied=400 - given_up, dead=given_up)


async def test_two_workers_share_the_partitions_and_lose_and_double_nothing(
    settings: Settings, eventually: Until
) -> None:
    database = Database(settings)
    settings = replace(settings, batch_records=50)
    async with AsyncExitStack() as stack:
        workers: list[Role] = [await stack.enter_async_context(running("worker", settings)) for _ in range(2)]
        for worker in workers:
            await eventually(worker.ready)
        await eventually(lambda: _shared(workers))
        feeding = asyncio.create_task(_feed(settings, 3000))
        await eventually(lambda: database.has_settled(500))
        assert await workers[0].stop() == 0
        await eventually(lambda: database.has_settled(1000))
        third = await stack.enter_async_context(running("worker", settings))
        await eventually(lambda: database.has_settled(1500))
        await workers[1].stop(signal.SIGKILL)
        await feeding
        await eventually(lambda: database.has_settled(3000), timeout_s=60)
        await eventually(third.ready)
    assert await database.outcomes() == {"applied": 3000}
    assert await database.count("call") == 3000


async def _feed(settings: Settings, count: int) -> None:
    for start in range(0, count, 100):
        await produce(
            settings, [cdr(n, ServeParticipants=[{"Sequence": 0}]) for n in range(start, start + 100)]
        )
        await asyncio.sleep(0.05)


async def _shared(workers: Sequence[Role]) -> bool:
    newest = [
        [line["partitions"] for line in worker.log if line.get("event") == "partitions assigned"][-1]
        for worker in workers
    ]
    return Counter(chain.from_iterable(newest)) == Counter(range(6)) and all(newest)
