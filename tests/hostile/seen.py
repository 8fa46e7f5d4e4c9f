"""Finds out what became of each case: on the topic, among the dead letters, in the ledger and in its row."""

import json
from collections import defaultdict
from collections.abc import Awaitable, Callable, Iterable
from decimal import Decimal
from typing import Any

from schemas.settings import Settings
from tests.contract.reading import Consumed, read_topic
from tests.hostile.asking import Place
from tests.hostile.case import ID, REFUSED, STORED, Case
from worker.database import Connection

_OUTCOMES = {"applied": STORED, "duplicate": "duplicate", "stale": "stale"}
Until = Callable[[Callable[[], Awaitable[bool]]], Awaitable[None]]


class Aftermath:
    """All that a run left behind, read once everything is settled."""

    def __init__(
        self,
        records: Iterable[Consumed],
        letters: Iterable[Consumed],
        ledger: dict[Place, str],
        database: Connection,
    ) -> None:
        self._ledger = ledger
        self._database = database
        self._records: dict[str, list[Consumed]] = defaultdict(list)
        self._places: dict[Place, Consumed] = {}
        self._letters: dict[str, list[Consumed]] = defaultdict(list)
        self._buried: dict[Place, str] = {}
        for record in records:
            self._places[record.partition, record.offset] = record
            self._records[_name_of(record)].append(record)
        for letter in letters:
            headers = {name: (value or b"").decode(errors="replace") for name, value in letter.headers}
            fate = f"dead {headers['dead-stage']} {headers['dead-reason']}"
            if headers["dead-stage"] == "receive":
                self._letters[_name_of(letter)].append(letter)
                self._buried[-1 - letter.partition, letter.offset] = fate
            else:
                self._buried[int(headers["origin-partition"]), int(headers["origin-offset"])] = fate

    def ends(self, number: int, place: Place | None) -> str:
        """In the words of the table. A place is that of a record which went straight to the topic."""
        name = f"case-{number:04d}"
        found = [self._places[place]] if place else self._records[name]
        fates = [self._fate(record) for record in found]
        if not place:
            fates += [self._buried[-1 - letter.partition, letter.offset] for letter in self._letters[name]]
        return ", ".join(fates) or REFUSED

    async def row(self, case: Case, number: int, place: Place | None) -> dict[str, Any] | None:
        """The row of the case's session, or the one that its push shows, as JSON; with its participants."""
        name = f"case-{number:04d}"
        found = await self._database.fetch(
            f"SELECT to_jsonb(t)::text FROM tccc.{case.table} t WHERE session_id = $1 OR push_id = $1"
            " ORDER BY session_id = $1 DESC",
            name,
        )
        if not found:
            return None
        row: dict[str, Any] = _json(found[0][0])
        if "participants" in case.columns:
            served = await self._database.fetch(
                "SELECT to_jsonb(p)::text FROM tccc.call_participant p WHERE session_id = $1 ORDER BY sequence",
                row["session_id"],
            )
            row["participants"] = [_json(one[0]) for one in served]
        return row

    def _fate(self, record: Consumed) -> str:
        place = (record.partition, record.offset)
        outcome = self._ledger.get(place, "missing in the ledger")
        return (
            self._buried.get(place, "dead, without a letter")
            if outcome == "dead"
            else _OUTCOMES.get(outcome, outcome)
        )


async def read_aftermath(settings: Settings, database: Connection, until: Until) -> Aftermath:
    """Waits until each record of the topic is in the ledger."""
    records = await read_topic(settings, settings.kafka_topic)

    async def settled() -> bool:
        return bool(await database.fetchval("SELECT count(*) FROM tccc.push") >= len(records))

    await until(settled)
    ledger = await database.fetch("SELECT kafka_partition, kafka_offset, outcome FROM tccc.push")
    letters = await read_topic(settings, settings.kafka_dead_topic)
    return Aftermath(records, letters, {(row[0], row[1]): row[2] for row in ledger}, database)


def _name_of(record: Consumed) -> str:
    """The case's name, which stands in its push id or in its SessionId."""
    size = len(ID)
    for text in (dict(record.headers).get("push-id"), (record.key or b"").strip()):
        if text and text.startswith(b"case-"):
            return text[:size].decode()
    return ""


def _json(text: str) -> Any:
    return json.loads(text, parse_float=Decimal)
