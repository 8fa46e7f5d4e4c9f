"""The batches that the publisher fills: a lane for each partition, and the group of records that is open in it."""

import asyncio
from typing import Any

from aiokafka import TopicPartition
from aiokafka.record.default_records import DefaultRecordBatchBuilder

from receiver.circuit import Circuit
from schemas.envelope import Record
from schemas.errors import TcccError

# A batch may hold more than one record up to this size. It stays well below the topics' max.message.bytes,
# and a larger one saves nothing: at 2 KB a record, 250 of them already share one request.
MAX_BATCH_BYTES = 512 * 1024

Entry = tuple[Record, asyncio.Future[None]]


class Lane:
    """One partition of one topic."""

    __slots__ = ("circuit", "group", "partition", "topic", "topic_partition")

    def __init__(self, topic: str, partition: int, circuit: Circuit) -> None:
        self.topic = topic
        self.partition = partition
        self.topic_partition = TopicPartition(topic, partition)
        self.circuit = circuit
        self.group: Group | None = None


class Group:
    """Records that reach Kafka, or fail to, together: one batch and those who wait for it."""

    __slots__ = ("_builder", "batch", "deadline", "entries", "is_settled", "lane", "opened_at")

    def __init__(self, lane: Lane, opened_at: float) -> None:
        self.lane = lane
        self.opened_at = opened_at
        self.deadline: asyncio.TimerHandle | None = None
        self.is_settled = False
        self.entries: list[Entry] = []
        self._builder: Any = DefaultRecordBatchBuilder(
            magic=2,
            compression_type=0,
            is_transactional=0,
            producer_id=-1,  # not idempotent
            producer_epoch=-1,
            base_sequence=-1,
            batch_size=MAX_BATCH_BYTES,
        )
        self.batch = b""  # what goes over the wire, once it is closed

    def append(self, record: Record, waiter: asyncio.Future[None]) -> bool:
        """Add a record; False if the batch is full or closed. An empty batch takes a record of any size."""
        builder, number = self._builder, len(self.entries)
        if builder is None or builder.append(number, None, record.key, record.value, record.headers) is None:
            return False
        self.entries.append((record, waiter))
        return True

    def close(self) -> None:
        """Take no more records."""
        if self._builder is not None:
            self.batch = self._builder.build()
            self._builder = None
            if self.lane.group is self:
                self.lane.group = None

    def waiting(self) -> list[Entry]:
        return [entry for entry in self.entries if not entry[1].done()]

    def succeed(self) -> None:
        for _, waiter in self.entries:
            if not waiter.done():  # given up at the time-out, or its request was cancelled
                waiter.set_result(None)

    def fail(self, error: TcccError) -> None:
        for _, waiter in self.entries:
            if not waiter.done():
                waiter.set_exception(error)
