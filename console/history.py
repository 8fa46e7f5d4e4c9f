"""Collects what is known of a session or a push, from the ledger, the rows, the dead letters and the topic."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from msgspec import Struct

from console.dead.selection import letters
from console.dead.states import States
from console.kafka import TopicReader, open_group, open_topic
from console.postgres import Questions, open_database
from console.progress import Say
from receiver.partitioning import partition_of
from schemas.envelope import read_envelope
from schemas.rows import TABLES
from schemas.settings import Settings
from worker.batch import KafkaRecord

# In the order in which they happen, for those of the same moment.
EVENTS = ("received", "published", "refused", "settled", "dead", "replayed", "dropped", "erased")
MAX_TAIL_RECORDS = 500_000
_MAX_RECORDS = 200


class Event(Struct, frozen=True, kw_only=True):
    at_us: int
    what: str
    push_id: str
    action: str
    facts: dict[str, Any]


class _Settled(Struct, frozen=True):
    """A row of the ledger."""

    session_id: str
    push_id: str
    action: str
    received_at_us: int
    partition: int
    offset: int
    outcome: str
    settled_at_us: int


class Sources(Struct, frozen=True):
    settings: Settings
    database: Questions
    topic: TopicReader
    dead_topic: TopicReader


@asynccontextmanager
async def open_sources(settings: Settings) -> AsyncIterator[Sources]:
    """Raises DependencyAway, or OperatorError."""
    async with (
        open_database(settings.database_url) as database,
        open_topic(settings, settings.kafka_topic) as topic,
        open_topic(settings, settings.kafka_dead_topic) as dead_topic,
    ):
        yield Sources(settings, database, topic, dead_topic)


class History:
    """Filled by `look`. A push id leads to its session, but only what is of the push is told."""

    def __init__(self, sources: Sources, identity: str, say: Say) -> None:
        self._settings = sources.settings
        self._database = sources.database
        self._topic = sources.topic
        self._dead = sources.dead_topic
        self._identity = identity
        self._say = say
        self._received: set[tuple[int, str]] = set()
        self.session_id = ""
        self.push_id = ""
        self.events: list[Event] = []
        self.rows: list[dict[str, Any]] = []
        self.tail_unread = 0

    def in_order(self) -> list[Event]:
        # Kafka dates records by the millisecond: within one, events stand in the order in which they happen.
        return sorted(self.events, key=lambda event: (event.at_us // 1000, EVENTS.index(event.what)))

    async def look(self) -> None:
        """Takes as long as reading all dead letters does, and for a push id as long as reading the ledger."""
        settled = await self._in_ledger()
        seen = {(row.partition, row.offset) for row in settled}
        published = await self._published(settled)
        for row in settled:
            self._tell_settled(row, published.get((row.partition, row.offset)))
        await self._in_dead_letters()
        await self._in_tail(seen)
        for table in TABLES.values():
            await self._in_rows(table.name)
        for (erased_at,) in await self._database.all(_ERASED, [self.session_id or self._identity]):
            self.session_id = self.session_id or self._identity
            self.events.append(Event(at_us=erased_at, what="erased", push_id="", action="", facts={}))

    async def _in_ledger(self) -> list[_Settled]:
        rows = await self._database.all(_BY_SESSION, self._identity)
        if rows:
            self.session_id = self._identity
        elif (session_id := await self._session_of_push()) is not None:
            self.session_id, self.push_id = session_id, self._identity
            rows = await self._database.all(_BY_PUSH, session_id, self._identity)
        return [_Settled(*row) for row in rows]

    async def _session_of_push(self) -> str | None:
        """The ledger has no index on push ids: each of its days is read, the newest first."""
        days = [row[0] for row in await self._database.all(_DAYS)]
        for done, day in enumerate(days):
            self._say(f"trace: ledger, {day} ({done} of {len(days)} days read)")
            query = f"SELECT session_id FROM {day} WHERE push_id = $1 LIMIT 1"  # noqa: S608 -- a name of Postgres' own
            session_id: str | None = await self._database.one(query, self._identity)
            if session_id is not None:
                return session_id
        return None

    async def _published(self, settled: list[_Settled]) -> dict[tuple[int, int], KafkaRecord]:
        """The records that are still in the topic."""
        begins, ends = await self._topic.begins(), await self._topic.ends()
        found = {}
        for row in settled[:_MAX_RECORDS]:
            if begins.get(row.partition, 0) <= row.offset < ends.get(row.partition, 0):
                async for record in self._topic.read({row.partition: (row.offset, row.offset + 1)}):
                    found[record.partition, record.offset] = record
        return found

    def _tell_settled(self, row: _Settled, record: KafkaRecord | None) -> None:
        place = {"partition": row.partition, "offset": row.offset}
        headers = dict(record.headers) if record else {}
        self._tell(row.received_at_us, "received", row, source=_text(headers.get("source")))
        if record is not None:
            replays = _text(headers.get("replays"))
            self._tell(record.timestamp * 1000, "published", row, **place, replays=replays)
        self._tell(row.settled_at_us, "settled", row, outcome=row.outcome, **place)

    async def _in_dead_letters(self) -> None:
        """Tell of those letters too that were refused at the door and never came to the ledger."""
        found = {
            letter.id: letter
            async for letter in letters(self._dead)
            if self._is_about(letter.session_id, letter.push_id)
        }
        states = await States(self._database).of(list(found.values()))
        for letter, known in zip(found.values(), states, strict=True):
            what = "refused" if letter.stage == "receive" else "dead"
            if letter.origin is None:
                self._tell(letter.received_at_us, "received", letter, source=None)
            facts = {
                "stage": letter.stage,
                "reason": letter.reason,
                "detail": letter.detail,
                "letter": letter.id,
            }
            self._tell(letter.dead_at_us, what, letter, **facts)
            if known.changed_at_us is not None:
                self._tell(known.changed_at_us, known.state, letter, letter=letter.id)

    async def _in_tail(self, seen: set[tuple[int, int]]) -> None:
        """Tell of records that are in the topic and not settled."""
        async with open_group(self._settings) as group:
            committed = await group.committed(self._topic.partitions)
        begins, ends = await self._topic.begins(), await self._topic.ends()
        session = self.session_id or self._identity
        key = session.encode(errors="replace")
        wanted = [partition_of(key, len(ends))] if self.session_id and not self.push_id else list(ends)
        ranges = {n: (max(begins[n], committed[n] or 0), ends[n]) for n in wanted}
        room = MAX_TAIL_RECORDS // len(ranges)
        self.tail_unread = sum(max(0, end - start - room) for start, end in ranges.values())
        self._say("trace: records not consumed yet")
        async for record in self._topic.read(
            {n: (start, min(end, start + room)) for n, (start, end) in ranges.items()}
        ):
            headers = [(name, value) for name, value in record.headers if value is not None]
            envelope = read_envelope(headers, record.value or b"", record.timestamp)
            place = (record.partition, record.offset)
            if place not in seen and self._is_about(_text(record.key) or "", envelope.push_id):
                self._tell(envelope.received_at_us, "received", envelope, source=envelope.source)
                self._tell(
                    record.timestamp * 1000,
                    "published",
                    envelope,
                    partition=place[0],
                    offset=place[1],
                    waiting=True,
                )

    async def _in_rows(self, table: str) -> None:
        query = (
            f"SELECT push_id, source, received_at, earlier_push_ids FROM tccc.{table}"  # noqa: S608 -- our own names
            " WHERE session_id = $1 ORDER BY received_at"
        )
        for push_id, source, received_at, earlier in await self._database.all(
            query, self.session_id or self._identity
        ):
            if self.push_id and self.push_id not in (push_id, *(earlier or ())):
                continue
            self.rows.append(
                {
                    "table": table,
                    "push_id": push_id,
                    "source": source,
                    "received_at": received_at,
                    "earlier": list(earlier or ()),
                }
            )

    def _is_about(self, session_id: str, push_id: str) -> bool:
        if self.push_id:
            return push_id == self.push_id
        return self._identity in (session_id, push_id)

    def _tell(self, at_us: int, what: str, of: Any, **facts: Any) -> None:
        if what == "received":
            # A record that is replayed was received once.
            if (at_us, of.push_id) in self._received:
                return
            self._received.add((at_us, of.push_id))
        self.events.append(Event(at_us=at_us, what=what, push_id=of.push_id, action=of.action, facts=facts))


def _text(raw: bytes | None) -> str | None:
    return None if raw is None else raw.decode(errors="replace")


_BY_SESSION = """
SELECT session_id, push_id, action, received_at, kafka_partition, kafka_offset, outcome, settled_at
FROM tccc.push WHERE session_id = $1 ORDER BY settled_at
"""
_BY_PUSH = """
SELECT session_id, push_id, action, received_at, kafka_partition, kafka_offset, outcome, settled_at
FROM tccc.push WHERE session_id = $1 AND push_id = $2 ORDER BY settled_at
"""
_ERASED = "SELECT erased_at FROM tccc.erased_among('session', $1)"
_DAYS = """
SELECT inhrelid::regclass::text FROM pg_inherits WHERE inhparent = 'tccc.push'::regclass
ORDER BY inhrelid::regclass::text = 'tccc.push_default', inhrelid::regclass::text DESC
"""
