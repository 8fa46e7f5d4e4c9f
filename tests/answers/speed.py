"""How fast answers come, and what the marks cost whoever writes: `python -m tests.answers.speed --calls 5000000`.

Fills a database of its own on the server of TCCC_DATABASE_URL (else an embedded one) with 90 days of calls, which takes
a while, rolls them up and asks. Prints the wall time of each question, best of three: run it on a machine that is idle.
"""

import argparse
import asyncio
import os
import tempfile
import time
import uuid
from datetime import date, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, TypeAlias

import asyncpg

from tests import services
from worker import rollup
from worker.database import connected
from worker.migrate import migrate

if TYPE_CHECKING:
    Plain: TypeAlias = asyncpg.Connection[asyncpg.Record]
else:
    Plain = asyncpg.Connection

DAYS = 90
FIRST_DAY = date(2026, 3, 1)
CALLS_SQL = Path(__file__).with_name("calls.sql")
DAY, MONTH = "'2026-04-10+08', '2026-04-11+08'", "'2026-04-01+08', '2026-05-01+08'"
# What is asked, and within how many ms it has to be answered.
QUESTIONS = {
    f"call_answers({DAY}, 'Asia/Shanghai', 'hour')": 300,
    f"call_answers({DAY}, 'Asia/Shanghai', '15 minutes')": 300,
    f"call_answers({DAY}, 'Asia/Shanghai', 'hour', 'skill_group')": 300,
    f"agent_answers({DAY}, 'Asia/Shanghai')": 300,
    f"call_answers({MONTH}, 'Asia/Shanghai', 'day')": 3000,
    f"call_answers({MONTH}, 'Asia/Shanghai', 'hour')": 3000,
    f"call_answers({MONTH}, 'Asia/Shanghai', 'day', 'skill_group')": 3000,
    f"agent_answers({MONTH}, 'Asia/Shanghai')": 3000,
}
COPIES, COPIED = 20, 2_000


async def main(calls: int, url: str) -> bool:
    name = f"tccc_speed_{uuid.uuid4().hex}"
    await services.execute(url, f"CREATE DATABASE {name}")
    database_url = f"{url.rpartition('/')[0]}/{name}"
    try:
        await migrate(database_url)
        connection = await asyncpg.connect(database_url)
        await fill(connection, calls)
        await roll_up(database_url)
        await connection.execute("VACUUM ANALYZE")
        fast = [await ask(connection, question, limit_ms) for question, limit_ms in QUESTIONS.items()]
        await copy_cost(connection)
        await connection.close()
        return all(fast)
    finally:
        await services.execute(url, f"DROP DATABASE {name} WITH (FORCE)")


async def fill(connection: Plain, calls: int) -> None:
    statements = CALLS_SQL.read_text(encoding="utf-8").replace(":calls", str(calls // DAYS))
    indexes = await connection.fetch(_INDEXES)
    for index in indexes:
        await connection.execute(f"DROP INDEX tccc.{index['name']}")
    for number in range(DAYS):
        began = time.perf_counter()
        async with connection.transaction():
            await connection.execute(
                statements.replace(":day", f"'{FIRST_DAY + timedelta(days=number)}T00:00Z'")
            )
        print(f"day {number + 1} of {DAYS}: {time.perf_counter() - began:.1f} s", flush=True)
    for index in indexes:
        await connection.execute(index["definition"])
    await connection.execute("VACUUM ANALYZE")


async def roll_up(database_url: str) -> None:
    began = time.perf_counter()
    quarters = 0
    async with connected(database_url) as connection:
        while done := await rollup.refresh(connection):
            quarters += done
    print(f"rolled up {quarters} quarters in {time.perf_counter() - began:.0f} s", flush=True)


async def ask(connection: Plain, question: str, limit_ms: int) -> bool:
    took_ms, rows = min([await _timed(connection, question) for _ in range(3)])
    print(f"{took_ms:6.0f} ms (limit {limit_ms}), {rows} rows: {question}", flush=True)
    return took_ms <= limit_ms


async def copy_cost(connection: Plain) -> None:
    """COPY of calls as the worker does it, with the marks and without, taking turns; undone each time."""
    rows = [tuple(row) for row in await connection.fetch(f"SELECT * FROM tccc.call LIMIT {COPIED}")]
    took_s: dict[bool, list[float]] = {True: [], False: []}
    for number in range(2 * COPIES):
        marked = number % 2 == 0
        transaction = connection.transaction()
        await transaction.start()
        if not marked:
            await connection.execute("ALTER TABLE tccc.call DISABLE TRIGGER USER")
        fresh = [(f"{uuid.uuid4()}", *row[1:]) for row in rows]
        began = time.perf_counter()
        await connection.copy_records_to_table("call", schema_name="tccc", records=fresh)
        took_s[marked].append(time.perf_counter() - began)
        await transaction.rollback()
    for marked, times in took_s.items():
        middle_us = sorted(times)[COPIES // 2] / COPIED * 1e6
        print(f"COPY {'with' if marked else 'without'} marks: {middle_us:.1f} µs a call, median of {COPIES}")


async def _timed(connection: Plain, question: str) -> tuple[float, int]:
    began = time.perf_counter()
    rows = await connection.fetch(f"SELECT * FROM tccc.{question}")
    return (time.perf_counter() - began) * 1000, len(rows)


_INDEXES = """
SELECT indexname AS name, indexdef AS definition FROM pg_indexes
WHERE schemaname = 'tccc' AND tablename IN ('call', 'call_participant', 'recording') AND indexname NOT LIKE '%_pkey'
"""

if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--calls", type=int, default=5_000_000)
    given = parser.parse_args()
    with services.postgres(Path(tempfile.mkdtemp(prefix="tccc-speed-"))) as server:
        fast_enough = asyncio.run(main(given.calls, os.environ.get("TCCC_DATABASE_URL") or server))
    raise SystemExit(0 if fast_enough else 1)
