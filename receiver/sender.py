"""Takes groups to the brokers that lead their partitions: one produce request at a time to each.

aiokafka's own producer wakes its sender for each batch that is added, whether it can be sent or not, and makes tasks
for the sending of each; with a few records in a request that costs more than all else that is done for a push.
"""

import asyncio
from collections import defaultdict
from collections.abc import Callable
from typing import Any

from aiokafka import AIOKafkaClient
from aiokafka.errors import KafkaError, NoError, for_code
from aiokafka.protocol.produce import ProduceRequest

from receiver.groups import Group

RETRY_S = 0.1
_ACKS_ALL = -1

# What became of a group; None: all in-sync replicas have it. What can be tried again is not reported.
Settle = Callable[[Group, KafkaError | None], None]


class Sender:
    """Groups of a broker wait, open, while a request to it is under way; the next one takes them all."""

    def __init__(self, client: AIOKafkaClient, ack_timeout_s: float, settle: Settle) -> None:
        self._client = client
        self._timeout_ms = round(ack_timeout_s * 1000)
        self._settle = settle
        self._loop = asyncio.get_running_loop()
        self._waiting: defaultdict[int, list[Group]] = defaultdict(list)
        self._sending: dict[int, asyncio.Task[None]] = {}

    def add(self, group: Group) -> None:
        """Send the group as soon as its broker has answered the last request; until then it may be filled."""
        if group.is_settled:  # given up while it waited for its next try
            return
        broker = self._client.cluster.leader_for_partition(group.lane.topic_partition)
        if broker is None or broker < 0:
            self._try_later(group, stale=True)
            return
        self._waiting[broker].append(group)
        if broker not in self._sending:
            # The task begins in the loop's next round: what comes in this one goes along.
            self._sending[broker] = self._loop.create_task(self._send_all(broker))

    async def close(self) -> None:
        """End what is under way. The client should be closed by now; its groups are nobody's any more."""
        tasks = list(self._sending.values())
        for task in tasks:
            task.cancel()
        if tasks:
            await asyncio.wait(tasks)

    async def _send_all(self, broker: int) -> None:
        try:
            while groups := self._next(broker):
                await self._send(broker, groups)
        finally:
            del self._sending[broker]

    def _next(self, broker: int) -> list[Group]:
        """The groups of the next request, which has room for one of each partition; they are filled no more."""
        groups: dict[Any, Group] = {}
        left: list[Group] = []
        for group in self._waiting.pop(broker, ()):
            if group.is_settled:
                continue
            if group.lane in groups:
                left.append(group)
            else:
                groups[group.lane] = group
                group.close()
        if left:
            self._waiting[broker] = left
        return list(groups.values())

    async def _send(self, broker: int, groups: list[Group]) -> None:
        topics: defaultdict[str, list[tuple[int, bytes]]] = defaultdict(list)
        for group in groups:
            topics[group.lane.topic].append((group.lane.partition, group.batch))
        request = ProduceRequest(None, _ACKS_ALL, self._timeout_ms, list(topics.items()))
        try:
            response = await self._client.send(broker, request)
        except KafkaError as exc:
            for group in groups:
                self._judge(group, exc)
            return
        codes = {
            (topic, partition[0]): partition[1]
            for topic, partitions in response.topics
            for partition in partitions
        }
        for group in groups:
            error = for_code(codes[group.lane.topic_partition])
            self._judge(group, None if error is NoError else error())

    def _judge(self, group: Group, error: KafkaError | None) -> None:
        if error is not None and error.retriable:
            self._try_later(group, stale=error.invalid_metadata)
        else:
            self._settle(group, error)

    def _try_later(self, group: Group, *, stale: bool) -> None:
        """Until it is given up; `stale`: another broker may lead its partition now."""
        if stale:
            self._client.force_metadata_update()
        self._loop.call_later(RETRY_S, self.add, group)
