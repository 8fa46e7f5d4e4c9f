"""Publishing on a real broker: partitions, sizes, outages; and what the intake makes of them."""

import asyncio
import os
import signal
import socket
import uuid
from collections.abc import AsyncIterator, Iterator
from contextlib import AsyncExitStack, asynccontextmanager, contextmanager

import pytest
from aiokafka.admin import AIOKafkaAdminClient, NewTopic
from aiokafka.partitioner import DefaultPartitioner
from aiokafka.partitioner import murmur2 as reference
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace
from prometheus_client import CollectorRegistry

from deploy.local.kafka import LocalKafka
from receiver.clock import ReceiveClock
from receiver.intake import Intake, Taken
from receiver.metrics import ReceiverMetrics
from receiver.partitioning import partition_of
from receiver.publisher import Publisher
from runtime.kafka import client_options
from runtime.topics import ensure_topics
from schemas.envelope import Record
from schemas.errors import BrokerAway, RecordError, SpoolAway
from schemas.settings import Settings
from tests.conftest import wait_until
from tests.contract.reading import read_topic


@given(st.binary(max_size=300))
def test_the_hash_is_that_of_kafka_in_all_its_bits(key: bytes) -> None:
    assert partition_of(key, 2**31) == reference(key) & 0x7FFFFFFF


@given(st.binary(min_size=1, max_size=40), st.integers(1, 200))
def test_a_key_goes_where_every_kafka_client_sends_it(key: bytes, partitions: int) -> None:
    numbers = list(range(partitions))
    assert partition_of(key, partitions) == DefaultPartitioner()(key, numbers, numbers)


def record(
    settings: Settings, key: str | None = "s-1", value: bytes = b"{}", *, dead: bool = False
) -> Record:
    return Record(
        topic=settings.kafka_dead_topic if dead else settings.kafka_topic,
        key=None if key is None else key.encode(),
        value=value,
        headers=[("action", b"cdr"), ("push-id", value[:20])],
    )


@asynccontextmanager
async def publishing(settings: Settings, *, connected: bool = True) -> AsyncIterator[Publisher]:
    async with Publisher(settings, (settings.kafka_topic, settings.kafka_dead_topic)) as publisher:
        if connected:
            async with asyncio.timeout(30):
                await publisher.wait_connected()
        yield publisher


async def test_records_arrive_as_they_are(topics: Settings) -> None:
    sent = [record(topics, f"s-{number % 40}", b'{"n":%d}' % number) for number in range(400)]
    sent += [record(topics, None, b"letter %d" % number, dead=True) for number in range(10)]
    async with publishing(patient(topics)) as publisher:
        await asyncio.gather(*(publisher.publish(one) for one in sent))
    found = await read_topic(topics, topics.kafka_topic)
    assert {(one.key, one.value, tuple(one.headers)) for one in found} == {
        (one.key, one.value, tuple(one.headers)) for one in sent if one.topic == topics.kafka_topic
    }
    assert len(found) == 400
    for one in found:
        assert one.key is not None
        assert one.partition == partition_of(one.key, topics.topic_partitions)
    for key in {one.key for one in found}:  # one sender's records of one key keep their order
        values = [one.value for one in found if one.key == key]
        assert values == [one.value for one in sent if one.key == key]
    assert len(await read_topic(topics, topics.kafka_dead_topic)) == 10


async def test_a_record_too_large_fails_alone(topics: Settings) -> None:
    small_topic = f"small-{uuid.uuid4().hex}"
    admin = AIOKafkaAdminClient(**client_options(topics))
    await admin.start()
    try:
        configs = {"max.message.bytes": "10000"}
        await admin.create_topics([NewTopic(small_topic, 1, 1, topic_configs=configs)])
    finally:
        await admin.close()
    settings = replace(patient(topics), kafka_topic=small_topic)
    values = [b"%05d" % number + b"x" * 900 for number in range(30)]
    values[7] = b"y" * 20_000
    values[20] = b"z" * 9_800
    async with publishing(settings) as publisher:
        outcomes = await asyncio.gather(
            *(publisher.publish(record(settings, value=value)) for value in values), return_exceptions=True
        )
        assert publisher.connected
    refused = [outcome for outcome in outcomes if outcome is not None]
    assert [type(outcome) for outcome in refused] == [RecordError]
    assert outcomes.index(refused[0]) == 7
    found = await read_topic(settings, small_topic)
    assert sorted(one.value or b"" for one in found) == sorted(values[:7] + values[8:])


async def test_it_starts_while_kafka_is_away(topics: Settings) -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:  # takes connections and never answers
        bootstrap = f"127.0.0.1:{silent.getsockname()[1]}"
        settings = replace(topics, kafka_bootstrap=bootstrap)
        async with publishing(settings, connected=False) as publisher:
            assert not publisher.connected
            with pytest.raises(BrokerAway):
                publisher.publish(record(settings))


async def test_a_topic_that_is_missing_is_waited_for(topics: Settings) -> None:
    settings = replace(topics, kafka_topic=f"later-{uuid.uuid4().hex}")
    async with publishing(patient(settings), connected=False) as publisher:
        with pytest.raises(BrokerAway):
            publisher.publish(record(settings))
        await ensure_topics(settings)
        async with asyncio.timeout(30):
            await publisher.wait_connected()
        await publisher.publish(record(settings))


def patient(settings: Settings) -> Settings:
    """For tests in which Kafka is to confirm, however busy this machine is."""
    return replace(settings, ack_timeout_s=20.0)


@pytest.fixture(scope="module")
def own_kafka(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LocalKafka]:
    """A broker that a test may freeze."""
    kafka = LocalKafka(tmp_path_factory.mktemp("kafka"))
    kafka.start()
    try:
        yield kafka
    finally:
        kafka.stop()


@pytest.fixture
async def own_topics(own_kafka: LocalKafka) -> Settings:
    unique = uuid.uuid4().hex
    settings = Settings(
        kafka_bootstrap=own_kafka.bootstrap,
        kafka_topic=f"push-{unique}",
        kafka_dead_topic=f"dead-{unique}",
        ack_timeout_s=2.0,
    )
    await ensure_topics(settings)
    return settings


@contextmanager
def frozen(kafka: LocalKafka) -> Iterator[None]:
    for pid in kafka.pids:
        os.kill(pid, signal.SIGSTOP)
        os.waitid(os.P_PID, pid, os.WSTOPPED)  # it may answer until then
    try:
        yield
    finally:
        for pid in kafka.pids:
            os.kill(pid, signal.SIGCONT)


@pytest.mark.own_services("freezes its broker")
async def test_a_frozen_broker_is_given_up_and_found_again(
    own_kafka: LocalKafka, own_topics: Settings
) -> None:
    async with publishing(own_topics) as publisher:
        await wait_until(lambda: _published(publisher, record(own_topics, "before")), timeout_s=60)
        with frozen(own_kafka):
            waiting = [publisher.publish(record(own_topics, f"s-{number}")) for number in range(50)]
            outcomes = await asyncio.gather(*waiting, return_exceptions=True)
            assert {type(outcome) for outcome in outcomes} == {BrokerAway}
            assert not publisher.connected
            with pytest.raises(BrokerAway):  # known to be away: at once
                publisher.publish(record(own_topics))
        async with asyncio.timeout(60):
            await publisher.wait_connected()
        await wait_until(lambda: _published(publisher, record(own_topics, "after")), timeout_s=60)
    keys = {one.key for one in await read_topic(own_topics, own_topics.kafka_topic)}
    assert {b"before", b"after"} <= keys


async def _published(publisher: Publisher, one: Record) -> bool:
    try:
        await publisher.publish(one)
    except BrokerAway:
        return False
    return True


@pytest.mark.own_services("freezes its broker")
async def test_closing_is_bounded_while_the_broker_is_frozen(
    own_kafka: LocalKafka, own_topics: Settings
) -> None:
    stack = AsyncExitStack()
    publisher = await stack.enter_async_context(publishing(own_topics))
    with frozen(own_kafka):
        waiting = publisher.publish(record(own_topics))
        async with asyncio.timeout(60):
            await stack.aclose()
        with pytest.raises(BrokerAway):
            await waiting


class FakeSpool:
    """Takes records into a list, or none at all."""

    def __init__(self) -> None:
        self.records: list[Record] = []
        self.full = False

    async def put(self, one: Record) -> None:
        if self.full:
            raise SpoolAway("full")
        self.records.append(one)


def intake(settings: Settings, publisher: Publisher, spool: FakeSpool | None) -> Intake:
    return Intake(settings, publisher, spool, ReceiveClock(), ReceiverMetrics(CollectorRegistry()))


async def test_the_spool_takes_what_kafka_does_not(topics: Settings) -> None:
    spool = FakeSpool()
    async with Publisher(topics, (topics.kafka_topic,)) as publisher:  # not connected yet
        assert await intake(topics, publisher, spool).take(record(topics)) is Taken.SPOOLED
    assert spool.records == [record(topics)]


async def test_with_a_full_spool_kafka_is_waited_for(topics: Settings) -> None:
    spool = FakeSpool()
    spool.full = True
    settings = patient(topics)
    async with publishing(settings, connected=False) as publisher:
        assert await intake(settings, publisher, spool).take(record(settings)) is Taken.PUBLISHED


async def test_without_a_spool_kafka_is_waited_for(topics: Settings) -> None:
    settings = patient(topics)
    async with publishing(settings, connected=False) as publisher:
        assert await intake(settings, publisher, None).take(record(settings)) is Taken.PUBLISHED


async def test_no_durable_place_is_an_error(topics: Settings) -> None:
    settings = replace(topics, kafka_topic=f"missing-{uuid.uuid4().hex}", ack_timeout_s=0.05)
    spool = FakeSpool()
    spool.full = True
    async with publishing(settings, connected=False) as publisher:
        for place in (None, spool):
            with pytest.raises(BrokerAway):
                await intake(settings, publisher, place).take(record(settings))


async def test_a_record_that_its_topic_refuses_is_buried(topics: Settings) -> None:
    large = record(topics, value=b"x" * (2 * 2**20 + 1))
    settings = patient(topics)
    async with publishing(settings) as publisher:
        roads = intake(settings, publisher, FakeSpool())
        assert await roads.take(large) is Taken.DEAD
        assert await roads.publish_all([record(settings), large]) == [None, None]
    letters = await read_topic(settings, settings.kafka_dead_topic)
    assert [(one.key, one.value) for one in letters] == [(b"s-1", large.value)] * 2
    headers = dict(letters[0].headers)
    assert headers["dead-reason"] == b"too-large"
    assert headers["dead-stage"] == b"receive"
    assert headers["push-id"] == b"x" * 20


async def test_what_stays_in_the_spool_is_said_why(topics: Settings) -> None:
    settings = replace(topics, kafka_topic=f"missing-{uuid.uuid4().hex}")
    async with publishing(settings, connected=False) as publisher:
        outcomes = await intake(settings, publisher, FakeSpool()).publish_all([record(settings)] * 2)
    assert [type(outcome) for outcome in outcomes] == [BrokerAway, BrokerAway]
