"""Asks what is known of a batch before it is stored: which of its records are settled, and whether anybody was erased."""

from collections.abc import Sequence

from msgspec import Struct

from worker.batch import Item
from worker.database import Connection
from worker.erasure import Erasures


class Known(Struct, frozen=True):
    """The items that are not in the ledger yet; what to know of erasures, None if there never was one; whether the
    transaction may span nodes.
    """

    items: list[Item]
    erasures: Erasures | None
    spread: bool


async def look_up(connection: Connection, items: Sequence[Item]) -> Known:
    """For a transaction that stores a batch."""
    if not items:
        return Known([], None, spread=False)
    partitions, offsets, times = zip(*[item.place for item in items], strict=True)
    found = await connection.fetch(
        _SETTLED, sorted(set(partitions)), min(offsets), max(offsets), min(times), max(times)
    )
    if not found:
        return Known(list(items), None, spread=False)
    places = {tuple(record) for record in found}
    told = {partition: received_at for partition, _, received_at in found if partition < 0}
    return Known(
        [item for item in items if item.place not in places],
        Erasures(told[_ERASURES]) if _ERASURES in told else None,
        spread=_SPREAD in told,
    )


# These stand for a partition in rows of the answer that tell something else: no round trips of their own.
_ERASURES = -1  # where anybody was ever erased
_SPREAD = -2  # where there is Citus
_SETTLED = f"""
SELECT kafka_partition, kafka_offset, received_at FROM tccc.push
WHERE kafka_partition = ANY($1) AND kafka_offset BETWEEN $2 AND $3 AND received_at BETWEEN $4 AND $5
UNION ALL
(SELECT {_ERASURES}, 0, (SELECT max(erased_at) FROM tccc.erasure WHERE kind = 'number') FROM tccc.erasure LIMIT 1)
UNION ALL
SELECT {_SPREAD}, 0, NULL FROM tccc.schema_version
WHERE version = 1 AND to_regclass('pg_catalog.pg_dist_partition') IS NOT NULL
"""  # noqa: S608 -- our own numbers
