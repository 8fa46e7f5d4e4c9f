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
from worker.roles import missing

EXAMPLES = """\b
Examples:
  TCCC_DATABASE_URL=postgresql://tccc@db/tccc tccc migrate
  tccc migrate --dry-run --json | jq .applied
"""


class Migrated(Struct, frozen=True, kw_only=True):
    """`version` is the database's, after what was applied; with `dry_run` nothing was."""

    applied: list[str]
    version: int
    roles_missing: list[str]
    dry_run: bool


@click.command("migrate", epilog=EXAMPLES)
@home_option
@click.option("--dry-run", is_flag=True, help="Only tell what would be applied.")
@json_option
def migrate(home: Path, *, dry_run: bool, as_json: bool) -> None:
    """Bring the database to the newest schema.

    May be run again, by two at once, and while receivers and workers of this release or the one before run.
    Makes the roles tccc_writer, tccc_reconciler, tccc_analyst and tccc_masked where the login may, and grants them their rights.
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
    if done.roles_missing:
        click.echo(
            f"not there, and this login may not make them: {', '.join(done.roles_missing)}; if they are wanted,"
            " let an administrator run CREATE ROLE … NOLOGIN for each, then run this again (docs/privacy.md)"
        )


async def _migrate(settings: Settings, *, dry_run: bool) -> Migrated:
    # No deadline on the migrations themselves: on large tables they may take long.
    with told(settings.database_url, deadline_s=DEADLINE_S), progress("migrating"):
        applied = await apply_missing(settings.database_url, dry_run=dry_run)
    async with visiting(settings) as connection:
        return Migrated(
            applied=applied,
            version=await schema_version(connection),
            roles_missing=[] if dry_run else await missing(connection),
            dry_run=dry_run,
        )
