"""Each figure of docs/answers.md against the simulator's truth, through the worker's own normaliser and store."""

import json
import random
from collections.abc import AsyncIterator
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import asyncpg
import pytest

from console.simulator import Push, Session, simulate
from tests.answers import truth
from tests.databases import CITUS_URL, prepared
from tests.logins import login
from tests.records import item
from worker import rollup, store
from worker.batch import Item
from worker.database import Connection, connect, connected

DOCS = Path(__file__).parents[2] / "docs" / "answers.md"
FIRST_DAY = date(2026, 3, 28)  # a Saturday; on the Sunday the clocks of Berlin go forward
SINCE, UNTIL = datetime(2026, 3, 27, 12, tzinfo=UTC), datetime(2026, 3, 31, 12, tzinfo=UTC)
WITHIN_S = 12
BATCH = 300


@pytest.fixture
async def db(database_url: str) -> AsyncIterator[Connection]:
    connection = await connect(database_url)
    yield connection
    await connection.close()


@pytest.fixture
async def writer(database_url: str) -> AsyncIterator[Connection]:
    async with prepared(database_url) as connection:
        yield connection


@pytest.fixture(scope="module")
def sessions() -> list[Session]:
    return list(
        simulate(
            1_300,
            seed=8,
            first_day=FIRST_DAY,
            sessions_a_day=700,
            quirks=0.05,
            corrections=0.05,
            regulars=0.2,
        )
    )


def mistaken(push: Push) -> bytes | None:
    """An earlier push of the same call that had nearly everything wrong."""
    try:
        body = json.loads(push.body)
    except ValueError:
        return None
    return json.dumps(
        body
        | {
            "StartTimestamp": int(body["StartTimestamp"]) - 7000,
            "Caller": "00864006666666",
            "AcceptTimestamp": 0,
            "EndStatusString": "ivrGiveUp",
            "ServeParticipants": None,
            "QueuedSkillGroupId": 1,
        }
    ).encode()


def deliver(sessions: list[Session], dice: random.Random) -> tuple[list[Item], set[str]]:
    """The pushes as consumed: some late by hours, some of a call corrected, some recordings never told of."""
    withheld: set[str] = set()
    arriving: list[tuple[float, bytes, Push]] = []
    for session in sessions:
        for push in session.pushes:
            if push.action == "record" and dice.random() < 0.03:
                withheld.add(json.loads(push.body)["RecordId"])
                continue
            late_s = dice.uniform(3_600, 40_000) if dice.random() < 0.05 else 0.0
            arriving.append((push.at + late_s, push.body, push))
            if push.action == "cdr" and not push.correction and dice.random() < 0.1:
                wrong = mistaken(push)
                if wrong is not None:
                    arriving.append((push.at - 1, wrong, push))
    arriving.sort(key=lambda one: one[0])
    items = [
        item(
            value.replace(b'",],', b'"],'),  # as the receiver mends it
            key=push.session_id,
            action=push.action,
            push_id=push.push_id if value is push.body else "mistaken",
            received_at_us=int(push.at * 1_000_000) - (value is not push.body),
            offset=offset,
        )
        for offset, (_, value, push) in enumerate(arriving)
    ]
    return items, withheld


async def settle(writer: Connection, items: list[Item], dice: random.Random) -> None:
    """Settle in batches, the roll-up refreshed in between, so that much of it is out of date again later."""
    for first in range(0, len(items), BATCH):
        await store.settle(writer, items[first : first + BATCH])
        if dice.random() < 0.4:
            await rollup.refresh(writer)


async def refresh_all(db: Connection) -> None:
    while await rollup.refresh(db):
        pass
    assert await db.fetchval("SELECT count(*) FROM tccc.rollup_stale") == 0


async def asked(db: Connection, question: str, key: str, *values: Any) -> dict[Any, dict[str, Any]]:
    rows = [dict(row) for row in await db.fetch(question, *values)]
    found = {}
    for row in rows:
        row["ratings"] = row["ratings"] and json.loads(row["ratings"])
        place = (row.pop("bucket") // 1_000_000, row.pop(key))
        row.pop("local_time")
        row.pop("label", None)
        found[place] = row
    assert len(found) == len(rows)
    return found


async def compare(db: Connection, calls: list[truth.Call], since: datetime, until: datetime) -> int:
    """Every bucket of every dimension in zones with and without a clock change; returns how many rows agreed."""
    times = [round(at.timestamp() * 1_000_000) for at in (since, until)]
    asked_for = [call for call in calls if times[0] <= call.truth.started_s * 1_000_000 < times[1]]
    rows = 0
    for zone, bucket in (
        ("Europe/Berlin", "hour"),
        ("Europe/Berlin", "day"),
        ("Asia/Kathmandu", "day"),
        ("Asia/Shanghai", "15 minutes"),
        ("America/St_Johns", "week"),
    ):
        start = truth.bucket_starts(ZoneInfo(zone), bucket)
        for dimension in truth.KEYS:
            found = await asked(
                db,
                "SELECT * FROM tccc.call_answers($1, $2, $3, $4, $5, $6)",
                "key",
                *times,
                zone,
                bucket,
                dimension,
                WITHIN_S,
            )
            assert found == truth.call_answers(asked_for, start, dimension, WITHIN_S)
            rows += len(found)
        found = await asked(
            db,
            "SELECT * FROM tccc.agent_answers($1, $2, $3, $4, $5)",
            "agent",
            *times,
            zone,
            bucket,
            WITHIN_S,
        )
        assert found == truth.agent_answers(asked_for, start, WITHIN_S)
        rows += len(found)
    return rows


async def test_every_figure_is_that_of_the_truth(
    db: Connection, writer: Connection, sessions: list[Session]
) -> None:
    dice = random.Random(8)
    items, withheld = deliver(sessions, dice)
    calls = truth.calls_of(sessions, withheld)
    assert sum(call.repeated for call in calls) > 50
    await settle(writer, items, dice)
    assert await db.fetchval("SELECT count(*) FROM tccc.call") == len(calls)
    assert CITUS_URL or await db.fetchval("SELECT count(*) FROM tccc.rollup_stale") > 10
    assert await compare(db, calls, SINCE, UNTIL) > 3_000  # with much of the roll-up out of date
    await refresh_all(db)
    await compare(db, calls, SINCE, UNTIL)
    odd = timedelta(minutes=7, seconds=13)
    await compare(db, calls, SINCE + timedelta(days=1) + odd, UNTIL - timedelta(days=1) - odd)
    await db.execute("SELECT tccc.rollup_stop()")
    await compare(db, calls, SINCE, UNTIL)


async def test_docs_and_comments_say_the_same(db: Connection) -> None:
    told: dict[str, dict[str, str]] = {}
    for section in DOCS.read_text(encoding="utf-8").split("\n## ")[1:]:
        title, _, text = section.partition("\n")
        if "`tccc." in title:
            name = title.split("`")[1].removeprefix("tccc.").replace("_answers", "_answer")
            lines = [line.strip("| ").split(" | ", 1) for line in text.splitlines() if line.startswith("| `")]
            told[name] = {column.strip("`"): what for column, what in lines}
    commented = {
        name: {
            row[0]: row[1]
            for row in await db.fetch(
                "SELECT attname, col_description(attrelid, attnum) FROM pg_attribute"
                " WHERE attrelid = to_regclass($1) AND attnum > 0 ORDER BY attnum",
                f"tccc.{name}",
            )
        }
        for name in ("call_answer", "agent_answer", "call_fact", "participant_fact")
    }
    assert told == commented


async def test_a_truncated_table_is_forgotten(
    db: Connection, writer: Connection, sessions: list[Session]
) -> None:
    items, _ = deliver(sessions[:50], random.Random(1))
    await store.settle(writer, items)
    await refresh_all(db)
    question = "SELECT sum(calls) FROM tccc.call_answers('2026-03-27', '2026-03-31')"
    assert await db.fetchval(question) == 50
    await db.execute("TRUNCATE tccc.call")
    assert await db.fetchval(question) is None
    await refresh_all(db)
    assert await db.fetchval("SELECT count(*) FROM tccc.call_rollup") == 0


@pytest.mark.parametrize(
    "arguments",
    [
        "'2026-03-02', '2026-03-01'",
        "'2026-03-01', 'infinity'",
        "'2026-03-01', '2026-03-02', '+05:07'",
        "'2026-03-01', '2026-03-02', 'UTC', 'minute'",
        "'2026-03-01', '2026-03-02', 'UTC', 'day', 'agent'",
    ],
)
async def test_what_cannot_be_answered_is_refused(db: Connection, arguments: str) -> None:
    with pytest.raises(asyncpg.InvalidParameterValueError):
        await db.fetch(f"SELECT * FROM tccc.call_answers({arguments})")


async def test_roles_do_their_part(db: Connection, database_url: str, sessions: list[Session]) -> None:
    items, _ = deliver(sessions[:50], random.Random(1))
    async with login(database_url, "tccc_writer") as url, connected(url) as writer:
        await store.prepare(writer)
        await store.settle(writer, items)
        assert CITUS_URL or await rollup.refresh(writer) > 0
        with pytest.raises(asyncpg.InsufficientPrivilegeError):
            await writer.fetch("SELECT tccc.rollup_stop()")
    async with login(database_url, "tccc_analyst") as url, connected(url) as analyst:
        question = "SELECT sum(calls) FROM tccc.call_answers('2026-03-27', '2026-03-31')"
        assert await analyst.fetchval(question) == 50
        assert await analyst.fetch("SELECT * FROM tccc.agent_answers('2026-03-27', '2026-03-31')")


async def test_late_pushes_show_at_once(db: Connection, writer: Connection, sessions: list[Session]) -> None:
    """Each kind of mark alone: a recording, a voice message, and a call that a correction moves two days back."""
    pushes = [push for session in sessions[:100] for push in session.pushes if not push.correction]
    calls = [push for push in pushes if push.action == "cdr" and b'",],' not in push.body]
    late = [push for push in pushes if push.action in {"record", "voicemail"}]
    await store.settle(writer, [_consumed(push, push.body, n) for n, push in enumerate(calls)])
    await refresh_all(db)
    before = await _day(db, "2026-03-28")
    assert before["recordings_missing"] == before["recordings"] > 0
    await store.settle(writer, [_consumed(push, push.body, 1_000 + n) for n, push in enumerate(late)])
    for _ in ("from the facts", "from the roll-up"):
        told = await _day(db, "2026-03-28")
        assert told["voicemail"] > before["voicemail"] == 0
        assert told["recordings_missing"] < before["recordings"] / 4
        await refresh_all(db)
    body = json.loads(calls[0].body)
    moved = json.dumps(body | {"StartTimestamp": int(body["StartTimestamp"]) - 2 * 86_400}).encode()
    await store.settle(writer, [_consumed(calls[0], moved, 9_000, "moved")])
    for _ in ("from the facts", "from the roll-up"):
        assert (await _day(db, "2026-03-28"))["calls"] == before["calls"] - 1
        assert (await _day(db, "2026-03-26"))["calls"] == 1
        await refresh_all(db)


def _consumed(push: Push, value: bytes, offset: int, push_id: str = "") -> Item:
    return item(
        value,
        key=push.session_id,
        action=push.action,
        push_id=push_id or push.push_id,
        received_at_us=int(push.at * 1_000_000) + offset,
        offset=offset,
    )


async def _day(db: Connection, day: str) -> dict[str, Any]:
    row = await db.fetchrow(
        "SELECT * FROM tccc.call_answers($1::text::date::timestamp AT TIME ZONE 'Asia/Shanghai',"
        " ($1::text::date + 1)::timestamp AT TIME ZONE 'Asia/Shanghai', 'Asia/Shanghai')",
        day,
    )
    assert row is not None
    return dict(row)
