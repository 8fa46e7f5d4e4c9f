"""Publishes records as the console needs it: with acks=all, partitioned as Kafka's own clients do, within a deadline."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager

from aiokafka import AIOKafkaProducer
from aiokafka.errors import KafkaError

from console.producers import retire
from receiver.partitioning import partition_of
from runtime.kafka import MAX_RECORD_BYTES, client_options
from schemas.envelope import Record
from schemas.errors import BrokerAway
from schemas.settings import Settings

DEADLINE_S = 30.0


class RecordPublisher:
    """Writes records with acks=all. Made by `open_publisher`."""

    def __init__(self, producer: AIOKafkaProducer) -> None:
        self._producer = producer

    async def publish(self, records: Sequence[Record]) -> list[BaseException | None]:
        """For each record None, or why it may not have been written."""
        sends = [asyncio.create_task(self._send(record)) for record in records]
        _, late = await asyncio.wait(sends, timeout=DEADLINE_S)
        for send in late:
            send.cancel()
        return await asyncio.gather(*sends, return_exceptions=True)

    async def _send(self, record: Record) -> None:
        number = None
        if record.key is not None:
            number = partition_of(record.key, len(await self._producer.partitions_for(record.topic)))
        await self._producer.send_and_wait(
            record.topic, value=record.value, key=record.key, headers=record.headers, partition=number
        )


@asynccontextmanager
async def open_publisher(settings: Settings) -> AsyncIterator[RecordPublisher]:
    """Raises BrokerAway."""
    producer = AIOKafkaProducer(
        **client_options(settings), acks="all", enable_idempotence=False, max_request_size=MAX_RECORD_BYTES
    )
    try:
        async with asyncio.timeout(DEADLINE_S):
            await producer.start()
    except (KafkaError, OSError, TimeoutError) as exc:
        await retire(producer)
        raise BrokerAway(f"no answer from TCCC_KAFKA_BOOTSTRAP: {type(exc).__name__}") from exc
    try:
        yield RecordPublisher(producer)
    finally:
        await retire(producer)
