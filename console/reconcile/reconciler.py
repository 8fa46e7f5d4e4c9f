"""The comparison: takes the API's slices one after the other, notes what it finds, and repairs if asked to.

Each slice is dealt with in an order that survives a kill between any two steps: noted, published, done.
"""

import asyncio
import contextlib
from collections import Counter
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Sequence

from console.postgres import Questions
from console.publishing import RecordPublisher
from console.reconcile.compare import differing
from console.reconcile.element import ApiSession, api_record, api_session
from console.reconcile.erased import erased
from console.reconcile.listing import Listed, Listing, start_of
from console.reconcile.run import HOUR_US, Finding, Run
from console.reconcile.span import Span
from console.reconcile.stored import (
    StoredSession,
    began_within,
    stored_ids,
    stored_sessions,
)
from console.times import iso
from receiver.clock import ReceiveClock
from schemas.errors import BrokerAway, VendorAway
from schemas.settings import Settings

_CHUNK_RECORDS = 500
_MICROS = 1_000_000

# Told after each slice: sessions listed so far in this process, of how many the API counts.
Advance = Callable[[int, int], None]


class Reconciler:
    """One run. Without a publisher it only compares; `backfill` only looks for what is missing."""

    def __init__(
        self,
        settings: Settings,
        database: Questions,
        listing: Listing,
        sdk_app_id: int,
        *,
        publisher: RecordPublisher | None,
        backfill: bool = False,
    ) -> None:
        self._settings = settings
        self._database = database
        self._listing = listing
        self._sdk_app_id = sdk_app_id
        self._publisher = publisher
        self._backfill = backfill
        self._clock = ReceiveClock()

    async def work(self, run: Run, advance: Advance) -> None:
        """From where the run stopped to its end. Raises DependencyAway or OperatorError; may be gone on with.

        The API is asked for its count first: a list that turns out shorter than that is not whole. A slice is
        done only if it and those before it, with what the API counts behind it, come to that count: whoever
        goes on with the run counts only what is left.
        """
        span = Span(run.done_until_s, run.span.end_s)
        if not span.length_s:
            return
        counted, listed = await self._listing.total(span), 0
        advance(0, counted)
        async with contextlib.aclosing(_ahead(self._listing.slices(span))) as slices:
            async for part in slices:
                listed += len(part.elements)
                await self._check(run, Span(part.span.end_s, span.end_s), listed, counted)
                await self._deal_with(run, part)
                advance(listed, counted)

    async def _check(self, run: Run, left: Span, listed: int, counted: int) -> None:
        """Raises VendorAway for a list that is shorter than the count; at the end the run begins anew then."""
        if listed >= counted:
            return
        if not left.length_s:
            await run.end()  # what is left may have grown meanwhile, and hidden a gap in an earlier slice
        elif listed + await self._listing.at_most(left) >= counted:
            return
        raise VendorAway(
            f"the vendor's API counted {counted} sessions and listed {listed}"
            f" up to {iso(left.start_s * _MICROS)}: nothing is signed off"
        )

    async def _deal_with(self, run: Run, part: Listed) -> None:
        starts = {e["SessionId"]: _start_us(e, part.span) for e in part.elements}
        sessions = {e["SessionId"]: api_session(e, self._sdk_app_id) for e in part.elements}
        here, differences = await self._look_up(sessions, starts)
        absent = starts.keys() - here
        absent -= await erased(self._database, [sessions[session_id] for session_id in absent], starts)
        missing = absent | await run.known_missing(starts)
        findings = [Finding("missing", session_id, starts[session_id]) for session_id in missing]
        if self._publisher is not None and missing:
            await run.note(findings)
            await self._publish([sessions[session_id] for session_id in absent])
        matched = Counter(starts[session_id] // HOUR_US * HOUR_US for session_id in here - missing)
        extra = [] if self._backfill else await self._extra(part)
        await run.done(part.span.end_s, [*findings, *differences, *extra], matched)

    async def _look_up(
        self, sessions: dict[str, ApiSession], starts: dict[str, int]
    ) -> tuple[set[str], list[Finding]]:
        """Which sessions have a row, and where those differ."""
        if self._backfill:
            return await stored_ids(self._database, sessions), []
        stored = await stored_sessions(self._database, sessions)
        differences = []
        for session_id, found in stored.items():
            fields = _differing(sessions[session_id], found)
            if fields:
                differences.append(Finding("differing", session_id, starts[session_id], fields))
        return set(stored), differences

    async def _extra(self, part: Listed) -> list[Finding]:
        found = await began_within(self._database, self._sdk_app_id, part.span)
        return [Finding("extra", sid, at) for sid, at in found.items() if sid not in part.session_ids]

    async def _publish(self, sessions: Sequence[ApiSession]) -> None:
        assert self._publisher is not None
        for first in range(0, len(sessions), _CHUNK_RECORDS):
            chunk = sessions[first : first + _CHUNK_RECORDS]
            records = [api_record(s, self._settings.kafka_topic, self._clock.now_us()) for s in chunk]
            for failure in await self._publisher.publish(records):
                if failure is not None:
                    raise BrokerAway(
                        f"not all confirmed ({type(failure).__name__}): run it again to go on"
                    ) from failure


def _differing(told: ApiSession, stored: StoredSession) -> list[str]:
    return differing(told.normalised, stored.call, stored.participants) if told.normalised else []


def _start_us(element: dict[str, object], span: Span) -> int:
    start_s = start_of(element)
    return (span.start_s if start_s is None else start_s) * _MICROS


async def _ahead(slices: AsyncIterator[Listed]) -> AsyncGenerator[Listed]:
    """The same slices, the next of which is fetched while one is dealt with."""

    async def following() -> Listed | None:
        return await anext(slices, None)

    task = asyncio.create_task(following())
    try:
        while (part := await task) is not None:
            task = asyncio.create_task(following())
            yield part
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
