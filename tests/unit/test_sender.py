"""The sender, before a cluster that answers as it is told: what shares a request, and what is tried again."""

import asyncio
from types import SimpleNamespace
from typing import Any, cast

import pytest
from aiokafka import AIOKafkaClient, TopicPartition
from aiokafka.errors import (
    KafkaConnectionError,
    KafkaError,
    MessageSizeTooLargeError,
    NotLeaderForPartitionError,
)
from aiokafka.record import MemoryRecords

from receiver import sender as sender_module
from receiver.circuit import Circuit
from receiver.groups import Group, Lane
from receiver.sender import Sender
from schemas.envelope import Record

TOPIC = "push"


class Cluster:
    """Stands for a client: partitions with their leaders, and answers that wait until they are let go."""

    def __init__(self, leaders: dict[int, int]) -> None:
        self.leaders = leaders
        self.refreshed = 0
        self.sent: list[
            tuple[int, dict[int, list[bytes | None]]]
        ] = []  # to which broker; values by partition
        self.answers: list[KafkaError | dict[int, int]] = []  # else all is well
        self.go = asyncio.Event()
        self.go.set()
        self.cluster = self

    def leader_for_partition(self, partition: TopicPartition) -> int | None:
        return self.leaders.get(partition.partition)

    def force_metadata_update(self) -> None:
        self.refreshed += 1

    async def send(self, broker: int, request: Any) -> Any:
        partitions = dict(request._topics[0][1])
        self.sent.append((broker, {number: _values(batch) for number, batch in partitions.items()}))
        await self.go.wait()
        answer = self.answers.pop(0) if self.answers else {}
        if isinstance(answer, KafkaError):
            raise answer
        codes = [(number, answer.get(number, 0)) for number in partitions]
        return SimpleNamespace(topics=[(TOPIC, codes)])


def _values(batch: bytes) -> list[bytes | None]:
    records = MemoryRecords(bytes(batch)).next_batch()
    assert records is not None
    return [record.value for record in records]


class Sending:
    """A sender, its lanes, and what it said of its groups."""

    def __init__(self, leaders: dict[int, int]) -> None:
        self.cluster = Cluster(leaders)
        self.settled: dict[Group, KafkaError | None] = {}
        self.sender = Sender(cast("AIOKafkaClient", self.cluster), 1.0, self.settled.__setitem__)
        loop = asyncio.get_running_loop()
        self._lanes = [Lane(TOPIC, n, Circuit(loop.time, shortest_s=1, longest_s=1)) for n in range(4)]

    def add(self, partition: int, value: bytes) -> Group:
        group = Group(self._lanes[partition], 0.0)
        self.fill(group, value)
        self.sender.add(group)
        return group

    def fill(self, group: Group, value: bytes) -> bool:
        waiter = asyncio.get_running_loop().create_future()
        return group.append(Record(topic=TOPIC, key=b"k", value=value, headers=[]), waiter)

    async def settle(self, *groups: Group) -> list[type[KafkaError] | None]:
        while not set(groups) <= self.settled.keys():
            await asyncio.sleep(0)
        errors = [self.settled[group] for group in groups]
        return [None if error is None else type(error) for error in errors]


@pytest.fixture(autouse=True)
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sender_module, "RETRY_S", 0.0)


async def test_what_comes_in_one_round_of_the_loop_shares_a_request_to_each_broker() -> None:
    sending = Sending({0: 7, 1: 7, 2: 8})
    groups = [sending.add(0, b"a"), sending.add(1, b"b"), sending.add(2, b"c")]
    assert sending.fill(groups[0], b"d")
    assert await sending.settle(*groups) == [None, None, None]
    assert sending.cluster.sent == [(7, {0: [b"a", b"d"], 1: [b"b"]}), (8, {2: [b"c"]})]


async def test_what_comes_while_a_broker_writes_goes_with_its_next_request() -> None:
    sending = Sending({0: 7, 1: 7, 2: 8})
    sending.cluster.go.clear()
    first = sending.add(0, b"a")
    while not sending.cluster.sent:
        await asyncio.sleep(0)
    assert not sending.fill(first, b"late")
    later = [sending.add(0, b"b"), sending.add(1, b"c"), sending.add(2, b"d")]
    assert sending.fill(later[0], b"e")
    sending.cluster.go.set()
    assert await sending.settle(first, *later) == [None] * 4
    assert sorted(sending.cluster.sent, key=str) == sorted(
        [(7, {0: [b"a"]}), (7, {0: [b"b", b"e"], 1: [b"c"]}), (8, {2: [b"d"]})], key=str
    )


async def test_a_request_holds_one_batch_of_a_partition() -> None:
    sending = Sending({0: 7, 1: 7})
    groups = [sending.add(0, b"a"), sending.add(0, b"b"), sending.add(1, b"c")]
    await sending.settle(*groups)
    assert sending.cluster.sent == [(7, {0: [b"a"], 1: [b"c"]}), (7, {0: [b"b"]})]


async def test_a_partition_that_moved_is_looked_for_and_tried_again_alone() -> None:
    sending = Sending({0: 7, 1: 7})
    sending.cluster.answers = [{0: NotLeaderForPartitionError.errno}]
    groups = [sending.add(0, b"a"), sending.add(1, b"b")]
    await sending.settle(groups[1])
    assert groups[0] not in sending.settled
    sending.cluster.leaders[0] = 8
    assert await sending.settle(*groups) == [None, None]
    assert sending.cluster.sent == [(7, {0: [b"a"], 1: [b"b"]}), (8, {0: [b"a"]})]
    assert sending.cluster.refreshed == 1


async def test_a_lost_connection_is_no_verdict() -> None:
    sending = Sending({0: 7})
    sending.cluster.answers = [KafkaConnectionError("gone")]
    assert await sending.settle(sending.add(0, b"a")) == [None]
    assert len(sending.cluster.sent) == 2


async def test_a_refusal_is_reported() -> None:
    sending = Sending({0: 7})
    sending.cluster.answers = [{0: MessageSizeTooLargeError.errno}]
    assert await sending.settle(sending.add(0, b"a")) == [MessageSizeTooLargeError]
    assert len(sending.cluster.sent) == 1


async def test_a_partition_without_a_leader_waits_for_one() -> None:
    sending = Sending({})
    group = sending.add(0, b"a")
    while not sending.cluster.refreshed:
        await asyncio.sleep(0)
    assert sending.fill(group, b"b")
    sending.cluster.leaders[0] = 7
    assert await sending.settle(group) == [None]
    assert sending.cluster.sent == [(7, {0: [b"a", b"b"]})]


async def test_what_was_given_up_is_not_sent() -> None:
    sending = Sending({})
    given_up = sending.add(0, b"a")
    given_up.is_settled = True
    sending.cluster.leaders[0] = 7
    await sending.settle(sending.add(0, b"b"))
    assert sending.cluster.sent == [(7, {0: [b"b"]})]
    assert given_up not in sending.settled
