"""Drives deliveries at a URL: as fast as the connections allow, or at a rate, with the vendor's retries."""

import asyncio
import time
from collections.abc import Callable, Iterator
from typing import Protocol

from msgspec import Struct

from console.simulator.delivery import Delivery
from console.simulator.session import Push
from console.simulator.tally import Tally
from console.simulator.vendor import Answer

WAITING_RETRIES = 10_000  # pushes that wait for their next try; past it, new ones wait too
_NAP_S = 0.2  # how long a stop may go unseen while nothing is due

Log = Callable[[Push, Answer, float], None]


class Pusher(Protocol):
    async def push(self, push: Push) -> Answer: ...


class Plan(Struct, frozen=True, kw_only=True):
    """`rate_per_s` None is a closed loop. `retries` are tries after the first, `retry_wait_s` apart."""

    connections: int = 64
    rate_per_s: float | None = None
    retries: int = 3
    retry_wait_s: float = 1.0


class Load:
    """One run. Latency in an open loop counts from the moment a push was due, not from when it could leave."""

    def __init__(self, vendor: Pusher, plan: Plan, tally: Tally, log: Log | None = None) -> None:
        self._vendor, self._plan, self._tally, self._log = vendor, plan, tally, log
        self._stopped = asyncio.Event()
        self._turn = asyncio.Lock()
        self._waiting = asyncio.Semaphore(WAITING_RETRIES)
        self._taken_up = 0
        self._began = 0.0

    def stop(self) -> None:
        """Take up nothing more; what is under way gets its answer, what waits for a retry gets none."""
        self._tally.interrupted = True
        self._stopped.set()

    async def run(self, deliveries: Iterator[Delivery]) -> None:
        """Return when all deliveries are settled, or what was under way at a `stop` is."""
        self._began = self._tally.began = time.perf_counter()
        async with asyncio.TaskGroup() as tasks:
            for _ in range(self._plan.connections):
                tasks.create_task(self._connection(deliveries, tasks))

    async def _connection(self, deliveries: Iterator[Delivery], tasks: asyncio.TaskGroup) -> None:
        while (taken_up := await self._next(deliveries)) is not None:
            delivery, due = taken_up
            if await self._try(delivery, due):
                self._tally.settle(delivery, taken=True)
            elif self._plan.retries:
                await self._waiting.acquire()
                tasks.create_task(self._retry(delivery))
            else:
                self._tally.settle(delivery, taken=False)

    async def _next(self, deliveries: Iterator[Delivery]) -> tuple[Delivery, float] | None:
        """Return the next delivery when it is due, and when that was; None at the end."""
        rate_per_s = self._plan.rate_per_s
        if rate_per_s is None:
            return self._take_up(deliveries, time.perf_counter())
        async with self._turn:  # one connection waits for the next due push, the others wait for their turn
            due = self._began + self._taken_up / rate_per_s
            while (early_s := due - time.perf_counter()) > 0 and not self._stopped.is_set():
                await asyncio.sleep(min(early_s, _NAP_S))
            return self._take_up(deliveries, due)

    def _take_up(self, deliveries: Iterator[Delivery], due: float) -> tuple[Delivery, float] | None:
        if self._stopped.is_set() or (delivery := next(deliveries, None)) is None:
            return None
        self._taken_up += 1
        self._tally.left(time.perf_counter() - due)
        return delivery, due

    async def _try(self, delivery: Delivery, due: float) -> bool:
        answer = await self._vendor.push(delivery.push)
        latency_s = time.perf_counter() - due
        self._tally.answered(answer, latency_s)
        if self._log is not None:
            self._log(delivery.push, answer, latency_s)
        return answer.taken

    async def _retry(self, delivery: Delivery) -> None:
        taken = False
        for _ in range(self._plan.retries):
            if taken or await self._stopped_within(self._plan.retry_wait_s):
                break
            self._tally.retried += 1
            taken = await self._try(delivery, time.perf_counter())
        self._tally.settle(delivery, taken=taken)
        self._waiting.release()

    async def _stopped_within(self, wait_s: float) -> bool:
        try:
            async with asyncio.timeout(wait_s):
                return await self._stopped.wait()
        except TimeoutError:
            return False
