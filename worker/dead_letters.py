"""Writes records that can never be stored to the dead-letter topic, and waits until Kafka has them."""

import asyncio
import time
from collections.abc import Sequence

from aiokafka import AIOKafkaProducer
from aiokafka.errors import KafkaError

from runtime.kafka import client_options
from runtime.kafka_access import why_away
from schemas.envelope import Headers, dead_headers
from schemas.errors import BrokerAway
from schemas.settings import Settings
from worker.batch import Item

DEADLINE_S = 10.0
MAX_UNPACKED_BYTES = 2**30


class DeadLetters:
    """A producer that is made at the first dead letter: most workers never write one."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._producer: AIOKafkaProducer | None = None

    async def publish(self, items: Sequence[Item]) -> None:
        """Returns when Kafka has them all (acks=all); raises BrokerAway. May be repeated."""
        if not items:
            return
        try:
            async with asyncio.timeout(DEADLINE_S):
                producer = await self._started()
                await asyncio.gather(*[self._send(producer, item) for item in items])
        except (KafkaError, TimeoutError) as exc:
            # A producer that has failed once is not trusted again.
            await self.close()
            raise BrokerAway(f"dead letters not confirmed: {await why_away(self._settings, exc)}") from exc

    async def close(self) -> None:
        producer, self._producer = self._producer, None
        if producer is not None:
            try:
                async with asyncio.timeout(DEADLINE_S):
                    await producer.stop()
            except (KafkaError, TimeoutError):
                pass  # what matters was confirmed or will be written again

    async def _started(self) -> AIOKafkaProducer:
        if self._producer is None:
            # What somebody else wrote may be larger than any body of ours until it is compressed, as it came.
            self._producer = AIOKafkaProducer(
                **client_options(self._settings),
                acks="all",
                compression_type="gzip",
                max_request_size=MAX_UNPACKED_BYTES,
            )
            await self._producer.start()
        return self._producer

    async def _send(self, producer: AIOKafkaProducer, item: Item) -> None:
        await producer.send_and_wait(
            self._settings.kafka_dead_topic,
            value=item.value,
            key=item.record.key,
            headers=letter_headers(item),
        )


def letter_headers(item: Item) -> Headers:
    """The record's own headers, and why and where it died."""
    assert item.fault is not None
    own = [
        (name, value)
        for name, value in item.record.headers
        if value is not None and not name.startswith(("dead-", "origin-"))
    ]
    return own + dead_headers(
        stage=item.stage,
        reason=item.fault.reason,
        detail=item.fault.detail,
        at_us=time.time_ns() // 1000,
        origin=item.origin,
    )
