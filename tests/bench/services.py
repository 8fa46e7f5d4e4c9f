"""A Kafka and a Postgres of the run's own: topics filled with pushes, a migrated database, and their counters."""

import asyncio
import os
import time
import uuid
from collections.abc import AsyncIterator, Iterable, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import asyncpg
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient
from msgspec import Struct
from msgspec.structs import replace

from deploy.local.kafka import LocalKafka
from deploy.local.postgres import LocalPostgres
from receiver.partitioning import partition_of
from runtime.topics import ensure_topics
from schemas.envelope import TRACEPARENT, push_headers
from schemas.settings import Settings
from tests.bench.bodies import bodies
from tests.bench.counters import cpu_s
from worker.migrate import migrate

BASIC_USER, BASIC_PASSWORD = "tccc", "bench-password"
_SESSION = b'"SessionId":"'
_BATCH_BYTES = 256 * 1024
# As docs/scaling.md recommends for a machine of this size, but for lz4, which this build does not have.
_PRODUCTION = {
    "shared_buffers": "6GB",
    "max_wal_size": "16GB",
    "checkpoint_timeout": "30min",
    "wal_compression": "off",
}

# As Kafka's own start scripts have it: kafka-run-class.sh, and for the heap kafka-server-start.sh.
_KAFKA_HEAP_MB = 1024
_KAFKA_COLLECTOR = (
    "-server",
    f"-Xms{_KAFKA_HEAP_MB}m",
    "-XX:+UseG1GC",
    "-XX:MaxGCPauseMillis=20",
    "-XX:InitiatingHeapOccupancyPercent=35",
    "-XX:+ExplicitGCInvokesConcurrent",
)


class Filled(Struct, frozen=True):
    """A topic with pushes in it; `last_sessions` are those at the end of each partition."""

    topic: str
    records: int
    last_sessions: list[str]


class Services:
    def __init__(self, home: Path, kafka: LocalKafka, postgres: LocalPostgres) -> None:
        self.home = home
        self.kafka = kafka
        self.postgres = postgres
        self.settings = Settings(
            kafka_bootstrap=kafka.bootstrap,
            database_url=postgres.url,
            drain_s=0,
            log_format="json",
            log_level="warning",
        )

    def kafka_cpu_s(self) -> float:
        return cpu_s(self.kafka.pids)

    def postgres_cpu_s(self) -> float:
        return cpu_s([self.postgres.pid] if self.postgres.pid else [])

    async def make_topic(self, partitions: int = 6) -> str:
        """A topic as the project makes it, under a name of its own; its dead letters' topic is beside it."""
        topic = f"bench-{uuid.uuid4().hex[:12]}"
        await ensure_topics(self.on_topic(topic, partitions))
        return topic

    def on_topic(self, topic: str, partitions: int = 6, **more: Any) -> Settings:
        """Settings for a role on this topic; everything of a role that could clash is its own."""
        unique: dict[str, Any] = {
            "kafka_topic": topic,
            "kafka_dead_topic": f"{topic}.dead",
            "kafka_group": f"group-{uuid.uuid4().hex[:12]}",
            "topic_partitions": partitions,
            "spool_dir": str(self.home / f"spool-{uuid.uuid4().hex[:8]}"),
        }
        return replace(self.settings, **(unique | more))

    async def drop_topics(self, topics: Iterable[str]) -> None:
        async with _admin(self.kafka.bootstrap) as admin:
            await admin.delete_topics([name for topic in topics for name in (topic, f"{topic}.dead")])

    async def end_offsets(self, topic: str) -> int:
        """How many records a topic has taken."""
        consumer = AIOKafkaConsumer(topic, bootstrap_servers=self.kafka.bootstrap)
        await consumer.start()
        try:
            partitions = [TopicPartition(topic, n) for n in consumer.partitions_for_topic(topic) or ()]
            return sum((await consumer.end_offsets(partitions)).values())
        finally:
            await consumer.stop()

    async def group_members(self, group: str) -> int:
        """How many members a group has that is stable; 0 while it is not."""
        async with _admin(self.kafka.bootstrap) as admin:
            answer: Any = (await admin.describe_consumer_groups([group]))[0]
        described = answer.groups[0]  # (error, group, state, protocol type, protocol, members, …)
        return len(described[5]) if described[2] == "Stable" else 0

    async def fill(self, records: int, *, partitions: int = 6, seed: int = 7, traced: bool = False) -> Filled:
        """Put pushes into a fresh topic as the receiver would: by key, with its headers."""
        topic = await self.make_topic(partitions)
        last: dict[int, str] = {}
        producer = AIOKafkaProducer(
            bootstrap_servers=self.kafka.bootstrap, acks="all", linger_ms=5, max_batch_size=_BATCH_BYTES
        )
        await producer.start()
        try:
            sent: list[asyncio.Future[object]] = []
            for number, body in enumerate(bodies(records, seed)):
                session = _session_of(body)
                partition = partition_of(session, partitions)
                last[partition] = session.decode()
                headers = push_headers(b"cdr", b"1", b"bench-%d-%d" % (seed, number), time.time_ns() // 1000)
                if traced:
                    headers.append(
                        (TRACEPARENT, f"00-{os.urandom(16).hex()}-{os.urandom(8).hex()}-01".encode())
                    )
                sent.append(await producer.send(topic, body, session, partition, headers=headers))
                if len(sent) == 2000:
                    await asyncio.gather(*sent)
                    sent.clear()
            await asyncio.gather(*sent)
        finally:
            await producer.stop()
        return Filled(topic=topic, records=records, last_sessions=list(last.values()))


@asynccontextmanager
async def started(home: Path, *, fast: bool = False) -> AsyncIterator[Services]:
    """Both, durable unless `fast`; commits have times of their own, by which push-to-row is measured."""
    kafka, postgres = (
        LocalKafka(home / "kafka", heap_mb=_KAFKA_HEAP_MB, collector=_KAFKA_COLLECTOR),
        LocalPostgres(home / "postgres", fast=fast, settings=_PRODUCTION),
    )
    try:
        postgres.start()
        await execute(postgres.url, "ALTER SYSTEM SET track_commit_timestamp = on")
        postgres.stop()
        postgres.spawn()
        kafka.start()
        postgres.wait_ready()
        await migrate(postgres.url)
        yield Services(home, kafka, postgres)
    finally:
        kafka.stop()
        postgres.stop()


@asynccontextmanager
async def database(services: Services) -> AsyncIterator[asyncpg.Connection]:
    connection = await asyncpg.connect(services.postgres.url)
    try:
        yield connection
    finally:
        await connection.close()


async def execute(url: str, *statements: str) -> None:
    """Statements on a connection of their own, each in a transaction of its own."""
    connection = await asyncpg.connect(url)
    try:
        for statement in statements:
            await connection.execute(statement)
    finally:
        await connection.close()


@asynccontextmanager
async def without_autovacuum(services: Services) -> AsyncIterator[None]:
    """For tables that are small: an analysis reads 30,000 rows of each, a second of work which production spreads over
    millions of rows, and which either falls into a measurement of some seconds or does not.
    """
    url = services.postgres.url
    await execute(url, "ALTER SYSTEM SET autovacuum = off", "SELECT pg_reload_conf()")
    try:
        yield
    finally:
        await execute(url, "ALTER SYSTEM RESET autovacuum", "SELECT pg_reload_conf()")


async def empty(services: Services, tables: Sequence[str]) -> None:
    """Leave nothing in the tables, and no work from before for the server to do."""
    await execute(services.postgres.url, f"TRUNCATE {', '.join(tables)}", "CHECKPOINT")


def _session_of(body: bytes) -> bytes:
    return body.partition(_SESSION)[2][:36]


@asynccontextmanager
async def _admin(bootstrap: str) -> AsyncIterator[AIOKafkaAdminClient]:
    admin = AIOKafkaAdminClient(bootstrap_servers=bootstrap)
    await admin.start()
    try:
        yield admin
    finally:
        await admin.close()
