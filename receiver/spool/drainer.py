"""The drainer: publishes what is in the spool while Kafka takes it, at a bounded rate beside live traffic."""

import asyncio
import random
from collections.abc import Callable

import structlog

from receiver.spool.spool import Drained, Publish, Spool
from schemas.errors import SpoolAway

_log = structlog.get_logger()
_IDLE_S = 0.2
_LOOK_S = 10.0
_FIRST_WAIT_S, _LONGEST_WAIT_S = 0.1, 5.0
_CHUNKS_PER_S = 20  # larger ones would hold up live pushes for longer
_FIRST_CHUNK_RECORDS, _MAX_CHUNK_RECORDS = 20, 500


class Drainer:
    """A background task over a spool; whoever made the spool closes it, after this has stopped."""

    def __init__(
        self, spool: Spool, publish: Publish, *, kafka_ready: Callable[[], bool], rate_per_s: int
    ) -> None:
        self._spool = spool
        self._publish = publish
        self._kafka_ready = kafka_ready
        self._rate_per_s = rate_per_s
        self._most_records = max(1, min(_MAX_CHUNK_RECORDS, rate_per_s // _CHUNKS_PER_S))
        self._chunk_records = _FIRST_CHUNK_RECORDS
        self._stopping = asyncio.Event()
        self._task: asyncio.Task[None] | None = None
        self._keeping: asyncio.Task[None] | None = None

    def start(self) -> None:
        self._task = asyncio.create_task(self._run(), name="spool-drainer")
        self._keeping = asyncio.create_task(self._keep(), name="spool-takeover")

    async def stop(self, timeout_s: float = 5.0) -> None:
        """Let the chunk in flight finish; past the time-out it is given up, and stays in the spool whole."""
        self._stopping.set()
        tasks = [task for task in (self._task, self._keeping) if task]
        if not tasks:
            return
        _, late = await asyncio.wait(tasks, timeout=timeout_s)
        for task in late:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    async def drain_all(self) -> int:
        """Take over and publish until nothing is left, and return how many left; for the console.

        Raises the SpoolAway, or what `publish` raises, that stopped it; a refused record waits for its next try.
        """
        await self._spool.adopt()  # first: what others left is older
        left, wait_s = 0, _FIRST_WAIT_S
        while await self._has_more():
            drained = await self._drain_chunk()
            left += drained.left
            wait_s = await self._back_off(wait_s) if drained.stayed else _FIRST_WAIT_S
        return left

    async def _run(self) -> None:
        wait_s = _FIRST_WAIT_S
        while not self._stopping.is_set():
            if not (self._spool.status().records and self._kafka_ready()):
                self._chunk_records = _FIRST_CHUNK_RECORDS
                await self._sleep(_IDLE_S)
                continue
            try:
                drained = await self._drain_chunk()
            except Exception:  # the outermost loop of this task
                _log.exception("spool_drain_failed")
                drained = Drained(0, 1)
            wait_s = await self._back_off(wait_s) if drained.stayed else _FIRST_WAIT_S

    async def _has_more(self) -> bool:
        if not self._spool.status().records:
            await self._spool.adopt()
        return self._spool.status().records > 0

    async def _drain_chunk(self) -> Drained:
        """One chunk, and then as long a rest as the rate asks for.

        Chunks begin small and double: a broker that just came back is slow at first, and live pushes wait with it.
        """
        loop = asyncio.get_running_loop()
        began_s = loop.time()
        drained = await self._spool.drain(
            self._publish, max_records=min(self._chunk_records, self._most_records)
        )
        self._chunk_records = min(2 * self._chunk_records, self._most_records)
        tried = drained.left + drained.stayed
        await self._sleep(began_s + max(tried / self._rate_per_s, 0.001) - loop.time())
        return drained

    async def _back_off(self, wait_s: float) -> float:
        await self._sleep(wait_s * random.uniform(0.5, 1.0))  # noqa: S311 -- spreads retries, guards nothing
        return min(wait_s * 2, _LONGEST_WAIT_S)

    async def _keep(self) -> None:
        """Look for files of the dead from time to time, and for room where there was none."""
        loop = asyncio.get_running_loop()
        look_at_s = loop.time()
        while not self._stopping.is_set():
            try:
                if loop.time() >= look_at_s:
                    look_at_s = loop.time() + _LOOK_S * random.uniform(0.8, 1.2)  # noqa: S311 -- as above
                    await self._spool.adopt()
                if self._spool.status().full:
                    await self._spool.probe()
            except SpoolAway as exc:
                _log.warning("spool_takeover_failed", error=str(exc))
            await self._sleep(1.0)

    async def _sleep(self, seconds: float) -> None:
        """Sleep, unless and until it is time to stop."""
        try:
            async with asyncio.timeout(max(0.0, seconds)):
                await self._stopping.wait()
        except TimeoutError:
            pass
