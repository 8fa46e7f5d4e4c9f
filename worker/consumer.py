"""The consumer group: polls records of the partitions that are ours, commits offsets, and makes way when asked."""

import asyncio
from collections.abc import Awaitable, Callable, Collection, Sequence

import structlog
from aiokafka import AIOKafkaConsumer, ConsumerRebalanceListener, TopicPartition
from aiokafka.errors import KafkaError

from runtime.kafka import MAX_RECORD_BYTES, client_options
from runtime.kafka_access import why_away
from schemas.errors import BrokerAway
from schemas.settings import Settings
from worker.batch import KafkaRecord

log = structlog.get_logger(__name__)

POLL_MS = 500
COMMIT_TIMEOUT_S = 10.0
SESSION_TIMEOUT_MS = 10_000
FETCH_BYTES = 16 * 2**20
# A batch may wait out an outage of the database for hours without losing its membership: heartbeats go on by
# themselves. What this limit is meant against, a worker that hangs, is for `worker.watchdog` to notice.
MAX_POLL_INTERVAL_MS = 24 * 60 * 60 * 1000

Revoked = Callable[[], Awaitable[None]]


class Consumer:
    """`on_revoked` is awaited before partitions are handed over; it has to return within its own bound."""

    def __init__(self, settings: Settings, *, on_revoked: Revoked, on_assigned: Callable[[], None]) -> None:
        self._settings = settings
        self._topic = settings.kafka_topic
        self._batch_records = settings.batch_records
        self._listener = _Listener(on_revoked, self._assigned)
        self._on_assigned = on_assigned
        self._settled: dict[TopicPartition, int] = {}
        self._client = AIOKafkaConsumer(
            **client_options(settings),
            group_id=settings.kafka_group,
            enable_auto_commit=False,
            auto_offset_reset="earliest",
            session_timeout_ms=SESSION_TIMEOUT_MS,
            rebalance_timeout_ms=int((settings.revoke_grace_s + COMMIT_TIMEOUT_S + 10) * 1000),
            max_poll_interval_ms=MAX_POLL_INTERVAL_MS,
            # What bounds the worker's memory: a batch never holds more than one fetch of each partition.
            max_partition_fetch_bytes=MAX_RECORD_BYTES,
            fetch_max_bytes=FETCH_BYTES,
        )

    @property
    def joined(self) -> bool:
        return self._listener.assigned

    async def start(self) -> None:
        """Raises BrokerAway; may be tried again."""
        self._client.subscribe([self._topic], listener=self._listener)
        try:
            await self._client.start()
        except KafkaError as exc:
            raise BrokerAway(f"cannot join the group: {await why_away(self._settings, exc)}") from exc

    async def poll(self) -> list[KafkaRecord]:
        """The next records, in offset order within a partition; [] after half a second without any."""
        try:
            polled = await self._client.getmany(timeout_ms=POLL_MS, max_records=self._batch_records)
        except KafkaError as exc:
            raise BrokerAway(f"cannot poll: {type(exc).__name__}") from exc
        return [record for records in polled.values() for record in records]

    async def commit(self, records: Sequence[KafkaRecord]) -> None:
        """Commit the offsets after these records, of partitions that are still ours.

        A failure is logged, no more: what is not committed is delivered again and found settled.
        """
        ends = {record.partition: record.offset + 1 for record in records}
        owned = self._client.assignment()
        offsets = {one: ends[one.partition] for one in owned if one.partition in ends}
        if not offsets:
            return
        self._settled.update(offsets)
        try:
            async with asyncio.timeout(COMMIT_TIMEOUT_S):
                await self._client.commit(offsets)
        except (KafkaError, TimeoutError) as exc:
            log.info("offsets not committed", error=type(exc).__name__)

    async def lag(self) -> dict[int, int]:
        """Records not settled yet, by partition of ours, as the brokers say; raises BrokerAway."""
        owned = self._client.assignment()
        try:
            async with asyncio.timeout(COMMIT_TIMEOUT_S):
                ends = await self._client.end_offsets(list(owned))
                next_ones = {p: self._settled.get(p) or await self._client.position(p) for p in owned}
        except (KafkaError, TimeoutError) as exc:
            raise BrokerAway(f"no end offsets: {await why_away(self._settings, exc)}") from exc
        return {p.partition: max(0, end - next_ones[p]) for p, end in ends.items()}

    async def settled(self) -> dict[int, range]:
        """Offsets that are in the topic and settled, by partition of ours; raises BrokerAway."""
        owned = self._client.assignment()
        try:
            async with asyncio.timeout(COMMIT_TIMEOUT_S):
                starts = await self._client.beginning_offsets(list(owned))
                ends = {p: self._settled.get(p) or await self._client.committed(p) or 0 for p in owned}
        except (KafkaError, TimeoutError) as exc:
            raise BrokerAway(f"no offsets: {type(exc).__name__}") from exc
        return {p.partition: range(start, ends[p]) for p, start in starts.items()}

    async def stop(self) -> None:
        try:
            async with asyncio.timeout(COMMIT_TIMEOUT_S):
                await self._client.stop()
        except asyncio.CancelledError as exc:
            # With Kafka away, aiokafka 0.14 waits for fetches that it has cancelled itself.
            if (task := asyncio.current_task()) is not None and task.cancelling():
                raise
            log.info("left the group without its answer", error=type(exc).__name__)
        except (KafkaError, TimeoutError) as exc:
            log.info("left the group without its answer", error=type(exc).__name__)

    def _assigned(self) -> None:
        self._settled.clear()
        self._on_assigned()


class _Listener(ConsumerRebalanceListener):
    def __init__(self, on_revoked: Revoked, on_assigned: Callable[[], None]) -> None:
        self._on_revoked = on_revoked
        self._on_assigned = on_assigned
        self.assigned = False

    async def on_partitions_revoked(self, revoked: Collection[TopicPartition]) -> None:
        self.assigned = False
        if revoked:
            await self._on_revoked()

    async def on_partitions_assigned(self, assigned: Collection[TopicPartition]) -> None:
        self.assigned = True
        self._on_assigned()
        log.info("partitions assigned", partitions=sorted(p.partition for p in assigned))
