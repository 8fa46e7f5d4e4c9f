"""Rows, outcomes and the newest row, asked so that the answer comes soon however large the tables are."""

from datetime import UTC, datetime, timedelta
from typing import Any

import msgspec

from console.status.facts import Drift, Ledger, Reconciled, RowCount, Tables
from console.times import iso
from console.visits.database import visiting
from schemas.errors import OperatorError
from schemas.settings import Settings
from worker.database import Connection
from worker.migrate import schema_version

TABLES = ("call", "call_participant", "recording", "voicemail", "chat", "push")
COUNTED_ROWS = 50_000  # up to here a table is counted, some 10 ms; beyond, estimated
SAMPLED_ROWS = 500_000  # at most about so many rows of the ledger are read

_OUTCOMES = """
SELECT outcome, count(*) AS last_day, count(*) FILTER (WHERE received_at >= '{hour}') AS last_hour
FROM tccc.push {sample} WHERE received_at >= '{day}' GROUP BY outcome
"""
_PARTITIONS = "SELECT coalesce(max(kafka_partition) + 1, 0) FROM tccc.push"
# One step down an index for each day, in place of a scan.
_NEWEST = """
SELECT extract(epoch FROM clock_timestamp() - settled_at)::float8 FROM tccc.push
WHERE kafka_partition = $1 ORDER BY kafka_offset DESC LIMIT 1
"""
_RECONCILED = """
SELECT sdk_app_id, complete_from, complete_until FROM tccc.reconciled
WHERE complete_until > complete_from ORDER BY sdk_app_id
"""
_DRIFT = """
SELECT count(DISTINCT (action, name)) FILTER (WHERE kind = 'field'),
       count(DISTINCT (action, name, value)) FILTER (WHERE kind = 'value')
FROM tccc.drift WHERE last_seen >= now() - interval '7 days'
"""


async def tables(settings: Settings) -> Tables:
    """Raises DatabaseAway or OperatorError."""
    async with visiting(settings) as connection:
        version = await schema_version(connection)
        if version == 0:
            raise OperatorError("the database has not been migrated: run 'tccc migrate'")
        reconciled = [
            Reconciled(sdk_app_id=row[0], complete_from=iso(row[1]), complete_until=iso(row[2]))
            for row in await connection.fetch(_RECONCILED)
        ]
        fields, values = await connection.fetchrow(_DRIFT) or (0, 0)
        return Tables(
            schema_version=version,
            rows={table: await _count(connection, table) for table in TABLES},
            reconciled=reconciled,
            drift=Drift(fields=fields, values=values),
        )


async def ledger(settings: Settings) -> Ledger:
    """Raises DatabaseAway or OperatorError."""
    async with visiting(settings) as connection:
        if await schema_version(connection) == 0:
            raise OperatorError("the database has not been migrated: run 'tccc migrate'")
        return await _outcomes(connection)


async def _count(connection: Connection, table: str) -> RowCount:
    counted = await connection.fetchval(
        f"SELECT count(*) FROM (SELECT 1 FROM tccc.{table} LIMIT {COUNTED_ROWS + 1}) AS found"  # noqa: S608 -- ours
    )
    if counted <= COUNTED_ROWS:
        return RowCount(rows=counted, exact=True)
    estimate = await _estimate(connection, f"SELECT FROM tccc.{table}")
    return RowCount(rows=max(estimate, counted), exact=False)


async def _outcomes(connection: Connection) -> Ledger:
    now = datetime.now(UTC)
    day, hour = (now - timedelta(days=1)).isoformat(), (now - timedelta(hours=1)).isoformat()
    # Times stand in the text, not in parameters: the planner has to see which partitions are meant.
    expected = await _estimate(connection, f"SELECT FROM tccc.push WHERE received_at >= '{day}'")
    share = min(1.0, SAMPLED_ROWS / max(1, expected))
    sample = f"TABLESAMPLE SYSTEM ({share * 100:.6f})" if share < 1 else ""
    found = await connection.fetch(_OUTCOMES.format(hour=hour, day=day, sample=sample))
    return Ledger(
        last_hour={row["outcome"]: round(row["last_hour"] / share) for row in found if row["last_hour"]},
        last_day={row["outcome"]: round(row["last_day"] / share) for row in found},
        exact=share == 1,
        newest_age_s=await _newest_age_s(connection),
    )


async def _newest_age_s(connection: Connection) -> float | None:
    partitions = range(await connection.fetchval(_PARTITIONS))
    ages = [await connection.fetchval(_NEWEST, number) for number in partitions]
    return min((age for age in ages if age is not None), default=None)


async def _estimate(connection: Connection, query: str) -> int:
    """The planner's: density when last analysed, times the size of now. On Citus, of one shard, times their number."""
    plan: Any = msgspec.json.decode(await connection.fetchval(f"EXPLAIN (FORMAT JSON) {query}"))
    job = plan[0]["Plan"].get("Distributed Query", {}).get("Job")
    if job is None:
        return int(plan[0]["Plan"]["Plan Rows"])
    shard = job["Tasks"][0]["Remote Plan"][0][0]["Plan"]["Plan Rows"]
    return int(shard * job["Task Count"])
