"""`tccc migrate`: brings the database to the newest schema."""

import asyncio
from pathlib import Path
from typing import Literal

import click
from msgspec import Struct

from console.output import json_option, print_json
from console.progress import progress
from console.target import home_option, target
from console.visits.database import DEADLINE_S, told, visiting
from schemas.settings import Settings
from worker.citus.distribute import SHARDS, TABLES, distribute, gather, would_move
from worker.migrate import migrate as apply_missing
from worker.migrate import schema_version
from worker.roles import missing

EXAMPLES = """\b
Examples:
  TCCC_DATABASE_URL=postgresql://tccc@db/tccc tccc migrate
  tccc migrate --dry-run --json | jq .applied
  tccc migrate --citus --shards 48
"""


Moved = Literal["distributed", "gathered"]


class Migrated(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """`version` is the database's, after what was applied; with `dry_run` nothing was.

    `moved` is there if rows were distributed over the nodes, or gathered on the coordinator.
    """

    applied: list[str]
    version: int
    roles_missing: list[str]
    dry_run: bool
    moved: Moved | None = None


@click.command("migrate", epilog=EXAMPLES)
@home_option
@click.option("--dry-run", is_flag=True, help="Only tell what would be applied.")
@click.option(
    "--citus/--no-citus",
    "citus",
    default=None,
    help="Distribute calls, chats and the ledger over the nodes of a Citus cluster; or bring them back to one.",
)
@click.option(
    "--shards",
    type=click.IntRange(1, 1024),
    default=SHARDS,
    show_default=True,
    help="With --citus: into how many parts.",
)
@json_option
def migrate(home: Path, *, dry_run: bool, citus: bool | None, shards: int, as_json: bool) -> None:
    """Bring the database to the newest schema.

    May be run again, by two at once, and while receivers and workers of this release or the one before run.
    Makes the roles tccc_writer, tccc_reconciler, tccc_analyst and tccc_masked where the login may, and grants them their rights.

    With --citus or --no-citus, workers wait while rows are moved; a distributed database stays so without either.
    """
    settings = target(home).settings
    done = asyncio.run(_migrate(settings, dry_run=dry_run, citus=citus, shards=shards))
    if as_json:
        print_json(done)
        return
    for name in done.applied:
        click.echo(f"{'would apply' if dry_run else 'applied'} {name}")
    if done.moved:
        click.echo(f"{'would be ' if dry_run else ''}{done.moved}: {', '.join(TABLES)}")
    elif not done.applied:
        click.echo(f"up to date (version {done.version})")
    if done.roles_missing:
        click.echo(
            f"not there, and this login may not make them: {', '.join(done.roles_missing)}; if they are wanted,"
            " let an administrator run CREATE ROLE … NOLOGIN for each, then run this again (docs/privacy.md)"
        )


async def _migrate(settings: Settings, *, dry_run: bool, citus: bool | None, shards: int) -> Migrated:
    # No deadline on the migrations themselves: on large tables they may take long.
    with told(settings.database_url, deadline_s=DEADLINE_S), progress("migrating"):
        applied = await apply_missing(settings.database_url, dry_run=dry_run)
        moved = await _move(settings.database_url, citus=citus, shards=shards, dry_run=dry_run)
    async with visiting(settings) as connection:
        return Migrated(
            applied=applied,
            version=await schema_version(connection),
            roles_missing=[] if dry_run else await missing(connection),
            dry_run=dry_run,
            moved=moved,
        )


async def _move(url: str, *, citus: bool | None, shards: int, dry_run: bool) -> Moved | None:
    if citus is None:
        return None
    if dry_run:
        changes = await would_move(url, to_citus=citus)
    else:
        changes = await (distribute(url, shards=shards) if citus else gather(url))
    if not changes:
        return None
    return "distributed" if citus else "gathered"
