"""Publishes records to Kafka by group commit, and knows at any time whether Kafka can be reached.

Records of a partition join its open batch until the sender takes that batch, which it does as soon as the
broker has answered the last request: no linger timer, small batches when calm, large ones under load.
"""

import asyncio
import random
from typing import Any, Self

import structlog
from aiokafka import AIOKafkaClient
from aiokafka.errors import KafkaError, MessageSizeTooLargeError, RecordListTooLargeError

from receiver.circuit import Circuit
from receiver.client import close, connect
from receiver.groups import Group, Lane
from receiver.partitioning import partition_of
from receiver.sender import Sender
from schemas.envelope import Record
from schemas.errors import BrokerAway, RecordError
from schemas.settings import Settings

SHORTEST_WAIT_S = 0.1
LONGEST_WAIT_S = 5.0

log = structlog.get_logger()


class Publisher:
    """Use as a context manager; connects in the background, so that it starts while Kafka is away."""

    def __init__(self, settings: Settings, topics: tuple[str, ...]) -> None:
        self._settings = settings
        self._topics = topics
        self._loop = asyncio.get_running_loop()
        self._lanes: dict[str, list[Lane]] = {topic: [] for topic in topics}
        self._sender: Sender | None = None
        self._reconnecting = self._circuit()
        self._connected = asyncio.Event()
        self._lost = asyncio.Event()
        self._last_ack_at = 0.0
        self._groups: set[Group] = set()
        self._retiring: set[asyncio.Task[None]] = set()
        self._runner: asyncio.Task[None] | None = None

    async def __aenter__(self) -> Self:
        self._runner = self._loop.create_task(self._stay_connected())
        return self

    async def __aexit__(self, *_exc: object) -> None:
        """Give what is in flight its time, then stop; bounded, whatever Kafka does."""
        waiting = [waiter for group in self._groups for _, waiter in group.waiting()]
        if waiting:
            await asyncio.wait(waiting, timeout=self._settings.ack_timeout_s)
        self._lose("closing")
        if self._runner is not None:
            self._runner.cancel()
            await asyncio.wait([self._runner])
        while self._retiring:
            await asyncio.wait(self._retiring)

    @property
    def connected(self) -> bool:
        """Whether Kafka answered when last asked, and all topics are there."""
        return self._sender is not None

    async def wait_connected(self) -> None:
        await self._connected.wait()

    def publish(self, record: Record, *, insist: bool = False) -> asyncio.Future[None]:
        """Send a record; the future ends when all in-sync replicas have it.

        Raises BrokerAway, at once where Kafka is known to be away, else from the future within
        TCCC_ACK_TIMEOUT_S; the record may be written all the same. The future raises RecordError
        `too-large` if the topic refuses the record for its size. `insist` tries a partition that just failed.
        """
        sender = self._sender
        if sender is None:
            raise BrokerAway("not connected")
        lane = self._lane(record)
        if not insist and not lane.circuit.admits():
            raise BrokerAway("the partition failed a moment ago")
        waiter: asyncio.Future[None] = self._loop.create_future()
        if lane.group is None or not lane.group.append(record, waiter):
            lane.group = self._open(sender, lane)
            lane.group.append(record, waiter)
        return waiter

    def _lane(self, record: Record) -> Lane:
        lanes = self._lanes[record.topic]
        if record.key is not None:
            return lanes[partition_of(record.key, len(lanes))]
        sound = [lane for lane in lanes if not lane.circuit.failures]
        return random.choice(sound or lanes)  # noqa: S311 -- spreads load, no secret

    def _open(self, sender: Sender, lane: Lane) -> Group:
        group = Group(lane, self._loop.time())
        group.deadline = self._loop.call_later(self._settings.ack_timeout_s, self._expire, group)
        self._groups.add(group)
        sender.add(group)
        return group

    def _settle(self, group: Group, error: KafkaError | None) -> None:
        """Take the sender's word for what became of a group."""
        if error is None:
            self._last_ack_at = self._loop.time()
            self._reconnecting.succeeded()
            group.lane.circuit.succeeded()
            self._close(group)
            group.succeed()
        elif isinstance(error, MessageSizeTooLargeError | RecordListTooLargeError):
            self._close(group)
            self._split(group)
        elif not group.is_settled:
            self._fail(group, type(error).__name__)

    def _split(self, group: Group) -> None:
        """Find the record that is too large; its neighbours must not fail with it."""
        self._last_ack_at = self._loop.time()  # an answer, if not the one we want
        entries = group.waiting()
        if self._sender is None:
            return
        if len(group.entries) == 1:
            limit = f"topic {group.lane.topic} refuses a record of {len(group.entries[0][0].value)} bytes"
            group.fail(RecordError("too-large", limit))
            return
        half = (len(entries) + 1) // 2
        for part in filter(None, (entries[:half], entries[half:])):
            smaller = self._open(self._sender, group.lane)
            for record, waiter in part:
                smaller.append(record, waiter)
            smaller.close()  # nothing else joins it

    def _expire(self, group: Group) -> None:
        self._fail(group, "not confirmed in time")

    def _fail(self, group: Group, why: str) -> None:
        self._close(group)
        group.lane.circuit.failed()
        log.warning(
            "publish_failed",
            topic=group.lane.topic,
            partition=group.lane.partition,
            records=len(group.entries),
            why=why,
        )
        if (
            self._last_ack_at < group.opened_at
        ):  # no partition got an answer meanwhile: it is not this one alone
            self._lose(why)
        group.fail(BrokerAway(why))

    def _close(self, group: Group) -> None:
        self._groups.discard(group)
        group.is_settled = True
        if group.deadline is not None:
            group.deadline.cancel()
        if group.lane.group is group:
            group.lane.group = None

    def _lose(self, why: str) -> None:
        """Have the client replaced; what waits for it is given up at once."""
        if self._sender is None:
            return
        self._sender = None
        self._connected.clear()
        self._lost.set()
        for group in list(self._groups):
            self._close(group)
            group.fail(BrokerAway(why))

    async def _stay_connected(self) -> None:
        while True:
            try:
                client = await connect(self._settings, self._topics)
            except BrokerAway as exc:
                log.warning("kafka_away", detail=str(exc))
            else:
                sender = self._adopt(client)
                try:
                    await self._lost.wait()
                finally:
                    retiring = self._loop.create_task(_retire(client, sender))
                    self._retiring.add(retiring)
                    retiring.add_done_callback(self._retiring.discard)
            wait_s = self._reconnecting.next_wait_s()
            self._reconnecting.failed()
            await asyncio.sleep(wait_s)

    def _adopt(self, client: AIOKafkaClient) -> Sender:
        client.cluster.add_listener(self._note_partitions)
        self._note_partitions(client.cluster)
        self._lost.clear()
        self._sender = Sender(client, self._settings.ack_timeout_s, self._settle)
        self._connected.set()
        log.info("kafka_connected", topics=list(self._topics))
        return self._sender

    def _note_partitions(self, cluster: Any) -> None:
        """Called on each refresh of the metadata. A topic that is gone keeps its lanes, which then fail."""
        for topic, lanes in self._lanes.items():
            count = len(cluster.partitions_for_topic(topic) or ())
            if count and count != len(lanes):
                added = range(len(lanes), count)
                self._lanes[topic] = [
                    *lanes[:count],
                    *(Lane(topic, number, self._circuit()) for number in added),
                ]

    def _circuit(self) -> Circuit:
        return Circuit(self._loop.time, shortest_s=SHORTEST_WAIT_S, longest_s=LONGEST_WAIT_S)


async def _retire(client: AIOKafkaClient, sender: Sender) -> None:
    await close(client)
    await sender.close()
