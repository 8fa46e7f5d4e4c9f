"""The driver: pushes at a rate as the vendor does, up to three more times what is not taken; never faulted itself."""

import asyncio
import time
from collections import deque
from collections.abc import Iterator

from console.simulator.vendor import Vendor
from tests.chaos.feed import Delivery
from tests.chaos.journal import Journal, TryLine

TRIES = 4
RETRY_WAIT_S = 1.0
TIMEOUT_S = 10.0
MAX_IN_FLIGHT = 500


class Driver:
    """`taken` are the latest good pushes that were acknowledged, with when."""

    def __init__(
        self, url: str, journal: Journal, deliveries: Iterator[Delivery], *, rate_per_s: float
    ) -> None:
        self._url = url
        self._journal = journal
        self._deliveries = deliveries
        self._rate_per_s = rate_per_s
        self._stopped = asyncio.Event()
        self._room = asyncio.Semaphore(MAX_IN_FLIGHT)
        self._known: set[str] = set()
        self.taken: deque[tuple[float, str]] = deque(maxlen=5000)
        self.sent = 0

    def stop(self) -> None:
        """Take up nothing more; what was taken up still gets its tries."""
        self._stopped.set()

    async def run(self) -> None:
        loop = asyncio.get_running_loop()
        began = loop.time()
        async with Vendor(self._url, timeout_s=TIMEOUT_S) as vendor, asyncio.TaskGroup() as tasks:
            while not self._stopped.is_set():
                await self._room.acquire()
                early_s = began + self.sent / self._rate_per_s - loop.time()
                if early_s > 0:
                    await asyncio.sleep(early_s)
                self.sent += 1
                tasks.create_task(self._deliver(vendor, next(self._deliveries)))

    async def _deliver(self, vendor: Vendor, delivery: Delivery) -> None:
        push_id = delivery.push.push_id
        try:
            if push_id not in self._known:
                self._known.add(push_id)
                await self._journal.write(delivery.line)
            for _ in range(TRIES):
                if await self._try(vendor, delivery):
                    return
                await asyncio.sleep(RETRY_WAIT_S)
        finally:
            self._room.release()

    async def _try(self, vendor: Vendor, delivery: Delivery) -> bool:
        sent_at_s = time.time()
        answer = await vendor.push(delivery.push)
        line = TryLine(
            push_id=delivery.push.push_id,
            sent_at_s=sent_at_s,
            answered_at_s=time.time(),
            status=answer.status,
            err_code=answer.err_code,
            fault=answer.fault,
        )
        self._journal.note(line)
        if answer.taken and delivery.line.kind == "good":
            self.taken.append((line.answered_at_s, line.push_id))
        return answer.taken
