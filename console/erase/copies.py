"""Finds a subject's copies in Kafka, where nothing can be removed, and tells when they expire."""

from msgspec import Struct

from console.dead.letter import read_letter
from console.erase.subject import Search
from console.kafka import TopicReader
from console.progress import Say
from console.visits.brokers import visiting
from receiver.partitioning import partition_of
from schemas.settings import Settings

_TELL_EVERY = 10_000


class Copy(Struct, frozen=True, kw_only=True):
    """A record that holds the subject. `letter` is the dead letter's id."""

    topic: str
    partition: int
    offset: int
    published_us: int
    letter: str | None


class Retention(Struct, frozen=True):
    """Of a topic; None: for ever. Whole segments are deleted, so that a record may outlive its time by one."""

    retention_ms: int | None
    segment_ms: int

    def expires_us(self, copy: Copy) -> tuple[int, int] | None:
        """The earliest and the latest moment, as far as the topic's settings tell; None: never."""
        if self.retention_ms is None:
            return None
        earliest = copy.published_us + self.retention_ms * 1000
        return earliest, earliest + self.segment_ms * 1000


class Kafka(Struct, frozen=True):
    topic: TopicReader
    dead_topic: TopicReader

    async def copies(self, search: Search, say: Say) -> list[Copy]:
        """All there are, by a search that learns sessions as it goes: read again until it learns no more."""
        while True:
            known = len(search.sessions)
            found = [
                copy
                for reader, is_dead in ((self.topic, False), (self.dead_topic, True))
                for copy in await _copies(reader, search, say, is_dead=is_dead)
            ]
            if len(search.sessions) == known:
                return found


async def _copies(reader: TopicReader, search: Search, say: Say, *, is_dead: bool) -> list[Copy]:
    begins, ends = await reader.begins(), await reader.ends()
    wanted = ends.keys() if is_dead or search.key is None else [partition_of(search.key, len(ends))]
    total = sum(ends[n] - begins[n] for n in wanted)
    found: list[Copy] = []
    read = 0
    async for record in reader.read({n: (begins[n], ends[n]) for n in wanted}):
        read += 1
        if read % _TELL_EVERY == 0:
            say(f"erase: {reader.topic}, {read:,} of {total:,} records")
        if not search.holds(record):
            continue
        key = (record.key or b"").decode(errors="replace")
        # A body may name another session than the one that its record is of: the number makes it the subject's.
        if key and search.key is None:
            search.sessions.add(key)
        found.append(
            Copy(
                topic=reader.topic,
                partition=record.partition,
                offset=record.offset,
                published_us=record.timestamp * 1000,
                letter=read_letter(record).id if is_dead else None,
            )
        )
    return found


async def retentions(settings: Settings) -> dict[str, Retention]:
    """By topic, as the brokers have them."""
    found = {}
    async with visiting(settings) as brokers:
        for name in (settings.kafka_topic, settings.kafka_dead_topic):
            topic = await brokers.topic(name)
            configs = topic.configs if topic else {}
            keeps_ms = int(configs.get("retention.ms") or -1)
            found[name] = Retention(None if keeps_ms < 0 else keeps_ms, int(configs.get("segment.ms") or 0))
    return found
