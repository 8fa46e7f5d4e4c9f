"""Faults of the disks that the servers keep their data on: Postgres' and one broker's have no room."""

import asyncio
import re
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from pathlib import Path

import asyncpg

from tests.chaos.fault import Scene, fault
from tests.chaos.faults_brokers import leaders, more
from tests.chaos.small_disk import SmallDisk
from tests.chaos.waiting import until

FULL_TIMEOUT_S, SETTLE_S = 30.0, 5.0
SEGMENTS = 20  # of its log; that many may be there in advance
# Of Postgres' statements and of the server itself; who connects to a full one is refused with FATAL.
_NO_SPACE = rb"ERROR: .*No space left on device"
_DOWN = rb"PANIC: .*No space left on device"
_NEXT_SEGMENT = "SELECT pg_logical_emit_message(false, 'chaos', ''), pg_switch_wal()"


@fault("postgres-disk-full", hold_s=(3, 6), needs_small_disk=True)
async def postgres_disk_full(scene: Scene) -> int:
    """First tables cannot grow, and transactions fail; then its log cannot, and the server does. It counts both."""
    postgres = scene.stack.postgres
    async with _on_small_disk(postgres.data, postgres.stop, postgres.start) as disk:
        log = _Said(postgres.home / "postgres.log")
        await asyncio.to_thread(disk.fill)
        try:
            refused = await until(lambda: log.count(_NO_SPACE), timeout_s=FULL_TIMEOUT_S)
            await scene.hold()
            await _use_up_segments(scene)
            down = await until(lambda: log.count(_DOWN), timeout_s=FULL_TIMEOUT_S)
            happened = log.count(_NO_SPACE) + log.count(_DOWN)
            # It tries to recover at once, and mostly finds no room for that either.
            await until(lambda: not postgres.running(), timeout_s=SETTLE_S)
        finally:
            await asyncio.to_thread(disk.empty)
        await asyncio.to_thread(postgres.start)  # with room, where it went down
    return happened if refused and down else 0


@fault("broker-disk-full", hold_s=(4, 8), needs_small_disk=True)
async def broker_disk_full(scene: Scene) -> int:
    """It goes down by itself; the other two go on confirming."""
    kafka = scene.stack.kafka
    index = (await leaders(scene.stack.direct))[0]
    broker = kafka.brokers[index]

    def stop() -> None:
        kafka.stop_broker(index)

    def start() -> None:
        kafka.start_broker(index)

    async with _on_small_disk(broker.home / "data", stop, start) as disk:
        await asyncio.to_thread(disk.fill)
        try:
            down = await until(lambda: not broker.running(), timeout_s=FULL_TIMEOUT_S)
            confirmed = await scene.answers("taken")
            others_confirm = await until(lambda: more(scene, "taken", confirmed), timeout_s=FULL_TIMEOUT_S)
            await scene.hold()
        finally:
            await asyncio.to_thread(disk.empty)
    return int(down and others_confirm)


@asynccontextmanager
async def _on_small_disk(
    folder: Path, stop: Callable[[], None], start: Callable[[], None]
) -> AsyncIterator[SmallDisk]:
    """The server runs on a disk of its own for the length of the block; it is restarted for it, and after it."""
    disk = SmallDisk(folder)
    await asyncio.to_thread(stop)
    try:
        await asyncio.to_thread(disk.move_in)
        try:
            await asyncio.to_thread(start)
            yield disk
        finally:
            await asyncio.to_thread(stop)
            await asyncio.to_thread(disk.move_out)
    finally:
        await asyncio.to_thread(start)


class _Said:
    """What is new in a server's log since this was made."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._begun = path.stat().st_size

    def count(self, pattern: bytes) -> int:
        with self._path.open("rb") as file:
            file.seek(self._begun)
            return len(re.findall(pattern, file.read()))


async def _use_up_segments(scene: Scene) -> None:
    """Have Postgres begin segments of its log until there is no room for another."""
    with suppress(OSError, asyncpg.PostgresError, asyncpg.InterfaceError):
        for _ in range(SEGMENTS):
            await scene.stack.execute(_NEXT_SEGMENT)
