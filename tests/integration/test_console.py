"""The everyday verbs on real services: what they say when all is well, and in words when something is not."""

import asyncio
import uuid
from collections.abc import Awaitable, Callable, Iterator
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from aiokafka import AIOKafkaProducer
from aiokafka.admin import AIOKafkaAdminClient
from msgspec.structs import replace

from console.status import database
from console.status.facts import RowCount
from console.visits.brokers import visiting
from deploy.local.broker import Broker, Node
from deploy.local.install import install_kafka
from deploy.local.kafka import new_cluster_id
from deploy.local.ports import free_port
from runtime.topics import ensure_topics
from schemas.settings import Settings
from tests.commands import Ran, shell, tccc
from tests.databases import CITUS_URL
from tests.processes import environment, running
from tests.records import payload
from tests.services import execute
from worker.migrate import migrations

Until = Callable[..., Awaitable[Any]]
NEWEST = migrations()[-1].version
NAMES = [migration.name for migration in migrations()]
NOWHERE = "127.0.0.1:1"
FORGOTTEN = f"forgotten-{uuid.uuid4().hex}"


async def test_migrate_applies_what_is_missing_and_may_be_repeated(empty_database_url: str) -> None:
    environ = {"TCCC_DATABASE_URL": empty_database_url}
    would = await tccc("migrate", "--dry-run", "--json", environ=environ)
    assert would.json == {"applied": NAMES, "version": 0, "roles_missing": [], "dry_run": True}
    assert await tccc("migrate", environ=environ) == (0, "".join(f"applied {name}\n" for name in NAMES), "")
    assert await tccc("migrate", environ=environ) == (0, f"up to date (version {NEWEST})\n", "")
    again = await tccc("migrate", "--json", environ=environ)
    assert again.json == {"applied": [], "version": NEWEST, "roles_missing": [], "dry_run": False}


@pytest.mark.skipif(bool(CITUS_URL), reason="a cluster is what it asks for")
async def test_distributing_needs_a_cluster(database_url: str) -> None:
    environ = {"TCCC_DATABASE_URL": database_url}
    for words in (("--citus",), ("--citus", "--dry-run")):
        status, out, err = await tccc("migrate", *words, environ=environ)
        assert (status, out) == (1, "")
        assert err.startswith("tccc: this database has no Citus: run CREATE EXTENSION citus")
    assert await tccc("migrate", "--no-citus", environ=environ) == (0, f"up to date (version {NEWEST})\n", "")


async def test_two_migrations_at_once_apply_each_file_once(empty_database_url: str) -> None:
    environ = environment(Settings(database_url=empty_database_url))
    both = await asyncio.gather(*[shell("migrate", environ=environ) for _ in range(2)])
    assert sorted(both) == [
        (0, "".join(f"applied {name}\n" for name in NAMES), ""),
        (0, f"up to date (version {NEWEST})\n", ""),
    ]


async def test_topics_are_created_once_and_differences_told(topics: Settings) -> None:
    fresh = replace(
        topics, kafka_topic=topics.kafka_topic + "-2", kafka_dead_topic=topics.kafka_dead_topic + "-2"
    )
    environ = environment(fresh)
    missing = await tccc("topics", "--dry-run", "--json", environ=environ)
    assert missing.status == 3
    assert [topic["state"] for topic in missing.json["topics"]] == ["missing", "missing"]
    created = await tccc("topics", "--json", environ=environ)
    assert created.status == 0
    assert [(topic["state"], topic["partitions"]) for topic in created.json["topics"]] == [("created", 6)] * 2
    checked = await tccc("topics", environ=environ)
    assert (checked.status, checked.err) == (0, "")
    assert "7 days" in checked.out
    assert "30 days" in checked.out
    for argv in (["topics"], ["topics", "--dry-run"]):
        other = await tccc(*argv, environ=environ | {"TCCC_TOPIC_PARTITIONS": "7"})
        assert other.status == 3
        assert f"warning: {fresh.kafka_topic}: partitions is 6, by the settings 7\n" in other.err


@pytest.fixture
def obliging_kafka(tmp_path: Path) -> Iterator[str]:
    """A broker as Kafka's own defaults have it: it makes a topic that somebody asks for by its name."""
    ports: list[int] = []
    for _ in range(3):
        ports.append(free_port(taken=ports))
    client, internal, controller = ports
    node = Node(0, client, internal, controller, client)
    overrides = {"auto.create.topics.enable": "true"}
    runtime = install_kafka(heap_mb=256)
    broker = Broker(tmp_path / "broker", node, [node], runtime, new_cluster_id(), overrides=overrides)
    broker.spawn()
    try:
        broker.wait_ready(90.0)
        yield f"127.0.0.1:{client}"
    finally:
        broker.stop(timeout_s=20.0)


@pytest.mark.own_services("needs a broker that creates topics by itself")
async def test_looking_at_topics_creates_none(obliging_kafka: str) -> None:
    environ = environment(Settings(kafka_bootstrap=obliging_kafka))
    for verb in ("doctor", "status"):
        await tccc(verb, environ=environ)
    looked = await tccc("topics", "--dry-run", "--json", environ=environ)
    assert [topic["state"] for topic in looked.json["topics"]] == ["missing", "missing"]
    created = await tccc("topics", environ=environ)
    assert (created.status, created.err) == (0, "")


class ForgetfulAdmin(AIOKafkaAdminClient):
    """Who asks next asks a broker that does not know the topic, as one that has not heard of it yet."""

    async def describe_topics(self, topics: list[str] | None = None) -> list[Any]:
        found = await super().describe_topics(topics)
        await self.delete_topics([FORGOTTEN])
        while FORGOTTEN in await self.list_topics():
            await asyncio.sleep(0.05)
        return found


async def test_a_topic_that_not_all_brokers_know_yet_is_missing(
    topics: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    await ensure_topics(replace(topics, kafka_topic=FORGOTTEN))
    monkeypatch.setattr("console.visits.brokers.AIOKafkaAdminClient", ForgetfulAdmin)
    async with visiting(topics) as brokers:
        assert await brokers.topic(FORGOTTEN) is None


async def test_topics_says_why_it_cannot_create(topics: Settings) -> None:
    fresh = replace(topics, kafka_topic=topics.kafka_topic + "-2", topic_replication=9)
    refused = await tccc("topics", environ=environment(fresh))
    assert refused.status == 1
    assert f"tccc: topic {fresh.kafka_topic} cannot be created" in refused.err


async def test_status_and_doctor_of_a_working_pipeline(settings: Settings, eventually: Until) -> None:
    async with running("receiver", settings) as receiver, running("worker", settings) as worker:
        for role in (receiver, worker):
            await eventually(role.ready)
        push_url = (await receiver.event("started"))["push"]
        await _push(push_url, "action=cdr&version=1", payload("cdr-outbound"))
        await _push(push_url, "action=cdr&version=1", payload("cdr-outbound"))
        await _push(push_url, "action=cdr&version=1", b"{", taken=False)
        where = [
            *("--receiver-admin", (await receiver.event("started"))["admin"]),
            *("--worker-admin", (await worker.event("started"))["admin"]),
        ]

        async def settled() -> Ran | None:
            ran = await tccc("status", "--json", *where, environ=environment(settings))
            settled_now = ran.status == 0 and ran.json["ledger"]["last_hour"] == {
                "applied": 1,
                "duplicate": 1,
            }
            caught_up = settled_now and ran.json["lag"]["records"] == 0
            return ran if caught_up and ran.json["workers"][0]["partitions"] else None

        status = (await eventually(settled)).json
        _assert_settled(status, where)
        screen = await tccc("status", *where, environ=environment(settings))
        doctor = await tccc("doctor", *where, environ=environment(settings))
    assert screen.status == 0
    for expected in ("Receivers", "Workers", "Lag 0", "reconciled until", "—", "not-json 1", "duplicate 1"):
        assert expected in screen.out
    assert "\x1b" not in screen.out
    assert doctor.status == 0, doctor.out
    assert "0 failed" in doctor.out


async def _push(push_url: str, query: str, body: bytes, *, taken: bool = True) -> None:
    async with aiohttp.ClientSession() as session, session.post(f"{push_url}?{query}", data=body) as answer:
        assert (answer.status == 200) is taken


def _assert_settled(status: dict[str, Any], where: list[str]) -> None:
    worker_url = where[-1]
    assert status["away"] == []
    assert status["receivers"][0]["ready"] is True
    assert sum(status["receivers"][0]["pushes"].values()) == 3
    assert status["workers"][0]["partitions"] == list(range(6))
    assert status["workers"][0]["pushes"] == {"applied": 1, "duplicate": 1}
    assert status["lag"]["records"] == 0
    assert status["lag"]["group"]["members"] == 1
    assert {partition["owner"] for partition in status["lag"]["partitions"]} == {worker_url}
    assert sum(partition["end_offset"] for partition in status["lag"]["partitions"]) == 2
    assert status["rows"]["call"] == {"rows": 1, "exact": True}
    assert status["rows"]["push"] == {"rows": 2, "exact": True}
    assert status["ledger"]["newest_age_s"] < 60
    assert status["dead_letters"] == {"records": 1, "last_day": 1, "by_reason": {"not-json": 1}}
    assert status["spool"] | {"bytes": 0} == {"records": 0, "bytes": 0, "oldest_s": None}
    assert status["schema_version"] == NEWEST
    assert status["reconciled_until"] is None
    assert status["pids"] is None


async def test_lag_is_right_without_any_worker(settings: Settings) -> None:
    producer = AIOKafkaProducer(bootstrap_servers=settings.kafka_bootstrap, acks="all")
    await producer.start()
    try:
        for partition in (0, 0, 0, 4):
            await producer.send_and_wait(settings.kafka_topic, b"{}", partition=partition)
    finally:
        await producer.stop()
    ran = await tccc("status", "--json", "--worker-admin", f"http://{NOWHERE}", environ=environment(settings))
    assert ran.status == 1
    assert [away["part"] for away in ran.json["away"]] == [f"worker http://{NOWHERE}"]
    assert ran.json["lag"]["records"] == 4
    assert [partition["lag_records"] for partition in ran.json["lag"]["partitions"]] == [3, 0, 0, 0, 1, 0]
    assert {partition["owner"] for partition in ran.json["lag"]["partitions"]} == {None}


async def test_large_tables_are_estimated(database_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    await execute(
        database_url,
        """
        INSERT INTO tccc.push (push_id, action, session_id, received_at, kafka_partition, kafka_offset, outcome)
        SELECT n, 'cdr', n, now() - CASE WHEN n > 3600 THEN interval '2 hours' ELSE '1 minute' END, n % 3, n,
               CASE n % 4 WHEN 0 THEN 'stale' ELSE 'applied' END
        FROM generate_series(1, 20000) AS n;
        ANALYZE tccc.push;
        """,
    )
    exact = await database.ledger(Settings(database_url=database_url))
    assert exact.last_hour == {"applied": 2700, "stale": 900}
    assert exact.last_day == {"applied": 15000, "stale": 5000}
    assert exact.exact is True
    monkeypatch.setattr(database, "COUNTED_ROWS", 100)
    monkeypatch.setattr(database, "SAMPLED_ROWS", 10_000)
    tables = await database.tables(Settings(database_url=database_url))
    assert tables.rows["push"].exact is False
    assert tables.rows["push"].rows == pytest.approx(20_000, rel=0.1)
    assert tables.rows["call"] == RowCount(rows=0, exact=True)
    sampled = await database.ledger(Settings(database_url=database_url))
    assert sampled.exact is False
    assert sampled.last_day["applied"] == pytest.approx(15_000, rel=0.4)


async def test_what_is_away_is_told_and_the_rest_still_shown(settings: Settings) -> None:
    no_kafka = environment(replace(settings, kafka_bootstrap=NOWHERE))
    status = await tccc("status", "--json", environ=no_kafka)
    assert status.status == 1
    assert status.json["lag"] is None
    assert status.json["rows"]["call"] == {"rows": 0, "exact": True}
    assert {"lag", "dead letters"} <= {away["part"] for away in status.json["away"]}
    no_database = environment(replace(settings, database_url=f"postgresql://u:hunter2@{NOWHERE}/d"))
    screen = await tccc("status", environ=no_database)
    assert screen.status == 1
    assert "away: rows: the database d at 127.0.0.1:1 cannot be reached" in screen.out
    assert "Lag 0" in screen.out
    assert "hunter2" not in screen.out + screen.err
