"""Kafka as the console asks it: offsets, records of a range, a group's position; every call has a deadline."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Mapping
from contextlib import asynccontextmanager
from typing import Any, TypeVar

from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.errors import KafkaError, RebalanceInProgressError, UnknownMemberIdError

from runtime.kafka import MAX_DEAD_RECORD_BYTES, client_options
from runtime.kafka_access import why_away
from schemas.errors import BrokerAway, OperatorError
from schemas.settings import Settings
from worker.batch import KafkaRecord

CALL_TIMEOUT_S = 15.0
CLOSE_TIMEOUT_S = 5.0
_POLL_MS = 500
_POLL_RECORDS = 5000

Offsets = dict[int, int]
# Partition -> the first offset, and the one after the last.
Ranges = Mapping[int, tuple[int, int]]
_T = TypeVar("_T")


class TopicReader:
    """Reads one topic without being a member of any group. Made by `open_topic`."""

    def __init__(self, topic: str, client: AIOKafkaConsumer) -> None:
        self.topic = topic
        self._client = client
        self._partitions: list[TopicPartition] = []

    async def find(self) -> None:
        """Learn the topic's partitions; raises OperatorError if there is no such topic."""
        if self.topic in await _in_time(self._client.topics()):
            # aiokafka has no public way to learn of partitions without subscribing to them.
            await _in_time(self._client._client.set_topics([self.topic]))  # noqa: SLF001
        numbers = self._client.partitions_for_topic(self.topic)
        if not numbers:
            raise OperatorError(f"topic {self.topic} is missing: run 'tccc topics'")
        self._partitions = [TopicPartition(self.topic, number) for number in sorted(numbers)]

    @property
    def partitions(self) -> list[int]:
        return [partition.partition for partition in self._partitions]

    async def begins(self) -> Offsets:
        """The first offset that is still there."""
        return _numbered(await _in_time(self._client.beginning_offsets(self._partitions)))

    async def ends(self) -> Offsets:
        """The offset that the next record will have."""
        return _numbered(await _in_time(self._client.end_offsets(self._partitions)))

    async def at(self, time_ms: int) -> dict[int, int | None]:
        """The first offset whose record is from this time (ms since the epoch) or later, None if none is."""
        found = await _in_time(self._client.offsets_for_times(dict.fromkeys(self._partitions, time_ms)))
        return {place.partition: None if spot is None else spot.offset for place, spot in found.items()}

    async def read(self, ranges: Ranges) -> AsyncIterator[KafkaRecord]:
        """Every record there is in the ranges, in offset order within a partition; raises BrokerAway."""
        ends = {TopicPartition(self.topic, n): end for n, (first, end) in ranges.items() if first < end}
        if not ends:
            return
        self._client.assign(list(ends))
        for place in ends:
            self._client.seek(place, ranges[place.partition][0])
        while ends:
            polled = await _in_time(self._poll())
            for place, records in polled.items():
                for record in records:
                    if place in ends and record.offset < ends[place]:
                        yield record
            for place in [place for place in ends if place in polled]:
                if await _in_time(self._client.position(place)) >= ends[place]:
                    del ends[place]
                    self._client.pause(place)

    async def _poll(self) -> dict[TopicPartition, list[KafkaRecord]]:
        """At least one record; that they take long is for the caller's deadline to tell."""
        while True:
            polled = await self._client.getmany(timeout_ms=_POLL_MS, max_records=_POLL_RECORDS)
            if polled:
                return dict(polled)


class WorkerGroup:
    """The workers' consumer group, seen and moved from outside. Made by `open_group`."""

    def __init__(self, settings: Settings, client: AIOKafkaConsumer) -> None:
        self._settings = settings
        self._client = client

    async def committed(self, partitions: list[int]) -> dict[int, int | None]:
        """The offset that each partition goes on from, None where nothing was committed yet."""
        topic = self._settings.kafka_topic
        return {n: await _in_time(self._client.committed(TopicPartition(topic, n))) for n in partitions}

    async def move(self, offsets: Offsets) -> None:
        """Commit these offsets; the brokers refuse it while the group has members."""
        places = {TopicPartition(self._settings.kafka_topic, n): offset for n, offset in offsets.items()}
        self._client.assign(list(places))
        try:
            async with asyncio.timeout(CALL_TIMEOUT_S):
                await self._client.commit(places)
        except (UnknownMemberIdError, RebalanceInProgressError) as exc:
            raise OperatorError("a worker has joined the group meanwhile: stop all workers first") from exc
        except (KafkaError, TimeoutError) as exc:
            raise BrokerAway(f"offsets not committed: {type(exc).__name__}") from exc


@asynccontextmanager
async def open_topic(settings: Settings, topic: str) -> AsyncIterator[TopicReader]:
    """Raises BrokerAway, or OperatorError if the topic is missing."""
    async with _started(settings, group_id=None) as client:
        reader = TopicReader(topic, client)
        await reader.find()
        yield reader


@asynccontextmanager
async def open_group(settings: Settings) -> AsyncIterator[WorkerGroup]:
    """Raises BrokerAway."""
    async with _started(settings, group_id=settings.kafka_group) as client:
        yield WorkerGroup(settings, client)


@asynccontextmanager
async def _started(settings: Settings, *, group_id: str | None) -> AsyncIterator[AIOKafkaConsumer]:
    client = AIOKafkaConsumer(
        **client_options(settings),
        group_id=group_id,
        enable_auto_commit=False,
        auto_offset_reset="earliest",
        max_partition_fetch_bytes=2 * MAX_DEAD_RECORD_BYTES,
    )
    try:
        try:
            await _in_time(client.start())
        except BrokerAway as exc:
            raise BrokerAway(f"{await why_away(settings, exc.__cause__ or exc)}: see 'tccc doctor'") from exc
        yield client
    finally:
        await _close(client.stop())


async def _in_time(call: Awaitable[_T]) -> _T:
    try:
        async with asyncio.timeout(CALL_TIMEOUT_S):
            return await call
    except (KafkaError, OSError, TimeoutError) as exc:
        raise BrokerAway(
            f"no answer from TCCC_KAFKA_BOOTSTRAP ({type(exc).__name__}): see 'tccc doctor'"
        ) from exc


async def _close(closing: Awaitable[Any]) -> None:
    """What we wanted to know we know; how the client ends changes nothing."""
    try:
        async with asyncio.timeout(CLOSE_TIMEOUT_S):
            await closing
    except (KafkaError, TimeoutError):
        pass


def _numbered(offsets: Mapping[TopicPartition, int]) -> Offsets:
    return {place.partition: offset for place, offset in offsets.items()}
