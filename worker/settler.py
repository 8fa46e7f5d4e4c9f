"""Settles batches whatever happens: waits out outages, and finds the one record that the database refuses."""

import asyncio
import random
from collections.abc import Awaitable, Callable, Iterator, Sequence
from itertools import chain, groupby

import structlog

from schemas.errors import DatabaseAway, DependencyAway
from schemas.rows import LedgerRow
from worker import store
from worker.batch import Item
from worker.database import Conflict, Connection, Database, Refused
from worker.dead_letters import DeadLetters
from worker.dead_ratio import DeadRatio
from worker.drift import Drift
from worker.metrics import Metrics

log = structlog.get_logger(__name__)

FIRST_WAIT_S, LONGEST_WAIT_S = 0.05, 5.0
# A conflict by a unique index that lasts is none: something of the operator's own refuses the row.
MAX_CONFLICTS = 8

Write = Callable[[Connection, Sequence[Item]], Awaitable[store.Settled]]


class Settler:
    """`away` is why the last try failed, None while all is well: readiness reads it."""

    def __init__(
        self,
        database: Database,
        dead_letters: DeadLetters,
        metrics: Metrics,
        dead_ratio: DeadRatio,
        drift: Drift,
    ) -> None:
        self._dead_ratio = dead_ratio
        self._drift = drift
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
                    await self._store(items)
            except DependencyAway as exc:
                self._note(exc)
                await asyncio.sleep(next(waits))
            else:
                self._note(None)
                return

    async def probe(self) -> None:
        """Ask the database for an answer; raises DatabaseAway or OperatorError."""
        async with self._database.connection() as connection:
            await connection.execute("SELECT 1")
        self._note(None)

    async def _store(self, items: Sequence[Item]) -> None:
        """Store a batch; what can never be stored is given up."""
        if not items:
            return
        try:
            settled = await self._write(store.settle, items)
        except Refused as exc:
            if len(items) == 1:
                await self._give_up([items[0].dead(store.fault(exc), "store")])
                return
            for part in store.in_parts(items):
                await self._store(part)
            return
        self._note_settled(settled.ledger)
        self._metrics.drifted(self._drift.note(settled.unlisted))
        for item in chain.from_iterable(settled.doubtful):  # of several pushes of one row some may be sound
            await self._store([item])
        await self._give_up(settled.dead)

    async def _write(self, write: Write, items: Sequence[Item]) -> store.Settled:
        for _ in range(MAX_CONFLICTS):
            try:
                async with self._database.connection() as connection:
                    return await write(connection, items)
            except Conflict as exc:
                conflict = exc
                log.info("batch meets another writer", records=len(items), detail=str(exc))
                await asyncio.sleep(random.uniform(0, FIRST_WAIT_S))  # noqa: S311 -- jitter
        if not conflict.unique:
            raise conflict  # waited out, as an outage is
        raise Refused(str(conflict)) from conflict

    async def _give_up(self, dead: Sequence[Item]) -> None:
        """Their letters first: what the ledger calls dead is in the dead letters."""
        if dead:
            self._dead_ratio.check(len(dead), len(dead))
            await self._bury(dead)
            self._note_settled((await self._write(store.settle_dead, dead)).ledger)

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


def _waits() -> Iterator[float]:
    """Growing, jittered and bounded."""
    wait_s = FIRST_WAIT_S
    while True:
        yield random.uniform(wait_s / 2, wait_s)  # noqa: S311 -- jitter
        wait_s = min(wait_s * 2, LONGEST_WAIT_S)
