"""Takes a record durably: into Kafka, or into the spool where Kafka does not confirm in time."""

import asyncio
from collections.abc import Sequence
from enum import Enum
from typing import Protocol

from receiver.clock import ReceiveClock
from receiver.dead_letters import letter_of
from receiver.metrics import ReceiverMetrics
from receiver.publisher import Publisher
from schemas.envelope import Record
from schemas.errors import BrokerAway, RecordError, SpoolAway
from schemas.settings import Settings

# A record that is tried again may be written twice, and is held in memory once more: not for long.
PATIENCE_S = 2.0

Sending = asyncio.Future[None] | BrokerAway


class Spooling(Protocol):
    """What the intake needs of the spool."""

    async def put(self, record: Record) -> None:
        """Return once the record is on disk; raises SpoolAway."""


class Taken(Enum):
    """Where a record is now; each of them is durable."""

    PUBLISHED = "taken"
    SPOOLED = "spooled"
    DEAD = "dead"  # in the dead-letter topic, because its own refuses it


class Intake:
    """All roads by which a record leaves this process."""

    def __init__(
        self,
        settings: Settings,
        publisher: Publisher,
        spool: Spooling | None,
        clock: ReceiveClock,
        metrics: ReceiverMetrics,
    ) -> None:
        self._dead_topic = settings.kafka_dead_topic
        self._publisher = publisher
        self._spool = spool
        self._clock = clock
        self._metrics = metrics

    async def take(self, record: Record) -> Taken:
        """Return once the record is durable. Raises DependencyAway where no durable place is open."""
        try:
            try:
                await self._publisher.publish(record)
            except BrokerAway:
                return await self._take_otherwise(record)
        except RecordError as exc:
            return await self._bury(record, exc)
        return Taken.PUBLISHED

    async def publish_all(self, records: Sequence[Record]) -> list[Exception | None]:
        """Publish what the spool held; for each record None, or why it has to be tried again."""
        sent = [self._send(record) for record in records]
        return [await self._outcome(record, sending) for record, sending in zip(records, sent, strict=True)]

    async def _take_otherwise(self, record: Record) -> Taken:
        try:
            if self._spool is not None:
                await self._spool.put(record)
                return Taken.SPOOLED
        except SpoolAway:
            pass
        await self._publish_patiently(record)  # the only place left
        return Taken.PUBLISHED

    async def _publish_patiently(self, record: Record) -> None:
        """Where there is no other place, try a Kafka that is slow, or lost a moment ago, again: late beats refused."""
        loop = asyncio.get_running_loop()
        give_up_at = loop.time() + PATIENCE_S
        while True:
            try:
                async with asyncio.timeout_at(give_up_at):
                    await self._publisher.wait_connected()
            except TimeoutError:
                raise BrokerAway("not connected") from None
            try:
                await self._publisher.publish(record, insist=True)
            except BrokerAway:
                if loop.time() >= give_up_at:
                    raise
            else:
                return

    def _send(self, record: Record) -> Sending:
        try:
            return self._publisher.publish(record, insist=True)
        except BrokerAway as exc:
            return exc

    async def _outcome(self, record: Record, sending: Sending) -> Exception | None:
        if isinstance(sending, BrokerAway):
            return sending
        try:
            await sending
        except BrokerAway as exc:
            return exc
        except RecordError as exc:
            if record.topic == self._dead_topic:
                return exc
            letter = self._letter(record, exc)
            return await self._outcome(letter, self._send(letter))
        return None

    async def _bury(self, record: Record, error: RecordError) -> Taken:
        """Keep a record that its topic refuses as a dead letter: it is taken, and may be replayed later."""
        if record.topic == self._dead_topic:
            raise BrokerAway(f"{self._dead_topic} refuses the letter: {error.detail}")
        await self.take(self._letter(record, error))
        return Taken.DEAD

    def _letter(self, record: Record, error: RecordError) -> Record:
        self._metrics.dead_letter(error.reason)
        return letter_of(self._dead_topic, record, error.reason, error.detail, self._clock.now_us())
