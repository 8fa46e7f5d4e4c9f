"""What tests of the whole pipeline do again and again: produce records, read dead letters, ask the database."""

import asyncio
import json
import sys
import time
from collections.abc import Sequence
from typing import Any

import asyncpg
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, ConsumerRecord
from msgspec import Struct

from schemas.envelope import Headers, push_headers
from schemas.settings import Settings
from tests import leaks
from tests.processes import environment
from tests.records import T0_US, body

Sent = tuple[str | None, Headers, bytes]


def cdr(
    n: int, *, session: str | None = None, push_id: str | None = None, at_us: int = T0_US, **fields: Any
) -> Sent:
    session = session or f"s-{n}"
    headers = push_headers(b"cdr", b"1", (push_id or f"u{n}").encode(), at_us + n)
    return session, headers, body(SessionId=session, Caller=str(n), **fields)


def now_us() -> int:
    return time.time_ns() // 1000


async def produce(
    settings: Settings,
    sent: Sequence[Sent],
    *,
    topic: str | None = None,
    partition: int | None = None,
    **options: Any,
) -> None:
    """`options` are the producer's."""
    producer = AIOKafkaProducer(bootstrap_servers=settings.kafka_bootstrap, acks="all", **options)
    await producer.start()
    try:
        futures = [
            await producer.send(
                topic or settings.kafka_topic,
                value=value,
                key=key.encode() if key else None,
                headers=headers,
                partition=partition,
            )
            for key, headers, value in sent
        ]
        await asyncio.gather(*futures)
    finally:
        await producer.stop()


async def records_of(settings: Settings, topic: str) -> list[ConsumerRecord[Any, Any]]:
    """All that a topic holds now."""
    consumer = AIOKafkaConsumer(
        topic, bootstrap_servers=settings.kafka_bootstrap, auto_offset_reset="earliest"
    )
    await consumer.start()
    try:
        ends = await consumer.end_offsets(consumer.assignment())
        records: list[ConsumerRecord[Any, Any]] = []
        while True:
            for polled in (await consumer.getmany(timeout_ms=200)).values():
                records += polled
            if len(records) >= sum(ends.values()):
                return records
    finally:
        await consumer.stop()


async def dead_letters(settings: Settings) -> list[ConsumerRecord[Any, Any]]:
    return await records_of(settings, settings.kafka_dead_topic)


class Database:
    def __init__(self, settings: Settings) -> None:
        self._url = settings.database_url

    async def fetch(self, query: str) -> list[tuple[Any, ...]]:
        connection = await asyncpg.connect(self._url)
        try:
            return [tuple(row) for row in await connection.fetch(query)]
        finally:
            await connection.close()

    async def execute(self, query: str) -> None:
        await self.fetch(query)

    async def count(self, table: str) -> int:
        return int((await self.fetch(f"SELECT count(*) FROM tccc.{table}"))[0][0])

    async def has_settled(self, count: int) -> bool:
        return await self.count("push") >= count

    async def outcomes(self) -> dict[str, int]:
        return {
            str(outcome): int(count)
            for outcome, count in await self.fetch("SELECT outcome, count(*) FROM tccc.push GROUP BY 1")
        }


class Ran(Struct, frozen=True):
    """How a `tccc` command ended, and what it said."""

    status: int
    out: str
    err: str

    @property
    def result(self) -> Any:
        """What it printed with --json."""
        assert self.out, self.err
        return json.loads(self.out)


async def tccc(settings: Settings, *words: str) -> Ran:
    """Run a command of the console as a process of its own."""
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "-W",
        "error",
        "-m",
        "console",
        *words,
        env=environment(settings),
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    out, err = await process.communicate()
    for fault in (b"Traceback", b"ResourceWarning", b"never awaited"):
        assert fault not in err, err.decode()
    leaks.keep("console", err)
    assert process.returncode is not None
    return Ran(process.returncode, out.decode(), err.decode())
