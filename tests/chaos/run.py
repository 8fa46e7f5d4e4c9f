"""One seeded run: stack up, driver on, one fault after the other, everything drained, the auditor's report."""

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from random import Random

import asyncpg
from aiokafka.errors import KafkaError
from msgspec import Struct

from schemas.errors import OperatorError
from tests.chaos.audit import Report, audit
from tests.chaos.driver import Driver
from tests.chaos.evidence import Window
from tests.chaos.fault import FAULTS, Fault, Scene
from tests.chaos.feed import Shares, feed, poison
from tests.chaos.gather import gather, topic_size
from tests.chaos.journal import Journal, Past
from tests.chaos.poisoner import put_poison
from tests.chaos.processes import Use
from tests.chaos.schedule import Planned, write
from tests.chaos.stack import Size, Stack
from tests.chaos.waiting import until

FRESH_WITHIN_S = 60.0
DRAINED_WITHIN_S = 180.0
WARM_UP_S = 3.0
POISON_EVERY_S = 0.5
_SETTLED = "SELECT count(*) FROM tccc.push"
# Connections that are still kept, batches in memory: what a process may hold more at the end than at the start.
MORE_FILES, MORE_MIB = 40, 60


class Options(Struct, frozen=True, kw_only=True):
    home: Path
    seed: int
    schedule: list[Planned]
    rate_per_s: float
    size: Size = Size()
    shares: Shares = Shares()
    mutant: str | None = None


class Happened(Struct, frozen=True):
    """A fault as it went: how often it happened, and how long after its end a fresh push was a row."""

    name: str
    count: int
    took_s: float
    fresh_s: float | None


class Outcome(Struct, frozen=True):
    report: Report
    happened: list[Happened]
    breaches: list[str]  # of the stack as a whole: not recovered, not drained, resources not returned

    @property
    def voids(self) -> list[str]:
        return [one.name for one in self.happened if one.count == 0]

    @property
    def ok(self) -> bool:
        return not (self.report.findings or self.breaches or self.voids)


async def run(options: Options) -> Outcome:
    options.home.mkdir(parents=True, exist_ok=True)
    write(options.schedule, options.home / "schedule.json")
    stack = Stack(options.home, options.size)
    async with stack.running(options.mutant):
        return await _Run(stack, options).conduct()


class _Run:
    def __init__(self, stack: Stack, options: Options) -> None:
        self._stack = stack
        self._options = options
        self._windows: list[Window] = []
        self._happened: list[Happened] = []
        self._breaches: list[str] = []
        self._began_s = time.monotonic()
        self._journal_path = options.home / "journal.ndjson"

    async def conduct(self) -> Outcome:
        async with Journal(self._journal_path) as journal, self._driving(journal) as driver:
            await asyncio.sleep(WARM_UP_S)
            before = {process.name: process.use() for process in self._stack.roles.processes}
            self._say("under load")
            began_s = time.monotonic()
            for planned in self._options.schedule:
                await asyncio.sleep(max(0.0, began_s + planned.at_s - time.monotonic()))
                await self._perform(planned, driver, journal)
        self._say("driver done, draining")
        await self._drain()
        self._say("drained")
        self._weigh(before)
        report = await self._audit()
        self._say("audited")
        return Outcome(report, self._happened, self._breaches)

    @asynccontextmanager
    async def _driving(self, journal: Journal) -> AsyncIterator[Driver]:
        """Pushes and poison for the length of the block; at its end every push has had its tries."""
        options = self._options
        deliveries = feed(options.seed, options.shares)
        driver = Driver(self._stack.roles.push_url, journal, deliveries, rate_per_s=options.rate_per_s)
        driving = asyncio.create_task(driver.run())
        poisoning = asyncio.create_task(
            put_poison(self._stack.direct, journal, poison(options.seed), every_s=POISON_EVERY_S)
        )
        try:
            yield driver
            driver.stop()
            await driving
        finally:
            driving.cancel()
            poisoning.cancel()
            with suppress(asyncio.CancelledError):
                await poisoning

    async def _perform(self, planned: Planned, driver: Driver, journal: Journal) -> None:
        fault = FAULTS[planned.name]
        scene = Scene(self._stack, Random(planned.seed), planned.hold_s, journal)
        since_s = time.time()
        count = await self._act(fault, scene)
        healed_s = time.time()
        fresh_s = await self._wait_fresh(driver, healed_s)
        for process in self._stack.roles.processes:
            await until(process.ready, timeout_s=FRESH_WITHIN_S)
        self._windows += [Window(since_s - 1.0, time.time() + 1.0, kind) for kind in fault.excuses]
        took_s = round(healed_s - since_s, 1)
        self._happened.append(Happened(planned.name, count, took_s, fresh_s))
        if fresh_s is None:
            self._breaches.append(
                f"no fresh push was a row within {FRESH_WITHIN_S:.0f} s after {planned.name}"
            )
        self._say(f"{planned.name:32} happened {count:5}  for {took_s:5} s  fresh after {fresh_s} s")

    def _say(self, what: str) -> None:
        print(f"{time.monotonic() - self._began_s:7.1f} s  {what}", flush=True)

    async def _act(self, fault: Fault, scene: Scene) -> int:
        """How often it happened; not at all if it could not be injected, which voids the run and does not end it."""
        try:
            return await fault.act(scene)
        except (KafkaError, OperatorError, asyncpg.PostgresError, OSError, TimeoutError) as exc:
            self._say(f"{fault.name} could not be done: {type(exc).__name__}: {exc}")
            return 0

    async def _wait_fresh(self, driver: Driver, healed_s: float) -> float | None:
        """How long it takes until a push that was taken after the fault is settled."""

        async def fresh() -> bool:
            taken = next((push_id for at_s, push_id in driver.taken if at_s > healed_s), None)
            query = "SELECT true FROM tccc.push WHERE push_id = $1"
            return taken is not None and bool(await self._stack.fetch_value(query, taken))

        if not await until(fresh, timeout_s=FRESH_WITHIN_S):
            return None
        return round(time.time() - healed_s, 1)

    async def _drain(self) -> None:
        """Wait until the spool is empty and everything on the topic is settled."""

        async def drained() -> bool:
            if (await self._stack.spooled())[0]:
                return False
            size = await topic_size(self._stack.direct)
            return int(await self._stack.fetch_value(_SETTLED) or 0) >= size

        done = await until(drained, timeout_s=DRAINED_WITHIN_S, poll_s=1.0)
        spooled, set_aside = await self._stack.spooled()
        if not done:
            self._breaches.append(
                f"not drained within {DRAINED_WITHIN_S:.0f} s, {spooled} records in the spool"
            )
        if set_aside:
            self._breaches.append(f"{set_aside} files of the spool were set aside, and nobody damaged any")

    def _weigh(self, before: dict[str, Use]) -> None:
        for process in self._stack.roles.processes:
            was, now = before[process.name], process.use()
            if now.files > was.files + MORE_FILES or now.rss_mib > was.rss_mib + MORE_MIB:
                self._breaches.append(f"{process.name} held {was}, and holds {now} after it all")

    async def _audit(self) -> Report:
        past = Past(self._journal_path)
        try:
            return audit(await gather(self._stack.direct, past, self._windows), past.body)
        finally:
            past.close()
