"""Accounts for one partition: what became of each offset, by the ledger, and by the records where it is silent."""

from collections import Counter
from collections.abc import AsyncIterator, Sequence
from itertools import pairwise

from msgspec import Struct, field

from console.audit.ledger import Ledger, Place
from console.audit.letters import LetterIndex
from console.audit.spans import Span, Spans, chunks, cut
from console.kafka import TopicReader
from schemas.envelope import read_envelope

CHUNK_OFFSETS = 100_000
_LOOKUP_RECORDS = 1000
_NEAR_OFFSETS = 2000  # suspects nearer than this are read in one go


class Scope(Struct, frozen=True, kw_only=True):
    """What of a partition is to be accounted for: [low, high), of which [begin, end) is still in the topic.

    Below `settled_until` everything must be settled, for the group goes on from there. Rows received before
    `since_us` are those of an earlier topic of the same name; `ledger_since_us` is how far back the ledger goes.
    """

    partition: int
    begin: int
    end: int
    committed: int | None
    low: int
    high: int
    since_us: int
    first_received_us: int
    ledger_since_us: int
    letters_since_us: int

    @property
    def settled_until(self) -> int:
        return max(self.begin, self.committed or 0)


class Account(Struct, kw_only=True):
    """`missing` are in the topic, `deleted` were and are missing too; `forgotten` the ledger no longer holds."""

    scope: Scope
    outcomes: Counter[str] = field(default_factory=Counter)
    in_flight: int = 0
    forgotten: int = 0
    missing: Spans = field(default_factory=Spans)
    deleted: Spans = field(default_factory=Spans)
    doubled: Spans = field(default_factory=Spans)
    letterless: Spans = field(default_factory=Spans)

    @property
    def is_even(self) -> bool:
        return not (self.missing.count or self.deleted.count or self.doubled.count or self.letterless.count)


class Accountant:
    """Goes through one partition, in offset order and a bounded number of offsets at a time."""

    def __init__(self, scope: Scope, ledger: Ledger, reader: TopicReader, letters: LetterIndex) -> None:
        self._scope = scope
        self._ledger = ledger
        self._reader = reader
        self._letters = letters
        self._account = Account(scope=scope)

    async def account(self) -> AsyncIterator[Account]:
        """The account as it grows; the last one is whole."""
        scope = self._scope
        await self._deleted_unseen()
        for low, high in chunks(await self._first_row(), min(scope.begin, scope.high), CHUNK_OFFSETS):
            self._account.outcomes += await self._ledger.outcomes(low, high, 0)
            for gap in await self._ledger.gaps(low, high, 0):
                self._account.deleted.add(gap)
            await self._match_letters(low, high, 0)
            yield self._account
        for low, high in chunks(max(scope.low, scope.begin), scope.high, CHUNK_OFFSETS):
            await self._present(low, high)
            yield self._account
        yield self._account

    async def _first_row(self) -> int:
        """Where to begin with what is gone from the topic: before the ledger's first row there is nothing to ask."""
        oldest = await self._ledger.oldest()
        return max(self._scope.low, min(self._scope.begin, oldest[0] if oldest else self._scope.begin))

    async def _deleted_unseen(self) -> None:
        first = min(await self._first_row(), self._scope.high)
        if self._scope.low < first:
            self._account.deleted.add(Span(self._scope.low, first - 1))

    async def _present(self, low: int, high: int) -> None:
        """Offsets whose records are in the topic."""
        scope, account = self._scope, self._account
        account.outcomes += await self._ledger.outcomes(low, high, scope.since_us)
        suspects, waiting = cut(await self._ledger.gaps(low, high, scope.since_us), scope.settled_until)
        if scope.since_us:
            # Rows of an earlier topic were left out, and with them perhaps some that belong here.
            suspects += waiting
        else:
            account.in_flight += sum(map(len, waiting))
        for near in _clusters(suspects):
            await self._examine(near)
        for offset in await self._ledger.doubled(low, high, scope.first_received_us):
            account.doubled.add_offset(offset)
        await self._match_letters(low, high, scope.since_us)

    async def _examine(self, suspects: Sequence[Span]) -> None:
        """Read the records themselves: an offset may have none, and the ledger may have its row elsewhere."""
        begins = await self._reader.begins()
        gone, remaining = cut(suspects, begins[self._scope.partition])
        for span in gone:  # deleted since we began
            self._account.deleted.add(span)
        if not remaining:
            return
        places: list[Place] = []
        range_ = (remaining[0].first, remaining[-1].last + 1)
        async for record in self._reader.read({self._scope.partition: range_}):
            while remaining and remaining[0].last < record.offset:
                remaining.pop(0)
            if not remaining or record.offset < remaining[0].first:
                continue
            headers = [(name, value) for name, value in record.headers if value is not None]
            envelope = read_envelope(headers, record.value or b"", record.timestamp)
            places.append((record.offset, envelope.received_at_us))
            if len(places) >= _LOOKUP_RECORDS:
                await self._look_up(places)
                places = []
        await self._look_up(places)

    async def _look_up(self, places: Sequence[Place]) -> None:
        scope, account = self._scope, self._account
        settled = await self._ledger.settled(places) if places else {}
        for place in places:
            offset, received_at_us = place
            if outcome := settled.get(place):
                account.outcomes[outcome] += 1
            elif received_at_us < scope.ledger_since_us:
                account.forgotten += 1
            elif offset >= scope.settled_until:
                account.in_flight += 1
            else:
                account.missing.add_offset(offset)

    async def _match_letters(self, low: int, high: int, since_us: int) -> None:
        number = self._scope.partition
        dead = await self._ledger.dead(low, high, since_us, self._scope.letters_since_us)
        unmatched = [offset for offset in dead if not self._letters.holds(number, offset)]
        if unmatched:
            await self._letters.extend()  # it may have been written since
        for offset in unmatched:
            if not self._letters.holds(number, offset):
                self._account.letterless.add_offset(offset)


def _clusters(spans: Sequence[Span]) -> list[list[Span]]:
    if not spans:
        return []
    found = [[spans[0]]]
    for before, span in pairwise(spans):
        if span.first - before.last > _NEAR_OFFSETS:
            found.append([])
        found[-1].append(span)
    return found
