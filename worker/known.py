"""Asks what is known of a batch before it is stored: which of its records are settled, and whether anybody was erased."""

from collections.abc import Sequence

from worker.batch import Item
from worker.database import Connection, translated
from worker.erasure import Erasures


async def unsettled(connection: Connection, items: Sequence[Item]) -> list[Item]:
    """Those items that are not in the ledger yet, in their order."""
    with translated():
        return (await look_up(connection, items))[0]


async def look_up(connection: Connection, items: Sequence[Item]) -> tuple[list[Item], Erasures | None]:
    """Those items that are not in the ledger yet, and what to know of erasures: None if there never was one."""
    if not items:
        return [], None
    found = await connection.fetch(
        _SETTLED,
        sorted({item.record.partition for item in items}),
        min(item.record.offset for item in items),
        max(item.record.offset for item in items),
        min(item.received_at for item in items),
        max(item.received_at for item in items),
    )
    if not found:
        return list(items), None
    places = {tuple(record) for record in found}
    newest = [Erasures(received_at) for partition, _, received_at in found if partition == _ERASURES]
    return [item for item in items if item.place not in places], newest[0] if newest else None


_SETTLED = """
SELECT kafka_partition, kafka_offset, received_at FROM tccc.push
WHERE kafka_partition = ANY($1) AND kafka_offset BETWEEN $2 AND $3 AND received_at BETWEEN $4 AND $5
UNION ALL
SELECT -1, 0, (SELECT max(erased_at) FROM tccc.erasure WHERE kind = 'number')
WHERE EXISTS (SELECT FROM tccc.erasure)
"""
# Stands for a partition in one row of that answer, where anybody was ever erased: no round trip of its own.
_ERASURES = -1
