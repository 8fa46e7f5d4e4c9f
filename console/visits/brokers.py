"""What the console asks Kafka: one short visit under a deadline, with its faults told in words."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Collection
from contextlib import asynccontextmanager
from typing import Any

from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.admin.config_resource import ConfigResource, ConfigResourceType
from aiokafka.coordinator.protocol import ConsumerProtocolMemberAssignment
from aiokafka.errors import (
    GroupCoordinatorNotAvailableError,
    KafkaConnectionError,
    KafkaError,
    UnknownTopicOrPartitionError,
)
from msgspec import Struct

from runtime.kafka import client_options
from runtime.kafka_access import require_access
from schemas.errors import AccessRefused, BrokerAway
from schemas.settings import Settings

DEADLINE_S = 5.0
_REQUEST_TIMEOUT_MS = 3000
_CLOSE_S = 1.0
_AGAIN_S = 0.1


class Partition(Struct, frozen=True):
    """`leader` is None while there is none; `in_sync` counts the replicas that are."""

    number: int
    leader: int | None
    replicas: int
    in_sync: int


class Topic(Struct, frozen=True):
    name: str
    partitions: list[Partition]
    configs: dict[str, str]  # none where the login may not see them

    @property
    def replication(self) -> int:
        return min(partition.replicas for partition in self.partitions)

    def config(self, name: str) -> str:
        """Raises AccessRefused if the login may not see it."""
        if name not in self.configs:
            raise AccessRefused(
                f"Kafka does not show this login the settings of topic {self.name}: grant it DescribeConfigs there"
            )
        return self.configs[name]


class Offsets(Struct, frozen=True):
    """Of a partition: its oldest record, and where the next one will be."""

    begin: int
    end: int


class Member(Struct, frozen=True):
    """Of a consumer group, with its partitions of all topics."""

    name: str
    partitions: list[TopicPartition]


class Group(Struct, frozen=True):
    state: str
    members: list[Member]


class Brokers:
    """Made by `visiting`; every method may raise aiokafka's errors, which that translates."""

    def __init__(self, admin: AIOKafkaAdminClient, consumer: AIOKafkaConsumer) -> None:
        self._admin = admin
        self._consumer = consumer

    async def ids(self) -> list[int]:
        """The brokers that are alive."""
        return sorted(broker["node_id"] for broker in (await self._admin.describe_cluster())["brokers"])

    async def topic(self, name: str) -> Topic | None:
        """None if there is no such topic, or one of the brokers asked has not heard of it yet."""
        # All of them: brokers that create topics by themselves do so for one that is asked for by its name.
        known: list[dict[str, Any]] = await self._admin.describe_topics()
        described = next((each for each in known if each["topic"] == name), None)
        if described is None or not described["partitions"]:
            return None
        configs = await self._configs(name)
        if configs is None:
            return None
        partitions = [_partition(facts) for facts in described["partitions"]]
        return Topic(name, sorted(partitions, key=lambda partition: partition.number), configs)

    async def offsets(self, topic: Topic) -> dict[int, Offsets]:
        partitions = _all_of(topic)
        begins, ends = await asyncio.gather(
            self._consumer.beginning_offsets(partitions), self._consumer.end_offsets(partitions)
        )
        return {p.partition: Offsets(begins[p], ends[p]) for p in partitions}

    async def records_since(self, topic: Topic, since_ms: int) -> int:
        """How many records the brokers have got since then (ms since the epoch)."""
        partitions = _all_of(topic)
        found, ends = await asyncio.gather(
            self._consumer.offsets_for_times(dict.fromkeys(partitions, since_ms)),
            self._consumer.end_offsets(partitions),
        )
        return sum(ends[p] - at.offset for p in partitions if (at := found.get(p)) is not None)

    async def committed(self, group: str, topic: Topic) -> dict[int, int]:
        """The group's next offset by partition, without those that it never committed."""
        coordinator = await self._coordinator(group)
        found = await self._admin.list_consumer_group_offsets(
            group, group_coordinator_id=coordinator, partitions=_all_of(topic)
        )
        return {p.partition: at.offset for p, at in found.items() if at.offset >= 0}

    async def group(self, name: str) -> Group:
        coordinator = await self._coordinator(name)
        answer: Any = (await self._admin.describe_consumer_groups([name], group_coordinator_id=coordinator))[
            0
        ]
        _error, _name, state, _type, _protocol, members = answer.groups[0]
        return Group(state, [_member(*facts) for facts in members])

    async def _coordinator(self, group: str) -> int:
        """Wait for the one that a fresh cluster makes at the first question for it."""
        while True:
            try:
                return await self._admin.find_coordinator(group)
            except GroupCoordinatorNotAvailableError:
                await asyncio.sleep(_AGAIN_S)

    async def _configs(self, topic: str) -> dict[str, str] | None:
        """None where the broker does not know the topic: it need not be the one that named it."""
        wanted = ConfigResource(ConfigResourceType.TOPIC, topic)
        answer: Any = (await self._admin.describe_configs([wanted]))[0]
        error, _message, _type, _name, entries = answer.resources[0]
        if error == UnknownTopicOrPartitionError.errno:
            return None
        return {entry[0]: entry[1] for entry in entries}


@asynccontextmanager
async def visiting(settings: Settings, *, deadline_s: float = DEADLINE_S) -> AsyncIterator[Brokers]:
    """Connect for a block of at most so long; raises BrokerAway, in words for an operator."""
    options = client_options(settings) | {"request_timeout_ms": _REQUEST_TIMEOUT_MS}
    admin = AIOKafkaAdminClient(**options)
    consumer: AIOKafkaConsumer = AIOKafkaConsumer(**options, enable_auto_commit=False)
    try:
        async with asyncio.timeout(deadline_s):
            await admin.start()
            await consumer.start()
            yield Brokers(admin, consumer)
    except (KafkaError, TimeoutError) as exc:
        raise BrokerAway(
            f"Kafka at {settings.kafka_bootstrap}: {await _matter(settings, exc, deadline_s)}"
        ) from exc
    finally:
        with contextlib.suppress(KafkaError, TimeoutError):
            async with asyncio.timeout(_CLOSE_S):
                await asyncio.gather(consumer.stop(), admin.close())


async def _matter(settings: Settings, error: KafkaError | TimeoutError, deadline_s: float) -> str:
    try:
        await require_access(settings)
    except AccessRefused as exc:
        return str(exc)
    if isinstance(error, KafkaConnectionError):
        return "no broker answers; see 'tccc doctor'"
    if isinstance(error, TimeoutError):
        return f"no answer within {deadline_s:.0f} s; see 'tccc doctor'"
    return type(error).__name__


def _partition(facts: dict[str, Any]) -> Partition:
    leader = facts["leader"] if facts["leader"] >= 0 else None
    return Partition(facts["partition"], leader, len(facts["replicas"]), len(facts["isr"]))


def _member(member_id: str, client_id: str, host: str, _metadata: bytes, assignment: bytes) -> Member:
    """A member whose partitions are being shared out has none."""
    decoded = ConsumerProtocolMemberAssignment.decode(assignment) if assignment else None
    name = f"{client_id}{host} {member_id.removeprefix(client_id)[1:9]}"
    return Member(name, decoded.partitions() if decoded else [])


def _all_of(topic: Topic) -> list[TopicPartition]:
    return [TopicPartition(topic.name, partition.number) for partition in topic.partitions]


def numbers(partitions: Collection[TopicPartition], topic: str) -> list[int]:
    """The partitions of one topic among them."""
    return sorted(p.partition for p in partitions if p.topic == topic)
