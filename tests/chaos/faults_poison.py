"""A fault of what comes in: every record that reaches the topic past the receivers is poison, as fast as it goes."""

import asyncio
import signal
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from tests.chaos.fault import Scene, fault
from tests.chaos.feed import poison
from tests.chaos.poisoner import put_poison
from tests.chaos.processes import Process
from tests.chaos.waiting import until

SOURCES, EVERY_S = 8, 0.01
PAUSED_TIMEOUT_S, RESTART_TIMEOUT_S = 45.0, 30.0
LIMIT = "TCCC_DEAD_MAX_RATIO"
STRICT, NONE = "0.05", "1"


@fault("all-poison", hold_s=(1, 3))
async def all_poison(scene: Scene) -> int:
    """Workers with a strict limit pause for it; with the limit raised they go on. Counted are those that paused."""
    workers = scene.stack.workers
    try:
        await _restart_with(workers, STRICT)
        async with _poisoning(scene):
            await until(lambda: _paused(workers), timeout_s=PAUSED_TIMEOUT_S)
        await scene.hold()
        return await _paused(workers)
    finally:
        await _restart_with(workers, NONE)
        for worker in workers:
            worker.configure(LIMIT, None)  # from its next start on


@asynccontextmanager
async def _poisoning(scene: Scene) -> AsyncIterator[None]:
    putting = [
        asyncio.create_task(
            put_poison(scene.stack.direct, scene.journal, poison(scene.rng.getrandbits(40)), every_s=EVERY_S)
        )
        for _ in range(SOURCES)
    ]
    try:
        yield
    finally:
        for task in putting:
            task.cancel()
        await asyncio.gather(*putting, return_exceptions=True)


async def _restart_with(workers: list[Process], limit: str) -> None:
    starts = [worker.starts for worker in workers]
    for worker in workers:
        worker.configure(LIMIT, limit)
        worker.send(signal.SIGTERM)
    await until(
        lambda: all(worker.starts > was for worker, was in zip(workers, starts, strict=True)),
        timeout_s=RESTART_TIMEOUT_S,
    )


async def _paused(workers: list[Process]) -> int:
    """How many say that they wait for a person, because too much dies."""
    said = [(await worker.get("/readyz"))[1] for worker in workers]
    return sum("TooManyDead" in one for one in said)
