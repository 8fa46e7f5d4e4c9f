"""Settles batches whatever happens: waits out outages, and finds the one record that the database refuses."""

import asyncio
import random
from collections.abc import Iterator, Sequence
from itertools import groupby

import structlog

from schemas.errors import DatabaseAway, DependencyAway, RecordError
from schemas.rows import LedgerRow
from worker import known, store
from worker.batch import Item
from worker.database import Conflict, Database, Refused
from worker.dead_letters import DeadLetters
from worker.dead_ratio import DeadRatio
from worker.metrics import Metrics

log = structlog.get_logger(__name__)

FIRST_WAIT_S, LONGEST_WAIT_S = 0.05, 5.0
# A conflict by a unique index that lasts is none: something of the operator's own refuses the row.
MAX_CONFLICTS = 8


class Settler:
    """`away` is why the last try failed, None while all is well: readiness reads it."""

    def __init__(
        self, database: Database, dead_letters: DeadLetters, metrics: Metrics, dead_ratio: DeadRatio
    ) -> None:
        self._dead_ratio = dead_ratio
        self._database = database
        self._dead_letters = dead_letters
        self._metrics = metrics
        self.away: str | None = None

    async def settle(self, items: Sequence[Item]) -> None:
        """Returns when every item is in the ledger; may be cancelled, which gives the batch up whole.

        Outages are waited out, however long. May be repeated: what is settled stays as it is.
        """
        waits = _waits()
        while True:
            try:
                with self._metrics.store_seconds.time():
                    await self._settle_once(items)
            except DependencyAway as exc:
                self._note(exc)
                await asyncio.sleep(next(waits))
            else:
                self._note(None)
                return

    async def probe(self) -> None:
        """Ask the database for an answer; raises DatabaseAway or OperatorError."""
        async with self._database.connection() as connection:
            await known.unsettled(connection, [])
            await connection.execute("SELECT 1")
        self._note(None)

    async def _settle_once(self, items: Sequence[Item]) -> None:
        if any(item.fault is not None for item in items):
            async with self._database.connection() as connection:
                items = await known.unsettled(connection, items)
            dead = [item for item in items if item.fault is not None]
            self._dead_ratio.check(len(items), len(dead))
            await self._bury(dead)
        await self._store(items)

    async def _store(self, items: Sequence[Item]) -> None:
        """Store a batch; what the database refuses in it is given up."""
        if not items:
            return
        try:
            settled = await self._write(items)
        except Refused as exc:
            if len(items) == 1:
                await self._give_up([items[0].dead(_fault(exc), "store")])
                return
            for part in store.in_parts(items):
                await self._store(part)
            return
        self._note_settled(settled.ledger)
        dead = []
        for refusal in settled.refused:
            if len(refusal.items) == 1:
                dead.append(refusal.items[0].dead(_fault(refusal.why), "store"))
            else:  # of several pushes of one row some may be sound
                for item in refusal.items:
                    await self._store([item])
        await self._give_up(dead)

    async def _write(self, items: Sequence[Item]) -> store.Settled:
        for _ in range(MAX_CONFLICTS):
            try:
                async with self._database.connection() as connection:
                    return await store.settle(connection, items)
            except Conflict as exc:
                conflict = exc
                log.info("batch meets another writer", records=len(items), detail=str(exc))
                await asyncio.sleep(random.uniform(0, FIRST_WAIT_S))  # noqa: S311 -- jitter
        if not conflict.unique:
            raise conflict  # waited out, as an outage is
        raise Refused(str(conflict)) from conflict

    async def _give_up(self, dead: Sequence[Item]) -> None:
        if dead:
            self._dead_ratio.check(len(dead), len(dead))
            await self._bury(dead)
            self._note_settled((await self._write(dead)).ledger)

    def _note_settled(self, ledger: Sequence[LedgerRow]) -> None:
        self._metrics.settled(ledger)
        self._dead_ratio.note(len(ledger), sum(row.outcome == "dead" for row in ledger))

    async def _bury(self, items: Sequence[Item]) -> None:
        await self._dead_letters.publish(items)
        self._metrics.died(items)
        faults = sorted((item.stage, item.fault.reason) for item in items if item.fault)
        for (stage, reason), group in groupby(faults):
            log.warning("dead letters written", stage=stage, reason=reason, records=len(list(group)))

    def _note(self, exc: DependencyAway | None) -> None:
        away = None if exc is None else f"{type(exc).__name__}: {exc}"
        if away != self.away:
            if away is None:
                log.info("settling again")
            else:
                log.error("cannot settle, waiting", reason=away)
        self.away = away
        self._metrics.database_up.set(not isinstance(exc, DatabaseAway))


def _fault(refused: Refused) -> RecordError:
    return RecordError("refused-by-database", str(refused))


def _waits() -> Iterator[float]:
    """Growing, jittered and bounded."""
    wait_s = FIRST_WAIT_S
    while True:
        yield random.uniform(wait_s / 2, wait_s)  # noqa: S311 -- jitter
        wait_s = min(wait_s * 2, LONGEST_WAIT_S)
