"""Faults of the brokers and of the network before them."""

import asyncio
import os
import signal
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from typing import Any

from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.admin.config_resource import ConfigResource, ConfigResourceType
from aiokafka.errors import KafkaError, for_code

from runtime.topics import wanted_topics
from schemas.settings import Settings
from tests.chaos.fault import Scene, fault
from tests.chaos.waiting import until

SMALL_RECORD_BYTES = 1200  # some of the simulated calls are larger
SPOOLING_TIMEOUT_S = 10.0


@asynccontextmanager
async def brokers_frozen(scene: Scene) -> AsyncIterator[None]:
    """Kafka away: every broker is stopped in its tracks, its connections stay open."""
    brokers = [broker for broker in scene.stack.kafka.brokers if broker.pid is not None]
    pids = [broker.pid for broker in brokers if broker.pid is not None]
    try:
        for pid in pids:
            _signal(pid, signal.SIGSTOP)
        yield
    finally:
        for pid in pids:
            _signal(pid, signal.SIGCONT)


async def spooling(scene: Scene, since: float) -> bool:
    """Whether the receivers have come to answer from their spool."""
    return await until(lambda: more(scene, "spooled", since), timeout_s=SPOOLING_TIMEOUT_S)


@fault("leader-killed", hold_s=(3, 6))
async def leader_killed(scene: Scene) -> int:
    kafka, settings = scene.stack.kafka, scene.stack.direct
    led = (await leaders(settings))[0]
    await asyncio.to_thread(kafka.stop_broker, led, kill=True)
    try:
        await scene.hold()
        moved = await until(lambda: _leads_no_more(settings, led), timeout_s=15.0)
    finally:
        await asyncio.to_thread(kafka.start_broker, led)
    return int(moved)


@fault("two-brokers-killed", hold_s=(4, 8))
async def two_brokers_killed(scene: Scene) -> int:
    """Below min.insync, and no quorum of controllers."""
    kafka = scene.stack.kafka
    before = await scene.answers("spooled")
    killed = scene.rng.sample(range(len(kafka.brokers)), 2)
    for index in killed:
        await asyncio.to_thread(kafka.stop_broker, index, kill=True)
    try:
        happened = await spooling(scene, before)
        await scene.hold()
    finally:
        for index in killed:
            kafka.start_broker(index, wait=False)
        await asyncio.to_thread(kafka.wait_ready)
    return int(happened)


@fault("brokers-frozen", hold_s=(5, 12))
async def all_frozen(scene: Scene) -> int:
    before = await scene.answers("spooled")
    async with brokers_frozen(scene):
        happened = await spooling(scene, before)
        await scene.hold()
    return int(happened)


@fault("rolling-restart", hold_s=(1, 2))
async def rolling_restart(scene: Scene) -> int:
    kafka = scene.stack.kafka
    for index in range(len(kafka.brokers)):
        await asyncio.to_thread(kafka.stop_broker, index)
        await asyncio.to_thread(kafka.start_broker, index)
        await scene.hold()
    return len(kafka.brokers)


@fault("kafka-connections-reset", hold_s=(4, 8))
async def connections_reset(scene: Scene) -> int:
    broken = 0
    until_s = asyncio.get_running_loop().time() + scene.hold_s
    while asyncio.get_running_loop().time() < until_s:
        broken += scene.rng.choice(scene.stack.kafka_proxies).break_off()
        await asyncio.sleep(scene.rng.uniform(0.2, 1.0))
    return broken


@fault("kafka-latency", hold_s=(4, 8))
async def latency(scene: Scene) -> int:
    """Longer than a receiver waits for some, shorter for others."""
    proxies = scene.stack.kafka_proxies
    before = sum(proxy.counted["delayed"] for proxy in proxies)
    try:
        for proxy in proxies:
            proxy.delay_s = scene.rng.uniform(0.1, 0.4)
        await scene.hold()
    finally:
        for proxy in proxies:
            proxy.delay_s = 0.0
    return sum(proxy.counted["delayed"] for proxy in proxies) - before


@fault("kafka-answers-swallowed", hold_s=(4, 8))
async def answers_swallowed(scene: Scene) -> int:
    """Requests arrive and are done, their answers never come; the connections do not know it."""
    proxies = scene.stack.kafka_proxies
    before = sum(proxy.counted["swallowed"] for proxy in proxies)
    try:
        for proxy in proxies:
            proxy.swallows_answers = True
        await scene.hold()
    finally:
        for proxy in proxies:
            proxy.swallows_answers = False
            proxy.break_off()  # what was lost of a stream cannot come again
    return sum(proxy.counted["swallowed"] for proxy in proxies) - before


@fault("record-limit-lowered", hold_s=(4, 6))
async def record_limit_lowered(scene: Scene) -> int:
    settings = scene.stack.direct
    topic = wanted_topics(settings)[0]
    before = await scene.answers("dead")
    try:
        await configure_topic(settings, topic.topic_configs | {"max.message.bytes": str(SMALL_RECORD_BYTES)})
        await until(lambda: more(scene, "dead", before), timeout_s=SPOOLING_TIMEOUT_S)
        await scene.hold()
        return int(await scene.answers("dead") - before)
    finally:
        await configure_topic(settings, topic.topic_configs)


async def leaders(settings: Settings) -> list[int]:
    """The broker that leads each partition of the topic."""
    admin = AIOKafkaAdminClient(bootstrap_servers=settings.kafka_bootstrap)
    await admin.start()
    try:
        described = (await admin.describe_topics([settings.kafka_topic]))[0]
    finally:
        await admin.close()
    partitions = sorted(described["partitions"], key=lambda one: int(one["partition"]))
    return [int(partition["leader"]) for partition in partitions]


async def _leads_no_more(settings: Settings, broker: int) -> bool:
    try:
        return broker not in await leaders(settings)
    except KafkaError:  # it asked the one that is gone
        return False


async def configure_topic(settings: Settings, configs: dict[str, Any]) -> None:
    """Set all of a topic's configuration: the request knows no single one."""
    admin = AIOKafkaAdminClient(bootstrap_servers=settings.kafka_bootstrap)
    await admin.start()
    try:
        resource = ConfigResource(ConfigResourceType.TOPIC, settings.kafka_topic, configs)
        responses: list[Any] = await admin.alter_configs([resource])
        for code, message, *_ in (one for response in responses for one in response.resources):
            if code:
                raise for_code(code)(message)
    finally:
        await admin.close()


async def more(scene: Scene, outcome: str, than: float) -> bool:
    return await scene.answers(outcome) > than


def _signal(pid: int, number: signal.Signals) -> None:
    with suppress(ProcessLookupError):
        os.kill(pid, number)
