"""What the audit asks the ledger; Postgres finds the gaps, a bounded number of offsets at a time."""

from collections import Counter
from collections.abc import Sequence

from console.audit.spans import Span
from console.postgres import Questions

Place = tuple[int, int]  # offset, received-at


class Ledger:
    """The rows of one partition of the topic. `since_us` leaves out rows received before then."""

    def __init__(self, database: Questions, partition: int) -> None:
        self._database = database
        self._partition = partition

    async def oldest(self) -> Place | None:
        rows = await self._database.all(_OLDEST, self._partition)
        return (rows[0][0], rows[0][1]) if rows else None

    async def first_since(self, us: int) -> int | None:
        """The lowest offset received from then on."""
        offset: int | None = await self._database.one(_FIRST_SINCE, self._partition, us)
        return offset

    async def holds_others(self, offset: int, received_at_us: int) -> bool:
        """Whether it has a row for this offset that is not of the record now there."""
        return bool(await self._database.one(_OTHERS, self._partition, offset, received_at_us))

    async def reaches(self, offset: int, settled_before_us: int) -> bool:
        """Whether a record at or past the offset was settled before then."""
        return bool(await self._database.one(_REACHES, self._partition, offset, settled_before_us))

    async def outcomes(self, low: int, high: int, since_us: int) -> Counter[str]:
        rows = await self._database.all(_OUTCOMES, self._partition, low, high, since_us)
        return Counter(dict(rows))

    async def gaps(self, low: int, high: int, since_us: int) -> list[Span]:
        """The offsets of [low, high) without a row."""
        return [Span(*row) for row in await self._database.all(_GAPS, self._partition, low, high, since_us)]

    async def doubled(self, low: int, high: int, since_us: int) -> list[int]:
        """Offsets with more than one row received since then, or with two rows of one record."""
        return [row[0] for row in await self._database.all(_DOUBLED, self._partition, low, high, since_us)]

    async def settled(self, places: Sequence[Place]) -> dict[Place, str]:
        """The outcomes of exactly these records, where they have one."""
        offsets, times = [place[0] for place in places], [place[1] for place in places]
        rows = await self._database.all(_SETTLED, self._partition, offsets, times)
        return {(offset, received_at): outcome for offset, received_at, outcome in rows}

    async def dead(self, low: int, high: int, since_us: int, settled_since_us: int) -> list[int]:
        """Offsets of the records that died, of those settled since then."""
        rows = await self._database.all(_DEAD, self._partition, low, high, since_us, settled_since_us)
        return [row[0] for row in rows]


_OLDEST = """
SELECT kafka_offset, received_at FROM tccc.push WHERE kafka_partition = $1
ORDER BY kafka_offset, received_at LIMIT 1
"""
_FIRST_SINCE = "SELECT min(kafka_offset) FROM tccc.push WHERE kafka_partition = $1 AND received_at >= $2"
_OTHERS = """
SELECT true FROM tccc.push WHERE kafka_partition = $1 AND kafka_offset = $2 AND received_at <> $3 LIMIT 1
"""
_REACHES = """
SELECT true FROM tccc.push WHERE kafka_partition = $1 AND kafka_offset >= $2 AND settled_at < $3 LIMIT 1
"""
_IN_RANGE = """
kafka_partition = $1 AND kafka_offset >= $2 AND kafka_offset < $3
"""
_OUTCOMES = f"""
SELECT outcome, count(*) FROM tccc.push WHERE {_IN_RANGE} AND received_at >= $4 GROUP BY outcome
"""  # noqa: S608 -- parts of our own
_GAPS = f"""
SELECT before + 1, kafka_offset - 1 FROM (
    SELECT kafka_offset, lag(kafka_offset, 1, $2 - 1) OVER (ORDER BY kafka_offset) AS before FROM (
        SELECT kafka_offset FROM tccc.push WHERE {_IN_RANGE} AND received_at >= $4
        UNION ALL SELECT $3
    ) AS settled
) AS neighbours WHERE kafka_offset > before + 1 ORDER BY 1
"""  # noqa: S608 -- parts of our own
_DOUBLED = f"""
SELECT kafka_offset FROM tccc.push WHERE {_IN_RANGE} GROUP BY kafka_offset
HAVING count(*) FILTER (WHERE received_at >= $4) > 1 OR count(*) > count(DISTINCT received_at) ORDER BY 1
"""  # noqa: S608 -- parts of our own
_SETTLED = """
SELECT p.kafka_offset, p.received_at, p.outcome FROM tccc.push p
JOIN unnest($2::bigint[], $3::timestamptz[]) AS asked(kafka_offset, received_at)
  ON p.kafka_offset = asked.kafka_offset AND p.received_at = asked.received_at
WHERE p.kafka_partition = $1
"""
_DEAD = f"""
SELECT DISTINCT kafka_offset FROM tccc.push
WHERE {_IN_RANGE} AND received_at >= $4 AND outcome = 'dead' AND settled_at >= $5 ORDER BY 1
"""  # noqa: S608 -- parts of our own
