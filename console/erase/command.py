"""`tccc erase`: removes a person from rows and spool, makes the ledger anonymous, and names what remains."""

import asyncio
from pathlib import Path
from typing import Any

import click

from console.erase.copies import Copy
from console.erase.run import Erased, Plan
from console.erase.run import erase as erase_subject
from console.erase.subject import Subject
from console.output import json_option, print_json, print_table
from console.progress import progress
from console.target import home_option, target
from console.times import iso
from runtime import logs
from schemas.phone import read_number

MAX_NAMED = 1000

EXAMPLES = """\b
Examples:
  tccc erase --number 13800138000 --dry-run
  tccc erase --session 7f1d2c5a-0c5e-4c9c-8a4e-2f6e5c1b9d10 --json
  tccc erase --number +8613800138000 --spool /mnt/receiver-1/spool --spool /mnt/receiver-2/spool
"""


@click.command("erase", epilog=EXAMPLES)
@click.option("--number", metavar="NUMBER", help="Every session in which this phone number stands anywhere.")
@click.option("--session", metavar="SESSION_ID", help="This session.")
@click.option(
    "--spool",
    "spools",
    multiple=True,
    type=click.Path(exists=True, file_okay=False, path_type=Path),
    help="A spool folder to look into; may be repeated.  [default: TCCC_SPOOL_DIR, if it is there]",
)
@click.option(
    "--max-sessions",
    type=click.IntRange(min=1),
    default=1000,
    show_default=True,
    help="Refuse a number that stands in more sessions: it may be a hotline of your own.",
)
@click.option("--dry-run", is_flag=True, help="Say what would be removed, and remove nothing.")
@json_option
@home_option
def erase(
    number: str | None,
    session: str | None,
    spools: tuple[Path, ...],
    max_sessions: int,
    home: Path,
    *,
    dry_run: bool,
    as_json: bool,
) -> None:
    """Remove a person: rows and spooled pushes go, the ledger's rows become anonymous, dead letters are dropped.

    Workers store nothing of the subject again, whatever comes: a rewind, a replay, the vendor's API. Kafka
    cannot remove single records: those that remain are listed, with the time when they expire. A number is
    found in all spellings (with or without 0086 or +86, blanks, hyphens), and its sessions are removed whole.
    Safe to interrupt and to run again. Needs the login that owns the tables.
    """
    if (number is None) == (session is None) or not (number or session):
        raise click.UsageError("one of --number and --session is needed")
    subject = Subject("number", read_number(number)) if number else Subject("session", session or "")
    settings = target(home).settings
    own = Path(settings.spool_dir)
    folders = list(spools) or ([own] if settings.spool_dir and own.is_dir() else [])
    logs.configure(settings)
    plan = Plan(subject=subject, spools=folders, max_sessions=max_sessions, dry_run=dry_run)
    with progress("erase") as say:
        erased = asyncio.run(erase_subject(settings, plan, say))
    if as_json:
        print_json(_as_object(erased, plan))
    else:
        _print(erased, plan)


def _as_object(erased: Erased, plan: Plan) -> dict[str, Any]:
    return {
        "dry_run": plan.dry_run,
        "sessions": erased.sessions,
        "rows": {table: count for table, count in erased.rows.items() if table != "push"},
        "ledger_rows": erased.rows["push"],
        "letters": erased.letters,
        "spooled": erased.spooled,
        "remaining": {
            "kafka": [_copy(erased, copy) for copy in erased.copies[:MAX_NAMED]],
            "kafka_records": len(erased.copies),
            "spool_of_running_receivers": erased.in_spools.owned,
            "spool_left": erased.in_spools.left,
            "spool_damaged": erased.in_spools.damaged,
            "spools_searched": [str(folder) for folder in plan.spools],
        },
    }


def _copy(erased: Erased, copy: Copy) -> dict[str, Any]:
    expires = erased.retentions[copy.topic].expires_us(copy)
    return {
        "topic": copy.topic,
        "partition": copy.partition,
        "offset": copy.offset,
        "published_at": iso(copy.published_us),
        "expires_from": iso(expires[0]) if expires else None,
        "expires_until": iso(expires[1]) if expires else None,
        "letter": copy.letter,
    }


def _print(erased: Erased, plan: Plan) -> None:
    would = "would be " if plan.dry_run else ""
    gone = sum(count for table, count in erased.rows.items() if table != "push")
    click.echo(
        f"{erased.sessions} sessions: {gone} rows {would}removed, {erased.rows['push']} ledger rows {would}made anonymous"
    )
    if not plan.dry_run:
        click.echo(
            f"{erased.spooled} records removed from spools, {len(erased.letters)} dead letters dropped"
        )
    if erased.copies:
        copies = [_copy(erased, copy) for copy in erased.copies[:MAX_NAMED]]
        columns = ("topic", "partition", "offset", "published_at", "expires_from", "expires_until")
        rows = [[copy[column] or "never" for column in columns] for copy in copies]
        print_table(f"{len(erased.copies)} copies remain in Kafka", columns, rows)
    for count, where in (
        (
            erased.in_spools.owned,
            "in spools of running receivers: they publish them, and workers will not store them",
        ),
        (erased.in_spools.left, "in spools that nobody owns"),
        (erased.in_spools.damaged, "in damaged spool files: see 'tccc spool status', and remove them"),
    ):
        if count:
            click.echo(f"{count} {where}")
    if not plan.spools:
        click.echo("no spool folder was looked into: name those of your receivers with --spool")
    click.echo("not looked into: backups and write-ahead logs of Postgres, replicas of Kafka elsewhere")
