"""Finds what the audit has to account for, partition by partition: where to begin, and what the ledger can know."""

from datetime import UTC, datetime, timedelta

from msgspec import Struct

from console.audit.account import Scope
from console.audit.ledger import Ledger
from console.kafka import TopicReader, open_group
from console.postgres import Questions
from schemas.envelope import read_envelope
from schemas.settings import Settings

_DAY_US = 24 * 60 * 60 * 1_000_000
_BIRTH = "SELECT min(applied_at) FROM tccc.schema_version"


class Window(Struct, frozen=True):
    """µs since the epoch by Kafka's timestamps; None is open."""

    from_us: int | None
    to_us: int | None


class _First(Struct, frozen=True):
    """The first record that a partition still has."""

    received_at_us: int
    published_us: int


class _Part(Struct, frozen=True):
    """A partition as Kafka has it; `first` is None if it is empty."""

    number: int
    begin: int
    end: int
    committed: int | None
    first: _First | None


class Scoping:
    """Made anew for each audit: it dates itself."""

    def __init__(self, settings: Settings, reader: TopicReader, database: Questions, window: Window) -> None:
        self._settings = settings
        self._reader = reader
        self._database = database
        self._window = window
        midnight = datetime.now(UTC).replace(hour=0, minute=0, second=0, microsecond=0)
        self._ledger_since_us = _us(midnight - timedelta(days=settings.ledger_days))
        self._birth_us = 0
        self._started_us = 0

    async def scopes(self) -> list[Scope]:
        """Asks for the group's offsets first: what was committed then is in the ledger by now."""
        async with open_group(self._settings) as group:
            committed = await group.committed(self._reader.partitions)
        self._birth_us = await self._database.one(_BIRTH)
        self._started_us = await self._database.one("SELECT clock_timestamp()")
        begins, ends = await self._reader.begins(), await self._reader.ends()
        firsts = await self._first_records(begins, ends)
        lows, highs = await self._edge(self._window.from_us), await self._edge(self._window.to_us)
        found = []
        for n in self._reader.partitions:
            at = committed[n]
            part = _Part(n, begins[n], ends[n], None if at is None else min(at, ends[n]), firsts.get(n))
            high = highs.get(n)
            found.append(await self._scope(part, lows.get(n), ends[n] if high is None else high))
        return found

    async def _scope(self, part: _Part, edge: int | None, high: int) -> Scope:
        ledger = Ledger(self._database, part.number)
        if self._window.from_us is None:
            low = await self._oldest_known(ledger, part)
        else:
            low = await self._low(ledger, part, edge, self._window.from_us)
        received_us = part.first.received_at_us if part.first else 0
        return Scope(
            partition=part.number,
            begin=part.begin,
            end=part.end,
            committed=part.committed,
            low=low,
            high=high,
            since_us=received_us if await self._was_recreated(ledger, part) else 0,
            first_received_us=received_us,
            ledger_since_us=self._ledger_since_us,
            letters_since_us=self._started_us - self._settings.dead_topic_retention_ms * 1000,
        )

    async def _edge(self, us: int | None) -> dict[int, int | None]:
        return {} if us is None else await self._reader.at(us // 1000)

    async def _first_records(self, begins: dict[int, int], ends: dict[int, int]) -> dict[int, _First]:
        wanted = {n: (begin, begin + 1) for n, begin in begins.items() if begin < ends[n]}
        found = {}
        async for record in self._reader.read(wanted):
            headers = [(name, value) for name, value in record.headers if value is not None]
            envelope = read_envelope(headers, record.value or b"", record.timestamp)
            found[record.partition] = _First(envelope.received_at_us, record.timestamp * 1000)
        return found

    async def _oldest_known(self, ledger: Ledger, part: _Part) -> int:
        """The lowest offset that can be judged; what retention deleted below `begin` is no longer dated.

        A ledger so young that it has never dropped a day knows of everything since the database was made. An
        older one is judged from where it is whole: its first days may have been dropped in part.
        """
        candidates = [part.begin] if part.committed is None else [part.begin, part.committed]
        if self._birth_us < self._ledger_since_us:
            since = await ledger.first_since(self._ledger_since_us + 2 * _DAY_US)
            return min(candidates if since is None else [*candidates, since])
        oldest = await ledger.oldest()
        is_ours = part.first is None or part.first.published_us >= self._birth_us
        if is_ours and (oldest is None or oldest[0] >= part.begin or oldest[1] >= self._birth_us):
            return 0
        return min(candidates if oldest is None else [*candidates, oldest[0]])

    async def _low(self, ledger: Ledger, part: _Part, edge: int | None, from_us: int) -> int:
        """Where the window begins; if with the topic's first record, what was deleted before may be in it too."""
        if edge is None:
            return part.end
        if edge > part.begin:
            return edge
        since = await ledger.first_since(from_us)
        return min(known for known in (part.begin, since, part.committed) if known is not None)

    async def _was_recreated(self, ledger: Ledger, part: _Part) -> bool:
        """Whether the ledger has rows of an earlier topic of this name: for offsets that are another's now."""
        if part.first is not None and await ledger.holds_others(part.begin, part.first.received_at_us):
            return True
        return await ledger.reaches(part.end, self._started_us)


def _us(at: datetime) -> int:
    return int(at.timestamp()) * 1_000_000
