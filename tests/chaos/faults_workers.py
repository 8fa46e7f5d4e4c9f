"""Faults of the workers and of their consumer group."""

import asyncio
import signal

from aiokafka import AIOKafkaConsumer

from tests.chaos.fault import Scene, fault
from tests.chaos.faults_receivers import fire
from tests.chaos.seams import CLOCK_AHEAD_S
from tests.chaos.waiting import until

KILLS = 2
REBALANCE_EVERY_S = 2.0
HOUR_S = 3600.0
# Beyond the session time-out: the others hear of it at their next heartbeat, and join anew.
TAKEN_OVER_WITHIN_S = 30.0


@fault("worker-killed-in-copy", hold_s=(1, 2))
async def killed_in_copy(scene: Scene) -> int:
    return await fire(scene, "mid-copy", KILLS)


@fault("worker-killed-before-commit", hold_s=(1, 2))
async def killed_before_commit(scene: Scene) -> int:
    return await fire(scene, "before-commit", KILLS)


@fault("worker-killed-after-commit", hold_s=(1, 2))
async def killed_after_commit(scene: Scene) -> int:
    """Between COMMIT and the offsets' commit."""
    return await fire(scene, "after-commit", KILLS)


@fault("worker-killed-after-dead-letter", hold_s=(1, 2))
async def killed_after_dead_letter(scene: Scene) -> int:
    """Between a dead letter's confirmation and COMMIT."""
    return await fire(scene, "after-dead-letter", KILLS)


@fault("worker-killed", hold_s=(3, 6))
async def killed(scene: Scene) -> int:
    count = 0
    until_s = asyncio.get_running_loop().time() + scene.hold_s
    while asyncio.get_running_loop().time() < until_s:
        await asyncio.sleep(scene.rng.uniform(0.3, 1.5))
        count += scene.rng.choice(scene.stack.workers).send(signal.SIGKILL)
    return count


@fault("worker-stopped", hold_s=(1, 2))
async def stopped(scene: Scene) -> int:
    worker = scene.rng.choice(scene.stack.workers)
    starts = worker.starts
    worker.send(signal.SIGTERM)
    return int(await until(lambda: worker.starts > starts, timeout_s=30.0))


@fault("worker-frozen", hold_s=(12, 15))
async def frozen(scene: Scene) -> int:
    """Past the session time-out: its partitions go to others, and it wakes up as a zombie."""
    workers = scene.stack.workers
    victim = scene.rng.choice(workers)
    others = [worker for worker in workers if worker is not victim]

    async def counted() -> float:
        return sum([await other.metric("tccc_rebalances_total") for other in others])

    async def lost() -> bool:
        return await counted() > before

    before = await counted()
    victim.send(signal.SIGSTOP)
    try:
        await scene.hold()
        happened = await until(lost, timeout_s=TAKEN_OVER_WITHIN_S)
    finally:
        victim.send(signal.SIGCONT)
    return int(happened)


@fault("rebalances", hold_s=(8, 12))
async def rebalances(scene: Scene) -> int:
    """One more member joins and leaves every two seconds, and settles nothing."""
    settings = scene.stack.direct
    count = 0
    until_s = asyncio.get_running_loop().time() + scene.hold_s
    while asyncio.get_running_loop().time() < until_s:
        member = AIOKafkaConsumer(
            settings.kafka_topic,
            bootstrap_servers=settings.kafka_bootstrap,
            group_id=settings.kafka_group,
            enable_auto_commit=False,
        )
        await member.start()
        try:
            count += bool(member.assignment())
            await asyncio.sleep(REBALANCE_EVERY_S)
        finally:
            await member.stop()
    return count


@fault("clock-moved", hold_s=(5, 8))
async def clock_moved(scene: Scene) -> int:
    """Receivers and workers live an hour ago, or an hour ahead; counted whenever one of them looks."""
    arms = scene.stack.arms
    before = arms.fired(CLOCK_AHEAD_S)
    arms.set_value(CLOCK_AHEAD_S, scene.rng.choice((-HOUR_S, HOUR_S)))
    try:
        await scene.hold()
    finally:
        arms.set_value(CLOCK_AHEAD_S, 0.0)
    return arms.fired(CLOCK_AHEAD_S) - before
