"""The worker's loop: poll, settle, commit; while one batch is settled the next is polled.

Offsets are committed after the transaction, while the next batch is under way.
"""

import asyncio
import time
from collections.abc import Sequence
from typing import Any, Literal

import structlog
from msgspec import Struct

from schemas.errors import BrokerAway
from worker.batch import Item, KafkaRecord, take
from worker.consumer import Consumer
from worker.metrics import Metrics
from worker.settler import Settler

log = structlog.get_logger(__name__)

OBSERVE_S = 5.0
RETRY_POLL_S = 1.0
# A batch of so many is a sign of lag: the next one is polled while the database works on this one.
# Smaller ones wait for each other, so that what arrives meanwhile shares a transaction.
READ_AHEAD_FROM = 200
# How many records are taken before others, such as the database's answers, have their turn: some tenths of a millisecond.
TAKE_AT_ONCE = 100


Stopping = asyncio.Task[Literal[True]]


class StuckError(Exception):
    """The brokers have records for us and we make no progress; a fresh process will."""


class Batch(Struct, frozen=True):
    """What one poll brought; `assignment` counts the revocations before it."""

    records: Sequence[KafkaRecord]
    items: Sequence[Item]
    assignment: int


class Loop:
    def __init__(self, settler: Settler, metrics: Metrics, *, revoke_grace_s: float, stuck_s: float) -> None:
        self._settler = settler
        self._metrics = metrics
        self._revoke_grace_s = revoke_grace_s
        self._stuck_s = stuck_s
        self._batch: asyncio.Task[None] | None = None
        self._committing: asyncio.Task[None] | None = None
        self._assignment = 0
        self._progress_at = time.monotonic()

    async def run(self, consumer: Consumer, stop: asyncio.Event) -> None:
        """Until `stop` is set: then the batch in flight has `revoke_grace_s` to be settled and committed."""
        stopping = asyncio.create_task(stop.wait())
        ahead: asyncio.Task[Batch] | None = None
        try:
            while not stop.is_set():
                ahead = ahead or asyncio.create_task(self._prepare(consumer))
                waited: set[asyncio.Task[Any]] = {ahead, stopping}
                await asyncio.wait(waited, return_when=asyncio.FIRST_COMPLETED)
                if not ahead.done():
                    break
                batch, ahead = ahead.result(), None
                if len(batch.records) >= READ_AHEAD_FROM:
                    ahead = asyncio.create_task(self._prepare(consumer))
                # What was polled before a revocation is delivered again, to whoever owns its partitions now.
                if batch.records and batch.assignment == self._assignment:
                    await self._work_on(consumer, batch, stopping)
        finally:
            stopping.cancel()
            if ahead is not None:
                ahead.cancel()
                await asyncio.wait({ahead})
            await self._give_up()
            await self._committed()

    async def _work_on(self, consumer: Consumer, prepared: Batch, stopping: Stopping) -> None:
        batch = self._batch = asyncio.create_task(self._handle(consumer, prepared))
        waited: set[asyncio.Task[Any]] = {batch, stopping}
        await asyncio.wait(waited, return_when=asyncio.FIRST_COMPLETED)
        await self._make_way()
        if not batch.cancelled():
            batch.result()  # a defect of ours is not to be hidden

    async def revoked(self) -> None:
        """Our partitions are about to be another's: end the batch in flight, and forget the one made ready."""
        self._assignment += 1
        await self._make_way()
        await self._committed()

    async def _make_way(self) -> None:
        """Let the batch in flight finish, or give it up whole."""
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
            except BrokerAway as exc:
                log.warning("kafka_away", detail=str(exc))
                self._progress_at = time.monotonic()  # there is nothing that we could do
                continue
            self._metrics.lag.clear()
            for partition, records in lags.items():
                self._metrics.lag.labels(partition).set(records)
            if not any(lags.values()) or self._settler.away is not None:
                self._progress_at = time.monotonic()
            elif time.monotonic() - self._progress_at > self._stuck_s:
                raise StuckError(f"no progress for {self._stuck_s:.0f} s with records waiting")

    async def _prepare(self, consumer: Consumer) -> Batch:
        try:
            records = await consumer.poll()
        except BrokerAway as exc:
            log.warning("cannot poll, trying again", detail=str(exc))
            await asyncio.sleep(RETRY_POLL_S)
            records = []
        assignment = self._assignment  # nothing else ran since the poll returned
        items: list[Item] = []
        for start in range(0, len(records), TAKE_AT_ONCE):
            items += map(take, records[start : start + TAKE_AT_ONCE])
            await asyncio.sleep(0)
        return Batch(records, items, assignment)

    async def _handle(self, consumer: Consumer, batch: Batch) -> None:
        self._metrics.polled(len(batch.records))
        with self._metrics.holding(batch.records):
            await self._settler.settle(batch.items)
        self._progress_at = time.monotonic()
        await self._committed()
        # The next batch need not wait for the brokers: what is not committed is delivered again, and found settled.
        self._committing = asyncio.create_task(consumer.commit(batch.records))

    async def _committed(self) -> None:
        """Wait for the commit under way, if any: they go out in order, one at a time."""
        if self._committing is not None:
            await asyncio.wait({self._committing})
            self._committing.result()  # a defect of ours is not to be hidden
