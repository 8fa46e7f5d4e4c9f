"""Publishes records to Kafka by group commit, and knows at any time whether Kafka can be reached.

Records of a partition join its open batch until aiokafka takes that batch, which it does as soon as the
broker has answered the last request: no linger timer, small batches when calm, large ones under load.
"""

import asyncio
import random
from collections.abc import Coroutine
from typing import Any, Self

import structlog
from aiokafka import AIOKafkaProducer
from aiokafka.errors import KafkaError, MessageSizeTooLargeError, RecordListTooLargeError

from receiver.circuit import Circuit
from receiver.groups import Group, Lane
from receiver.partitioning import partition_of
from receiver.producer import connect, retire
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
        self._producer: AIOKafkaProducer | None = None
        self._reconnecting = self._circuit()
        self._connected = asyncio.Event()
        self._lost = asyncio.Event()
        self._last_ack_at = 0.0
        self._groups: set[Group] = set()
        self._sends: set[asyncio.Task[None]] = set()
        self._retiring: set[asyncio.Task[None]] = set()
        self._runner: asyncio.Task[None] | None = None

    async def __aenter__(self) -> Self:
        self._runner = self._loop.create_task(self._stay_connected())
        return self

    async def __aexit__(self, *_exc: object) -> None:
        """Give what is in flight its time, then stop; bounded, whatever Kafka does."""
        if self._sends:
            await asyncio.wait(self._sends, timeout=self._settings.ack_timeout_s)
        self._lose("closing")
        if self._runner is not None:
            self._runner.cancel()
            await asyncio.wait([self._runner])
        while self._retiring:
            await asyncio.wait(self._retiring)

    @property
    def connected(self) -> bool:
        """Whether Kafka answered when last asked, and all topics are there."""
        return self._producer is not None

    async def wait_connected(self) -> None:
        await self._connected.wait()

    def publish(self, record: Record, *, insist: bool = False) -> asyncio.Future[None]:
        """Send a record; the future ends when all in-sync replicas have it.

        Raises BrokerAway, at once where Kafka is known to be away, else from the future within
        TCCC_ACK_TIMEOUT_S; the record may be written all the same. The future raises RecordError
        `too-large` if the topic refuses the record for its size. `insist` tries a partition that just failed.
        """
        producer = self._producer
        if producer is None:
            raise BrokerAway("not connected")
        lane = self._lane(record)
        if not insist and not lane.circuit.admits():
            raise BrokerAway("the partition failed a moment ago")
        waiter: asyncio.Future[None] = self._loop.create_future()
        if lane.group is None or not lane.group.append(record, waiter):
            lane.group = self._open(producer, lane)
            lane.group.append(record, waiter)
        return waiter

    def _lane(self, record: Record) -> Lane:
        lanes = self._lanes[record.topic]
        if record.key is not None:
            return lanes[partition_of(record.key, len(lanes))]
        sound = [lane for lane in lanes if not lane.circuit.failures]
        return random.choice(sound or lanes)  # noqa: S311 -- spreads load, no secret

    def _open(self, producer: AIOKafkaProducer, lane: Lane) -> Group:
        group = Group(lane, producer.create_batch(), self._loop.time())
        group.timer = self._loop.call_later(self._settings.ack_timeout_s, self._expire, group)
        self._groups.add(group)
        self._spawn(self._send(producer, group), self._sends)
        return group

    async def _send(self, producer: AIOKafkaProducer, group: Group) -> None:
        lane = group.lane
        try:
            await (await producer.send_batch(group.builder, lane.topic, partition=lane.partition))
        except (MessageSizeTooLargeError, RecordListTooLargeError):
            self._close(group)
            self._split(producer, group)
        except (KafkaError, AssertionError) as exc:  # aiokafka asserts that a partition still exists
            if group in self._groups:
                self._fail(group, type(exc).__name__)
        else:
            self._last_ack_at = self._loop.time()
            self._reconnecting.succeeded()
            lane.circuit.succeeded()
            self._close(group)
            group.succeed()

    def _split(self, producer: AIOKafkaProducer, group: Group) -> None:
        """Find the record that is too large; its neighbours must not fail with it."""
        self._last_ack_at = self._loop.time()  # an answer, if not the one we want
        entries = group.waiting()
        if producer is not self._producer:
            group.fail(BrokerAway("the producer was replaced"))
            return
        if len(group.entries) == 1:
            limit = f"topic {group.lane.topic} refuses a record of {len(group.entries[0][0].value)} bytes"
            group.fail(RecordError("too-large", limit))
            return
        half = (len(entries) + 1) // 2
        for part in filter(None, (entries[:half], entries[half:])):
            smaller = self._open(producer, group.lane)
            for record, waiter in part:
                smaller.append(record, waiter)
            smaller.builder.close()  # nothing else joins it

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
        if group.timer is not None:
            group.timer.cancel()
        if group.lane.group is group:
            group.lane.group = None

    def _lose(self, why: str) -> None:
        """Have the producer replaced; what waits for it is given up at once."""
        if self._producer is None:
            return
        self._producer = None
        self._connected.clear()
        self._lost.set()
        for group in list(self._groups):
            self._close(group)
            group.fail(BrokerAway(why))

    async def _stay_connected(self) -> None:
        while True:
            try:
                producer = await connect(self._settings, self._topics)
            except BrokerAway as exc:
                log.warning("kafka_away", detail=str(exc))
            else:
                self._adopt(producer)
                try:
                    await self._lost.wait()
                finally:
                    self._spawn(_retire(producer, frozenset(self._sends)), self._retiring)
            wait_s = self._reconnecting.next_wait_s()
            self._reconnecting.failed()
            await asyncio.sleep(wait_s)

    def _adopt(self, producer: AIOKafkaProducer) -> None:
        producer.client.cluster.add_listener(self._note_partitions)
        self._note_partitions(producer.client.cluster)
        self._lost.clear()
        self._producer = producer
        self._connected.set()
        log.info("kafka_connected", topics=list(self._topics))

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

    def _spawn(self, work: Coroutine[Any, Any, None], tasks: set[asyncio.Task[None]]) -> None:
        task = self._loop.create_task(work)
        tasks.add(task)
        task.add_done_callback(tasks.discard)


async def _retire(producer: AIOKafkaProducer, sends: frozenset[asyncio.Task[None]]) -> None:
    await retire(producer)
    for send in sends:
        send.cancel()  # aiokafka leaves those waiting for ever that wait for metadata
