"""Faults of the receivers, and of the disk that their spool is on."""

import asyncio
import resource
import signal
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from tests.chaos.fault import Scene, fault
from tests.chaos.faults_brokers import brokers_frozen, spooling
from tests.chaos.mount import LEFT_BYTES
from tests.chaos.processes import Process
from tests.chaos.seams import FSYNC_ERROR, SLOW_FSYNC
from tests.chaos.waiting import until

FIRE_TIMEOUT_S = 20.0
FSYNC_ERRORS = 3
FILE_LIMIT_BYTES = 512 * 1024  # beyond what the log of the process, whose limit it is too, has come to


@fault("receiver-killed", hold_s=(4, 8), excuses=("unanswered",))
async def killed(scene: Scene) -> int:
    """At random instants, sometimes both at once."""
    return await kill_at_random(scene)


@fault("receiver-killed-kafka-away", hold_s=(5, 9), excuses=("unanswered",))
async def killed_kafka_away(scene: Scene) -> int:
    before = await scene.answers("spooled")
    async with brokers_frozen(scene):
        if not await spooling(scene, before):
            return 0
        return await kill_at_random(scene)


@fault("receiver-killed-at-append", hold_s=(1, 3), excuses=("unanswered",))
async def killed_at_append(scene: Scene) -> int:
    """Before and after the commit of the spool."""
    async with brokers_frozen(scene):
        fired = 0
        for point in ("before-append", "after-append"):
            fired += await fire(scene, point)
            await scene.hold()
        return fired if fired == 2 else 0


@fault("receiver-killed-while-draining", hold_s=(3, 5), excuses=("unanswered",))
async def killed_while_draining(scene: Scene) -> int:
    """Between what Kafka has confirmed and what the spool forgets."""
    before = await scene.answers("spooled")
    async with brokers_frozen(scene):
        if not await spooling(scene, before):
            return 0
        await scene.hold()
    fired = await fire(scene, "before-forget")
    return fired + await fire(scene, "after-forget")


@fault("receiver-stopped", hold_s=(2, 4), excuses=("unanswered", "stopping"))
async def stopped(scene: Scene) -> int:
    """SIGTERM under load: it finishes what it has, and exits with 0."""
    receiver = scene.rng.choice(scene.stack.receivers)
    starts = receiver.starts
    if not receiver.send(signal.SIGTERM):
        return 0
    ended = await until(lambda: receiver.starts > starts, timeout_s=FIRE_TIMEOUT_S)
    await scene.hold()
    return int(ended)


@fault("receiver-frozen", hold_s=(8, 15), excuses=("unanswered",))
async def frozen(scene: Scene) -> int:
    receiver = scene.rng.choice(scene.stack.receivers)
    receiver.send(signal.SIGSTOP)
    try:
        happened = await until(lambda: receiver.state() == "T", timeout_s=2.0)
        await scene.hold()
    finally:
        receiver.send(signal.SIGCONT)
    return int(happened)


@fault("spool-disk-full", hold_s=(4, 8), needs_small_disk=True)
async def disk_full(scene: Scene) -> int:
    """With Kafka there: nothing may be refused. A spool that is still drained would make room again."""
    await until(lambda: _nothing_spooled(scene), timeout_s=FIRE_TIMEOUT_S)
    async with _full_disk(scene):
        await scene.hold()
        return int(scene.stack.disk.room_bytes() <= LEFT_BYTES)


@fault("spool-disk-full-kafka-away", hold_s=(4, 8), excuses=("closed",), needs_small_disk=True)
async def disk_full_kafka_away(scene: Scene) -> int:
    """No durable place is open: 503 is the only honest answer. Then the disk has room again, Kafka not yet."""
    refused, spooled = await scene.answers("unavailable"), await scene.answers("spooled")
    async with brokers_frozen(scene):
        if not await spooling(scene, spooled):
            return 0
        async with _full_disk(scene):
            happened = await until(lambda: _refuse(scene, refused), timeout_s=FIRE_TIMEOUT_S)
            await scene.hold()
        await spooling(scene, await scene.answers("spooled"))
    return int(happened)


@fault("spool-file-limit", hold_s=(5, 8))
async def file_limit(scene: Scene) -> int:
    """The spool's file may not grow; a new one may be begun, so that nothing has to be refused."""
    before = await scene.answers("spooled")
    async with brokers_frozen(scene):
        if not await spooling(scene, before):
            return 0
        limited = [_limit(receiver) for receiver in scene.stack.receivers]
        try:
            await scene.hold()
        finally:
            for receiver in scene.stack.receivers:
                _unlimit(receiver)
    return sum(limited)


@fault("spool-fsync-error", hold_s=(2, 4))
async def fsync_error(scene: Scene) -> int:
    """One at a time: the next file takes the records, so that nothing has to be refused."""
    async with brokers_frozen(scene):
        fired = 0
        for point in ("before-append", "after-append") * FSYNC_ERRORS:
            fired += await fire(scene, f"{FSYNC_ERROR}-{point}")
        await scene.hold()
        return fired


@fault("spool-fsync-slow", hold_s=(4, 8))
async def slow_fsync(scene: Scene) -> int:
    before = scene.stack.arms.fired(SLOW_FSYNC)
    async with brokers_frozen(scene):
        scene.stack.arms.arm(SLOW_FSYNC, 1000)
        try:
            await scene.hold()
        finally:
            scene.stack.arms.disarm(SLOW_FSYNC)
    return scene.stack.arms.fired(SLOW_FSYNC) - before


async def fire(scene: Scene, point: str, times: int = 1) -> int:
    """Arm a point and wait until so many processes have failed there; returns how many have."""
    arms = scene.stack.arms
    before = arms.fired(point)
    arms.arm(point, times)
    try:
        await until(lambda: arms.fired(point) - before >= times, timeout_s=FIRE_TIMEOUT_S)
    finally:
        arms.disarm(point)
    return arms.fired(point) - before


async def kill_at_random(scene: Scene) -> int:
    count = 0
    until_s = asyncio.get_running_loop().time() + scene.hold_s
    while asyncio.get_running_loop().time() < until_s:
        await asyncio.sleep(scene.rng.uniform(0.1, 1.5))
        victims = scene.rng.sample(scene.stack.receivers, scene.rng.choice((1, 1, 1, 2)))
        count += sum(victim.send(signal.SIGKILL) for victim in victims)
    return count


@asynccontextmanager
async def _full_disk(scene: Scene) -> AsyncIterator[None]:
    disk = scene.stack.disk
    await asyncio.to_thread(disk.fill)
    try:
        yield
    finally:
        await asyncio.to_thread(disk.empty)


async def _nothing_spooled(scene: Scene) -> bool:
    records, _ = await scene.stack.spooled()
    return records == 0


async def _refuse(scene: Scene, before: float) -> bool:
    return await scene.answers("unavailable") > before


def _limit(receiver: Process) -> bool:
    """Bound the size of any file that the process writes from here on."""
    pid = receiver.child.pid
    if pid is None or not receiver.child.running():
        return False
    soft = receiver.child.log.stat().st_size + FILE_LIMIT_BYTES
    resource.prlimit(pid, resource.RLIMIT_FSIZE, (soft, resource.RLIM_INFINITY))
    return True


def _unlimit(receiver: Process) -> None:
    if receiver.child.pid is not None and receiver.child.running():
        infinite = (resource.RLIM_INFINITY, resource.RLIM_INFINITY)
        resource.prlimit(receiver.child.pid, resource.RLIMIT_FSIZE, infinite)
