"""`tccc migrate`: brings the database to the newest schema."""

import asyncio
from pathlib import Path

import click
from msgspec import Struct

from console.output import json_option, print_json
from console.progress import progress
from console.target import home_option, target
from console.visits.database import DEADLINE_S, told, visiting
from schemas.settings import Settings
from worker.migrate import migrate as apply_missing
from worker.migrate import schema_version

EXAMPLES = """\b
Examples:
  TCCC_DATABASE_URL=postgresql://tccc@db/tccc tccc migrate
  tccc migrate --dry-run --json | jq .applied
"""


class Migrated(Struct, frozen=True, kw_only=True):
    """`version` is the database's, after what was applied; with `dry_run` nothing was."""

    applied: list[str]
    version: int
    dry_run: bool


@click.command("migrate", epilog=EXAMPLES)
@home_option
@click.option("--dry-run", is_flag=True, help="Only tell what would be applied.")
@json_option
def migrate(home: Path, *, dry_run: bool, as_json: bool) -> None:
    """Bring the database to the newest schema.

    May be run again, by two at once, and while receivers and workers of this release or the one before run.
    """
    settings = target(home).settings
    done = asyncio.run(_migrate(settings, dry_run=dry_run))
    if as_json:
        print_json(done)
        return
    for name in done.applied:
        click.echo(f"{'would apply' if dry_run else 'applied'} {name}")
    if not done.applied:
        click.echo(f"up to date (version {done.version})")


async def _migrate(settings: Settings, *, dry_run: bool) -> Migrated:
    # No deadline on the migrations themselves: on large tables they may take long.
    with told(settings.database_url, deadline_s=DEADLINE_S), progress("migrating"):
        applied = await apply_missing(settings.database_url, dry_run=dry_run)
    async with visiting(settings) as connection:
        return Migrated(applied=applied, version=await schema_version(connection), dry_run=dry_run)
