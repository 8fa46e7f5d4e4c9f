"""`tccc audit` and `tccc rewind`, on real Kafka and Postgres: what is lost is named, and comes back."""

from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from typing import Any

import asyncpg
import pytest
from aiokafka import TopicPartition
from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.admin.records_to_delete import RecordsToDelete
from msgspec.structs import replace

from runtime.topics import ensure_topics
from schemas.envelope import push_headers
from schemas.settings import Settings
from tests.databases import CITUS_URL
from tests.pipeline import Database, cdr, now_us, produce, tccc
from tests.processes import running

Until = Callable[..., Awaitable[Any]]
POISON = ("poison", push_headers(b"cdr", b"1", b"poison", now_us()), b"not json")


async def work_off(settings: Settings, eventually: Until, count: int) -> None:
    """Have a worker settle so many records, and leave."""
    async with running("worker", settings) as worker:
        await eventually(lambda: Database(settings).has_settled(count))
        assert await worker.stop() == 0


async def test_even_then_in_flight_then_missing_then_rewound(settings: Settings, eventually: Until) -> None:
    at_us = now_us()
    await produce(settings, [*(cdr(n, at_us=at_us) for n in range(300)), POISON])
    await work_off(settings, eventually, 301)
    even = await tccc(settings, "audit", "--json")
    assert (even.status, even.result["applied"], even.result["dead"]) == (0, 300, 1)
    assert even.result["missing"] == even.result["in_flight"] == 0

    await produce(settings, [cdr(n, at_us=at_us) for n in range(300, 310)])
    waiting = await tccc(settings, "audit", "--json")
    assert (waiting.status, waiting.result["in_flight"]) == (0, 10)
    assert sum(partition["in_flight"] for partition in waiting.result["partitions"]) == 10

    await _restored_database_is_found_out_and_mended(settings, eventually)


async def _restored_database_is_found_out_and_mended(settings: Settings, eventually: Until) -> None:
    """A restore takes rows and ledger back to a moment; here: all that was settled after the first 100."""
    database = Database(settings)
    cut = (await database.fetch("SELECT settled_at::text FROM tccc.push ORDER BY settled_at OFFSET 100"))[0][
        0
    ]
    lost = await database.fetch(f"SELECT push_id FROM tccc.push WHERE settled_at >= '{cut}'")
    await database.execute(
        f"WITH gone AS (DELETE FROM tccc.push WHERE settled_at >= '{cut}' RETURNING session_id)"
        " DELETE FROM tccc.call USING gone WHERE call.session_id = gone.session_id"
    )
    found = await tccc(settings, "audit", "--json")
    assert (found.status, found.result["missing"]) == (3, len(lost))
    named = sum(
        gap["last"] - gap["first"] + 1
        for partition in found.result["partitions"]
        for gap in partition["gaps"]
    )
    assert named == len(lost)
    shown = await tccc(settings, "audit")
    assert shown.status == 3
    assert f"{len(lost)} missing" in shown.out
    assert found.result["rewind_to"] in shown.out

    planned = await tccc(settings, "rewind", "--to", found.result["rewind_to"], "--dry-run", "--json")
    assert planned.status == 0
    assert (await tccc(settings, "audit")).status == 3

    done = await tccc(settings, "rewind", "--to", found.result["rewind_to"])
    assert done.status == 0, done.err
    async with running("worker", settings) as worker:
        await eventually(worker.ready)
        refused = await tccc(settings, "rewind", "--to", "earliest")
        assert refused.status == 1
        assert "stop all workers" in refused.err
        await eventually(lambda: database.has_settled(311))
        assert await worker.stop() == 0
    after = await tccc(settings, "audit", "--json")
    assert (after.status, after.result["settled"], after.result["missing"]) == (0, 311, 0)
    assert await database.count("call") == 310


@pytest.mark.skipif(bool(CITUS_URL), reason="a cluster is copied node by node")
async def test_restore_from_a_copy_of_the_database(
    settings: Settings, postgres_url: str, eventually: Until
) -> None:
    at_us = now_us()
    await produce(settings, [cdr(n, at_us=at_us) for n in range(100)])
    await work_off(settings, eventually, 100)
    name = settings.database_url.rpartition("/")[2].partition("?")[0]
    copy = f"{name}_copy"
    restored = replace(settings, database_url=settings.database_url.replace(name, copy))
    server = await asyncpg.connect(postgres_url)
    try:
        await server.execute(f"CREATE DATABASE {copy} TEMPLATE {name}")
        before_us = now_us()
        await produce(settings, [cdr(n, at_us=at_us) for n in range(100, 200)])
        await work_off(settings, eventually, 200)

        assert (await tccc(restored, "audit", "--json")).result["missing"] == 100
        stamp = datetime.fromtimestamp(before_us / 1e6, tz=UTC).isoformat()
        assert (await tccc(restored, "rewind", "--to", stamp)).status == 0
        await work_off(restored, eventually, 200)
        audit = await tccc(restored, "audit", "--json")
        assert (audit.status, audit.result["applied"]) == (0, 200)
    finally:
        await server.execute(f"DROP DATABASE IF EXISTS {copy} WITH (FORCE)")
        await server.close()


async def test_deleted_doubled_and_letterless(settings: Settings, eventually: Until) -> None:
    database = Database(settings)
    at_us = now_us()
    await produce(settings, [cdr(n, at_us=at_us) for n in range(40)], partition=0)
    await _delete_before(settings, partition=0, offset=10)
    await produce(settings, [POISON], partition=1)
    await work_off(settings, eventually, 31)
    deleted = await tccc(settings, "audit", "--json")
    assert (deleted.status, deleted.result["missing"], deleted.result["deleted"]) == (3, 10, 10)
    assert deleted.result["partitions"][0]["gaps"] == [{"first": 0, "last": 9}]
    assert deleted.result["rewind_to"] is None

    columns = "push_id, action, session_id, kafka_partition, kafka_offset"
    await database.execute(
        f"INSERT INTO tccc.push ({columns}, outcome, received_at) SELECT {columns}, 'applied', received_at"
        " + interval '1 ms' FROM tccc.push WHERE kafka_offset = 20"
    )
    await database.execute("UPDATE tccc.push SET outcome = 'dead' WHERE kafka_offset = 30")
    await database.execute("DELETE FROM tccc.push WHERE kafka_offset IN (15, 25)")
    audit = await tccc(settings, "audit", "--json")
    assert audit.status == 3
    partition = audit.result["partitions"][0]
    assert partition["gaps"] == [
        {"first": 0, "last": 9},
        {"first": 15, "last": 15},
        {"first": 25, "last": 25},
    ]
    assert partition["doubled"] == [{"first": 20, "last": 20}]
    assert partition["dead_without_letter"] == [{"first": 30, "last": 30}]
    assert audit.result["rewind_to"] == "0:15"
    later = await tccc(settings, "audit", "--from", "2999-01-01", "--json")
    assert (later.status, later.result["settled"]) == (0, 0)
    until_now = await tccc(settings, "audit", "--to", "2999-01-01T00:00:00+08:00", "--json")
    assert (until_now.status, until_now.result["missing"]) == (3, 12)


async def test_topic_made_anew_is_not_mixed_up_with_the_old_one(
    settings: Settings, eventually: Until
) -> None:
    await produce(settings, [cdr(n, at_us=now_us()) for n in range(20)], partition=0)
    await work_off(settings, eventually, 20)
    await _recreate(settings)
    at_us = now_us()
    await produce(settings, [cdr(100 + n, at_us=at_us) for n in range(5)], partition=0)
    waiting = await tccc(settings, "audit", "--json")
    assert (waiting.status, waiting.result["in_flight"], waiting.result["applied"]) == (0, 5, 0)

    await work_off(settings, eventually, 25)
    audit = await tccc(settings, "audit", "--json")
    assert (audit.status, audit.result["applied"], audit.result["doubled"]) == (0, 5, 0)


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["rewind", "--to", "0:99"], "99 is not among them"),
        (["rewind", "--to", "77:0"], "no partition 77"),
    ],
)
async def test_rewind_refuses_what_is_not_there(settings: Settings, words: list[str], message: str) -> None:
    ran = await tccc(settings, *words)
    assert ran.status == 1
    assert message in ran.err


async def test_what_cannot_be_reached_is_said(settings: Settings) -> None:
    away = await tccc(replace(settings, database_url="postgresql://nobody@127.0.0.1:1/none"), "audit")
    assert away.status == 1
    assert "DatabaseAway" not in away.err
    missing = await tccc(replace(settings, kafka_topic="no-such-topic"), "audit")
    assert (missing.status, "tccc topics" in missing.err) == (1, True)
    assert (await tccc(settings, "rewind", "--to", "yesterday")).status == 2


async def _delete_before(settings: Settings, *, partition: int, offset: int) -> None:
    admin = AIOKafkaAdminClient(bootstrap_servers=settings.kafka_bootstrap)
    await admin.start()
    try:
        place = TopicPartition(settings.kafka_topic, partition)
        await admin.delete_records({place: RecordsToDelete(before_offset=offset)})
    finally:
        await admin.close()


async def _recreate(settings: Settings) -> None:
    admin = AIOKafkaAdminClient(bootstrap_servers=settings.kafka_bootstrap)
    await admin.start()
    try:
        await admin.delete_topics([settings.kafka_topic])
        while settings.kafka_topic in await admin.list_topics():
            pass
    finally:
        await admin.close()
    await ensure_topics(settings)
