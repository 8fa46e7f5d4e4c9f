"""`tccc audit`: joins the topic's offsets with the ledger and the dead letters, and says what does not add up."""

import asyncio
from pathlib import Path

import click

from console.audit.account import Account, Accountant
from console.audit.ledger import Ledger
from console.audit.letters import LetterIndex
from console.audit.report import Report
from console.audit.scope import Scoping, Window
from console.kafka import open_topic
from console.output import json_option
from console.postgres import open_database
from console.progress import Say, progress
from console.target import home_option, target
from console.times import iso_time
from schemas.settings import Settings

DIFFERENCES = 3

EXAMPLES = """\b
Examples:
  tccc audit
  tccc audit --from 2025-03-01T00:00:00+08:00 --to 2025-03-02T00:00:00+08:00
  tccc audit --json | jq '.partitions[].gaps'
"""


@click.command("audit", epilog=EXAMPLES)
@click.option("--from", "from_us", type=iso_time, metavar="TIME", help="Records published from then on.")
@click.option("--to", "to_us", type=iso_time, metavar="TIME", help="Records published before then.")
@json_option
@home_option
def audit(from_us: int | None, to_us: int | None, home: Path, *, as_json: bool) -> int:
    """Account for every record of the topic: applied, duplicate, stale, dead, in flight.

    A record that the workers have passed without settling it is missing, also if retention has deleted it; one
    that they have not come to is in flight. Times are ISO 8601, UTC unless they say otherwise. Exits with 3 if
    records are missing or settled twice, or if a dead one has no letter.
    """
    with progress("audit") as say:
        report = asyncio.run(_audit(target(home).settings, Window(from_us, to_us), say))
    report.print(as_json=as_json)
    return 0 if report.is_even else DIFFERENCES


async def _audit(settings: Settings, window: Window, say: Say) -> Report:
    async with (
        open_database(settings.database_url) as database,
        open_topic(settings, settings.kafka_topic) as topic,
        open_topic(settings, settings.kafka_dead_topic) as dead_topic,
    ):
        scopes = await Scoping(settings, topic, database, window).scopes()
        say("audit: reading the dead letters")
        letters = LetterIndex(dead_topic, settings.kafka_topic)
        await letters.extend()
        accounts = []
        for scope in scopes:
            account = Account(scope=scope)
            ledger = Ledger(database, scope.partition)
            async for account in Accountant(scope, ledger, topic, letters).account():
                done = account.outcomes.total() + account.in_flight
                say(f"audit: partition {scope.partition}, {done:,} of {scope.high - scope.low:,} offsets")
            accounts.append(account)
    return Report(settings.kafka_topic, accounts)
