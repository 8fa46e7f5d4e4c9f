"""Stores batches of bad records into a real Postgres, as a worker does, and reads back what it has stored."""

import asyncio
import json
import uuid
from collections import Counter
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from decimal import Decimal
from typing import Any, cast

import msgspec

from schemas.rows import TABLES
from tests import services
from tests.fuzz.laws import DEAD, STORED
from worker import migrate, store
from worker.batch import Item, KafkaRecord, take
from worker.database import Connection, Database
from worker.dead_letters import DeadLetters, letter_headers
from worker.dead_ratio import DeadRatio
from worker.drift import Drift
from worker.metrics import Metrics
from worker.settler import Settler

DEADLINE_S = 120.0
_SETTLED = {"applied": STORED, "duplicate": STORED, "stale": STORED, "dead": DEAD}


class _Letters:
    """Stands for Kafka: takes letters and can tell them."""

    def __init__(self) -> None:
        self.reasons: dict[int, str] = {}

    async def publish(self, items: Sequence[Item]) -> None:
        for item in items:
            headers = dict(letter_headers(item))
            self.reasons[int(headers["origin-offset"])] = headers["dead-reason"].decode()

    async def close(self) -> None: ...


class Store:
    """Settles batches whose offsets rise; the ledger tells what became of them."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._letters = _Letters()
        self._drift = Drift()
        self.next_offset = 0
        self._settler = Settler(
            database, cast("DeadLetters", self._letters), Metrics(), DeadRatio(1.0), self._drift
        )

    async def settle(self, records: Sequence[KafkaRecord]) -> Counter[tuple[str, str]]:
        """The ends of a batch, by end and reason. Raises where one has none, or a row is not what it should be."""
        items = [take(record) for record in records]
        first, last = records[0].offset, records[-1].offset
        self.next_offset = last + 1
        async with asyncio.timeout(DEADLINE_S):
            await self._settler.settle(items)
        async with self._database.connection() as connection:
            found = await connection.fetch(
                "SELECT kafka_offset, outcome FROM tccc.push WHERE kafka_offset BETWEEN $1 AND $2",
                first,
                last,
            )
            outcomes: dict[int, str] = {row[0]: row[1] for row in found}
            assert outcomes.keys() == {record.offset for record in records}, (
                "not each record is in the ledger"
            )
            assert {offset for offset, outcome in found if outcome == "dead"} == self._letters.reasons.keys()
            applied = [item for item in items if outcomes[item.origin.offset] == "applied"]
            await _rows_are_as_normalised(connection, applied)
            await self._drift.write(connection)
        reasons, self._letters.reasons = self._letters.reasons, {}
        return Counter((_SETTLED[outcome], reasons.get(offset, outcome)) for offset, outcome in found)


async def _rows_are_as_normalised(connection: Connection, applied: Sequence[Item]) -> None:
    """Compare the rows with the pushes that they show, value by value."""
    for action, table in TABLES.items():
        pushes = {
            (normalised.key, item.envelope.push_id): (item, normalised)
            for item in applied
            if (normalised := item.read()).action == action
        }
        columns = table.row.__struct_fields__
        rows = await connection.fetch(
            f"SELECT push_id, received_at, {', '.join(columns)} FROM tccc.{table.name} WHERE session_id = ANY($1)",
            [key[0] for key, _ in pushes],
        )
        for row in rows:
            found = pushes.get((tuple(row[name] for name in table.key), row["push_id"]))
            if found is None or row["received_at"] != found[0].received_at:
                continue
            for name, value in msgspec.structs.asdict(found[1].row).items():
                assert _same(name, value, row[name]), f"{table.name}.{name} reads back as another value"


def _same(name: str, sent: Any, stored: Any) -> bool:
    if sent is None or name not in _JSON:
        return bool(sent == stored)
    return bool(_parsed(sent) == _parsed(stored))


_JSON = frozenset({"extra", "repairs", "satisfaction", "ivr_keys", "post_ivr_keys"})


def _parsed(text: str) -> Any:
    return json.loads(text, parse_float=Decimal, parse_int=Decimal)


@asynccontextmanager
async def own_store(url: str) -> AsyncIterator[Store]:
    """One on a database that is made, on the server of this URL, for the length of the block."""
    name = f"tccc_fuzz_{uuid.uuid4().hex}"
    await services.execute(url, f"CREATE DATABASE {name}")
    head, _, tail = url.rpartition("/")
    _, question, options = tail.partition("?")
    made = f"{head}/{name}{question}{options}"
    await migrate.migrate(made)
    database = Database(made, timeout_s=60.0, prepare=store.prepare)
    try:
        yield Store(database)
    finally:
        database.close()
        await services.execute(url, f"DROP DATABASE {name} WITH (FORCE)")
