"""Drills: one fault many times, on whatever Kafka and Postgres there are, and the auditor after it.

They have no proxies and touch no service, so that tests can share one.
"""

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from random import Random

import asyncpg
from msgspec import Struct
from msgspec.structs import replace

from receiver.spool.inspection import inspect
from schemas.settings import Settings
from tests.chaos.arms import Arms
from tests.chaos.audit import Report, audit
from tests.chaos.driver import Driver
from tests.chaos.evidence import Window
from tests.chaos.feed import CONSTRAINT, Shares, feed, poison
from tests.chaos.gather import gather, is_consumed, topic_size
from tests.chaos.journal import Journal, Past
from tests.chaos.mutants import EXPOSED
from tests.chaos.poisoner import put_poison
from tests.chaos.roles import Roles
from tests.chaos.waiting import until

AWAY = "127.0.0.1:1"  # nobody listens there
FIRE_TIMEOUT_S = 30.0
DEFECT_PUSHES, DEFECT_KILLS = 500, 3
DRAINED_WITHIN_S = 120.0
CHAOS = {"dead_per_minute": 1_000_000, "store_timeout_s": 10.0, "revoke_grace_s": 5.0}

Act = Callable[[Roles], Awaitable[int]]


class Drill(Struct, frozen=True, kw_only=True):
    """Topics, group, database and spool of `settings` are the drill's own, and empty."""

    settings: Settings
    home: Path
    seed: int = 1
    rate_per_s: float = 150.0
    mutant: str | None = None
    least_pushes: int = 0  # to go on until so many were sent, also if the faults are over


async def kill_receivers(drill: Drill, *, times: int, kafka_away: bool) -> tuple[int, Report]:
    """kill -9 of one of two receivers at random instants; returns how many were killed, and the report."""
    rng = Random(f"kill/{drill.seed}")

    async def act(roles: Roles) -> int:
        killed = 0
        while killed < times:
            victim = rng.choice(roles.receivers)
            await until(victim.ready, timeout_s=FIRE_TIMEOUT_S)  # one that serves nobody has nothing to lose
            await asyncio.sleep(rng.uniform(0.02, 0.5))
            killed += victim.kill()
        return killed

    if not kafka_away:
        return await _drill(drill, act, Shares(), workers=1)
    away = replace(drill, settings=replace(drill.settings, kafka_bootstrap=AWAY))
    killed = await _drive(away, act, Shares(), workers=0)
    return killed, await _settle(drill, Roles(drill.home, drill.settings, receivers=1, workers=1))


async def kill_workers(drill: Drill, *, times: int, points: Sequence[str]) -> tuple[int, Report]:
    """kill -9 of a worker as it passes a point of seams.WORKER_POINTS, so many times at each of them."""

    async def act(roles: Roles) -> int:
        for _ in range(times):
            for point in points:
                await _kill_one(roles.arms, point)
        return sum(roles.arms.fired(point) for point in points)

    return await _drill(drill, act, Shares(duplicates=0.1), workers=2)


async def catch(drill: Drill, mutant: str) -> int:
    """Run a defect with what brings it to light; returns how often the invariant that it breaks was found broken."""
    points, breach = EXPOSED[mutant]
    defective = replace(drill, mutant=mutant, least_pushes=DEFECT_PUSHES)
    if points is None:
        _, report = await kill_receivers(defective, times=DEFECT_KILLS, kafka_away=True)
    else:
        _, report = await kill_workers(defective, times=1, points=points)
    return report.breaches[breach]


async def _kill_one(arms: Arms, point: str) -> None:
    before = arms.fired(point)
    arms.arm(point)
    await until(lambda: arms.fired(point) > before, timeout_s=FIRE_TIMEOUT_S)
    arms.disarm(point)


async def _drill(drill: Drill, act: Act, shares: Shares, *, workers: int) -> tuple[int, Report]:
    count = await _drive(drill, act, shares, workers=workers)
    roles = Roles(drill.home, drill.settings, receivers=1, workers=1, mutant=drill.mutant)
    return count, await _settle(drill, roles)


async def _drive(drill: Drill, act: Act, shares: Shares, *, workers: int) -> int:
    """Load, and the act under it; ends when every push has had its tries."""
    await _constrain(drill.settings)
    roles = Roles(drill.home, _hurried(drill.settings), receivers=2, workers=workers, mutant=drill.mutant)
    async with roles.running(), Journal(_journal(drill)) as journal:
        deliveries = feed(drill.seed, shares)
        driver = Driver(roles.push_url, journal, deliveries, rate_per_s=drill.rate_per_s)
        async with _poisoning(drill, journal), asyncio.TaskGroup() as tasks:
            tasks.create_task(driver.run())
            try:
                count = await act(roles)
                await until(lambda: driver.sent >= drill.least_pushes, timeout_s=FIRE_TIMEOUT_S)
                return count
            finally:
                driver.stop()


@asynccontextmanager
async def _poisoning(drill: Drill, journal: Journal) -> AsyncIterator[None]:
    """Also for the dead letters that some points need; not where Kafka is away."""
    if drill.settings.kafka_bootstrap == AWAY:
        yield
        return
    task = asyncio.create_task(put_poison(drill.settings, journal, poison(drill.seed), every_s=0.1))
    try:
        yield
    finally:
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task


async def _settle(drill: Drill, roles: Roles) -> Report:
    """Let everything be drained by processes that nobody hits, and audit."""
    began_s = time.time()
    async with roles.running():
        await until(lambda: _drained(drill.settings), timeout_s=DRAINED_WITHIN_S, poll_s=0.5)
    past = Past(_journal(drill))
    try:
        excused = Window(0.0, began_s, "unanswered")
        return audit(await gather(drill.settings, past, [excused]), past.body)
    finally:
        past.close()


async def _drained(settings: Settings) -> bool:
    """Whether nothing is left to do: all settled, or the group thinks so."""
    if any(file.records for file in inspect(Path(settings.spool_dir)) if not file.salvaged):
        return False
    connection = await asyncpg.connect(settings.database_url)
    try:
        settled = int(await connection.fetchval("SELECT count(*) FROM tccc.push"))
    finally:
        await connection.close()
    return settled >= await topic_size(settings) or await is_consumed(settings)


async def _constrain(settings: Settings) -> None:
    connection = await asyncpg.connect(settings.database_url)
    try:
        await connection.execute(CONSTRAINT)
    finally:
        await connection.close()


def _hurried(settings: Settings) -> Settings:
    return replace(settings, **CHAOS)


def _journal(drill: Drill) -> Path:
    return drill.home / "journal.ndjson"
