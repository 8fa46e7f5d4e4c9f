"""Puts records on the topic past the receivers that can never be stored: what a foreign producer would do."""

import asyncio
import time
from collections.abc import Iterator

from aiokafka import AIOKafkaProducer
from aiokafka.errors import KafkaError

from console.producers import retire
from runtime.kafka import client_options
from schemas.envelope import push_headers
from schemas.settings import Settings
from tests.chaos.journal import Journal, PushLine, TryLine

CONNECT_TIMEOUT_S = 5.0
SEND_TIMEOUT_S = 5.0
RETRY_S = 1.0


async def put_poison(
    settings: Settings, journal: Journal, records: Iterator[tuple[PushLine, bytes | None]], *, every_s: float
) -> None:
    """Runs until it is cancelled. What Kafka did not confirm may be there or not; only the rest must be."""
    producer: AIOKafkaProducer | None = None
    try:
        while True:
            try:
                if producer is None:
                    producer = AIOKafkaProducer(**client_options(settings), acks="all")
                    async with asyncio.timeout(CONNECT_TIMEOUT_S):
                        await producer.start()
                line, key = next(records)
                await journal.write(line)
                await _put(producer, settings.kafka_topic, line, key, journal)
                await asyncio.sleep(every_s)
            except (KafkaError, OSError, TimeoutError):
                if producer is not None:
                    await retire(producer)
                    producer = None
                await asyncio.sleep(RETRY_S)
    finally:
        if producer is not None:
            await retire(producer)


async def _put(
    producer: AIOKafkaProducer, topic: str, line: PushLine, key: bytes | None, journal: Journal
) -> None:
    sent_at_s = time.time()
    headers = push_headers(line.action.encode(), b"1", line.push_id.encode(), int(sent_at_s * 1e6))
    async with asyncio.timeout(SEND_TIMEOUT_S):
        await producer.send_and_wait(topic, line.body.encode(), key=key, headers=headers)
    journal.note(
        TryLine(
            push_id=line.push_id,
            sent_at_s=sent_at_s,
            answered_at_s=time.time(),
            status=200,
            err_code=0,
            fault="",
        )
    )
