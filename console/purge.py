"""`tccc purge`: removes rows by age, table by table, in batches that disturb nobody."""

import asyncio
import re
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import click
from msgspec import Struct

from console.blocks import blocks_of
from console.output import json_option, print_json, print_table
from console.postgres import Questions, open_database
from console.progress import Say, progress
from console.target import home_option, target
from console.times import iso
from schemas.rows import TABLES
from schemas.settings import Settings
from worker.database import Conflict

TABLE_NAMES = tuple(table.name for table in TABLES.values())
_BLOCKS = 500  # a batch: 4 MB of a table, one transaction
_TRIES = 10
_RETRY_S = 0.2
_UNITS = {"h": timedelta(hours=1), "d": timedelta(days=1), "w": timedelta(weeks=1)}

EXAMPLES = """\b
Examples:
  tccc purge --older-than 180d --dry-run
  tccc purge --older-than 90d --table recording --table voicemail
"""


class Purged(Struct, frozen=True, kw_only=True):
    """`rows` by table: removed, or with `dry_run` those that would be; a call's participants go with it."""

    before: str
    rows: dict[str, int]
    dry_run: bool


def _age(_context: click.Context, _option: click.Parameter, text: str) -> timedelta:
    match = re.fullmatch(r"(\d{1,5})([hdw])", text)
    if match is None or not int(match[1]):
        raise click.BadParameter(f"{text!r} is not an age such as 36h, 90d or 52w")
    return int(match[1]) * _UNITS[match[2]]


@click.command("purge", epilog=EXAMPLES)
@click.option(
    "--older-than", "age", required=True, callback=_age, metavar="AGE", help="Such as 36h, 90d or 52w."
)
@click.option(
    "--table", "tables", multiple=True, type=click.Choice(TABLE_NAMES), help="Only this one; may be repeated."
)
@click.option("--dry-run", is_flag=True, help="Count what would be removed, and remove nothing.")
@json_option
@home_option
def purge(age: timedelta, tables: tuple[str, ...], home: Path, *, dry_run: bool, as_json: bool) -> None:
    """Remove rows whose push was received longer ago than that, in batches; workers go on meanwhile.

    The ledger stays: TCCC_LEDGER_DAYS says for how long. If it is interrupted, what was removed stays removed,
    and running it again goes on. Needs the login that owns the tables.
    """
    before = datetime.now(UTC) - age
    before_us = int(before.timestamp() * 1_000_000)
    with progress("purge") as say:
        rows = asyncio.run(
            _purge(target(home).settings, tables or TABLE_NAMES, before_us, say, dry_run=dry_run)
        )
    purged = Purged(before=str(iso(before_us)), rows=rows, dry_run=dry_run)
    if as_json:
        print_json(purged)
        return
    verb = "would be removed" if dry_run else "removed"
    print_table(f"Received before {purged.before}", ("table", f"{verb}#"), list(rows.items()))


async def _purge(
    settings: Settings, tables: tuple[str, ...], before_us: int, say: Say, *, dry_run: bool
) -> dict[str, int]:
    totals = dict.fromkeys(tables, 0)
    async with open_database(settings.database_url) as database:
        for table in tables:
            statement = (_COUNT if dry_run else _STATEMENTS[table]).format(table=table)
            async for count, share in _batches(database, table, statement, before_us):
                totals[table] += count
                say(f"purge: {table}, {totals[table]:,} rows, {share:.0%} of the table read")
    return totals


async def _batches(
    database: Questions, table: str, statement: str, before_us: int
) -> AsyncIterator[tuple[int, float]]:
    """For each batch how many rows it found, and how far we are."""
    blocks = await blocks_of(database, table)
    for first in range(0, blocks + 1, _BLOCKS):
        places = f"ctid >= '({first},0)' AND ctid < '({first + _BLOCKS},0)'"
        yield (
            await _patiently(database, statement.replace("PLACES", places), before_us),
            min(1.0, (first + _BLOCKS) / (blocks + 1)),
        )


async def _patiently(database: Questions, statement: str, before_us: int) -> int:
    """A worker may be at the same rows, in another order."""
    for _ in range(_TRIES):
        try:
            return int(await database.one(statement, before_us))
        except Conflict as exc:
            conflict = exc
            await asyncio.sleep(_RETRY_S)
    raise conflict


_COUNT = "SELECT count(*) FROM tccc.{table} WHERE PLACES AND received_at < $1"
_DELETE = """
WITH gone AS (DELETE FROM tccc.{table} WHERE PLACES AND received_at < $1 RETURNING 1) SELECT count(*) FROM gone
"""
_DELETE_CALLS = """
WITH gone AS (DELETE FROM tccc.{table} WHERE PLACES AND received_at < $1 RETURNING session_id),
    participants AS (DELETE FROM tccc.call_participant WHERE session_id IN (SELECT session_id FROM gone))
SELECT count(*) FROM gone
"""
_STATEMENTS = {table: _DELETE_CALLS if table == "call" else _DELETE for table in TABLE_NAMES}
