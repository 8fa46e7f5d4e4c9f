"""The batches that the publisher fills: a lane for each partition, and the group of records that is open in it."""

import asyncio
from typing import Any

from receiver.circuit import Circuit
from schemas.envelope import Record
from schemas.errors import TcccError

Entry = tuple[Record, asyncio.Future[None]]


class Lane:
    """One partition of one topic."""

    __slots__ = ("circuit", "group", "partition", "topic")

    def __init__(self, topic: str, partition: int, circuit: Circuit) -> None:
        self.topic = topic
        self.partition = partition
        self.circuit = circuit
        self.group: Group | None = None


class Group:
    """Records that reach Kafka, or fail to, together: one aiokafka batch and those who wait for it."""

    __slots__ = ("builder", "entries", "lane", "opened_at", "timer")

    def __init__(self, lane: Lane, builder: Any, opened_at: float) -> None:
        self.lane = lane
        self.builder = builder
        self.opened_at = opened_at
        self.entries: list[Entry] = []
        self.timer: asyncio.TimerHandle | None = None

    def append(self, record: Record, waiter: asyncio.Future[None]) -> bool:
        """Add a record; False if the batch is full or has left. An empty batch takes a record of any size."""
        added = self.builder.append(
            timestamp=None, key=record.key, value=record.value, headers=record.headers
        )
        if added is None:
            return False
        self.entries.append((record, waiter))
        return True

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
