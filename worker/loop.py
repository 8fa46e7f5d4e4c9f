"""The worker's loop: poll, normalise, settle, commit."""

import asyncio
import time
from collections.abc import Sequence
from typing import Any, Literal

import structlog

from schemas.errors import BrokerAway
from worker.batch import KafkaRecord, read
from worker.consumer import Consumer
from worker.drift import Drift
from worker.metrics import Metrics
from worker.settler import Settler

log = structlog.get_logger(__name__)

OBSERVE_S = 5.0
RETRY_POLL_S = 1.0


Stopping = asyncio.Task[Literal[True]]


class StuckError(Exception):
    """The brokers have records for us and we make no progress; a fresh process will."""


class Loop:
    def __init__(
        self, settler: Settler, metrics: Metrics, drift: Drift, *, revoke_grace_s: float, stuck_s: float
    ) -> None:
        self._settler = settler
        self._drift = drift
        self._metrics = metrics
        self._revoke_grace_s = revoke_grace_s
        self._stuck_s = stuck_s
        self._batch: asyncio.Task[None] | None = None
        self._progress_at = time.monotonic()

    async def run(self, consumer: Consumer, stop: asyncio.Event) -> None:
        """Until `stop` is set: then the batch in flight has `revoke_grace_s` to be settled and committed."""
        stopping = asyncio.create_task(stop.wait())
        try:
            while not stop.is_set():
                records = await self._poll(consumer, stopping)
                if records:
                    await self._work_on(consumer, records, stopping)
        finally:
            stopping.cancel()
            await self._give_up()

    async def _work_on(self, consumer: Consumer, records: Sequence[KafkaRecord], stopping: Stopping) -> None:
        batch = self._batch = asyncio.create_task(self._handle(consumer, records))
        waited: set[asyncio.Task[Any]] = {batch, stopping}
        await asyncio.wait(waited, return_when=asyncio.FIRST_COMPLETED)
        await self.make_way()
        if not batch.cancelled():
            batch.result()  # a defect of ours is not to be hidden

    async def make_way(self) -> None:
        """Let the batch in flight finish, or give it up whole: its partitions are about to be another's."""
        batch = self._batch
        if batch is None or batch.done():
            return
        await asyncio.wait({batch}, timeout=self._revoke_grace_s)
        if not batch.done():
            log.warning("batch given up: it did not settle before its partitions go to another")
            await self._give_up()

    async def _give_up(self) -> None:
        """Undo the batch in flight; its records are consumed again, by whoever owns their partitions."""
        if self._batch is not None and not self._batch.done():
            self._batch.cancel()
            await asyncio.wait({self._batch})

    async def observe(self, consumer: Consumer) -> None:
        """Keep the lag's metric true, and notice that we are stuck: raises StuckError."""
        while True:
            await asyncio.sleep(OBSERVE_S)
            try:
                lags = await consumer.lag()
            except BrokerAway:
                self._progress_at = time.monotonic()  # there is nothing that we could do
                continue
            self._metrics.lag.clear()
            for partition, records in lags.items():
                self._metrics.lag.labels(partition).set(records)
            if not any(lags.values()) or self._settler.away is not None:
                self._progress_at = time.monotonic()
            elif time.monotonic() - self._progress_at > self._stuck_s:
                raise StuckError(f"no progress for {self._stuck_s:.0f} s with records waiting")

    async def _poll(self, consumer: Consumer, stopping: Stopping) -> Sequence[KafkaRecord]:
        poll = asyncio.create_task(consumer.poll())
        waited: set[asyncio.Task[Any]] = {poll, stopping}
        await asyncio.wait(waited, return_when=asyncio.FIRST_COMPLETED)
        if not poll.done():
            poll.cancel()
            await asyncio.wait({poll})
            return ()
        try:
            return poll.result()
        except BrokerAway as exc:
            log.warning("cannot poll, trying again", detail=str(exc))
            await asyncio.sleep(RETRY_POLL_S)
            return ()

    async def _handle(self, consumer: Consumer, records: Sequence[KafkaRecord]) -> None:
        self._metrics.polled(len(records))
        items = [read(record) for record in records]
        await self._settler.settle(items)
        self._metrics.drifted(self._drift.note(items))
        await consumer.commit(records)
        self._progress_at = time.monotonic()
