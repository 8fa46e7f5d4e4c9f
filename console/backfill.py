"""`tccc backfill`: fills in history from the vendor's API, at first use."""

import asyncio
from pathlib import Path

import click

from console.output import json_option
from console.reconcile.asked import common_options, order, shown
from console.reconcile.command import FAILED
from console.reconcile.comparison import compare
from console.reconcile.report import Report
from console.reconcile.span import asked_span
from console.target import home_option, target
from console.times import iso_time

EXAMPLES = """\b
Examples:
  tccc backfill --from 2025-01-01T00:00:00+08:00 --to 2025-06-01T00:00:00+08:00
  tccc backfill --from 2025-03-01 --to 2025-03-02 --sdk-app-id 1400000000 --json
"""


@click.command("backfill", epilog=EXAMPLES)
@click.option(
    "--from", "from_us", type=iso_time, metavar="TIME", required=True, help="At most 180 days back."
)
@click.option(
    "--to", "to_us", type=iso_time, metavar="TIME", required=True, help="Sessions that began before then."
)
@common_options
@json_option
@home_option
def backfill(
    from_us: int, to_us: int, sdk_app_id: int | None, home: Path, *, patience_s: float, as_json: bool
) -> int:
    """Fill in from the vendor's API what is not in the database yet, up to 180 days of it.

    What was pushed stays as it is, and comes before what is filled in. Interrupted, it goes on where it stopped when
    it is run again with the same times. Keys come from TENCENTCLOUD_SECRET_ID and TENCENTCLOUD_SECRET_KEY.
    """
    asked = order(target(home), sdk_app_id, "backfill", patience_s)
    with shown("filling in") as (say, advance):
        report = asyncio.run(compare(asked, asked_span(from_us, to_us), say, advance))
    if as_json:
        report.print(as_json=True)
    else:
        click.echo(_summary(report))
    return FAILED if report.unsettled_sessions else 0


def _summary(report: Report) -> str:
    return (
        f"{report.repaired} sessions filled in, {report.matched} were there already\n"
        f"complete until {report.complete_until}; signed off until {report.reconciled_until or '—'}"
        + (
            f"\n{report.missing - (report.repaired or 0)} have no row: see 'tccc dead list'"
            if report.unsettled_sessions
            else ""
        )
    )
