"""`tccc reconcile`: compares with the vendor's API, once or every so often."""

import asyncio
from pathlib import Path

import click

from console.output import json_option
from console.reconcile.asked import common_options, duration, order, shown
from console.reconcile.comparison import compare
from console.reconcile.report import Report
from console.reconcile.service import serve
from console.reconcile.span import asked_span
from console.target import home_option, target
from console.times import iso_time
from runtime import logs

FAILED, DIFFERENCES = 1, 3

EXAMPLES = """\b
Examples:
  tccc reconcile --from 2025-03-01T00:00:00+08:00 --to 2025-03-02T00:00:00+08:00
  tccc reconcile --from 2025-03-01 --to 2025-03-02 --sdk-app-id 1400000000 --repair
  tccc reconcile --from 2025-03-01 --to 2025-03-02 --json | jq -r '.missing_sessions[]'
  tccc reconcile --every 1h --repair
"""


@click.command("reconcile", epilog=EXAMPLES)
@click.option("--from", "from_us", type=iso_time, metavar="TIME", help="Sessions that began from then on.")
@click.option("--to", "to_us", type=iso_time, metavar="TIME", help="Sessions that began before then.")
@click.option("--repair", is_flag=True, help="Publish what is missing, as source=api; wait; verify.")
@click.option(
    "--every",
    "every_s",
    type=duration,
    metavar="INTERVAL",
    help="Run until SIGTERM, so often, each time from the watermark (at first from --from, or a day back) to what is"
    " over by now.",
)
@common_options
@json_option
@home_option
def reconcile(
    from_us: int | None,
    to_us: int | None,
    sdk_app_id: int | None,
    home: Path,
    *,
    repair: bool,
    every_s: float | None,
    patience_s: float,
    as_json: bool,
) -> int:
    """Compare the database with the vendor's API (DescribeTelCdr).

    First waits for what is in the topic to be stored. Keys come from TENCENTCLOUD_SECRET_ID and
    TENCENTCLOUD_SECRET_KEY. Interrupted, it goes on where it stopped when it is run again. Times are ISO 8601, UTC
    unless they say otherwise. Exits with 3 if sessions are missing, extra or differing, repaired or not.
    """
    about = target(home)
    asked = order(about, sdk_app_id, "repair" if repair else "compare", patience_s)
    if every_s is not None:
        if to_us is not None:
            raise click.UsageError("--every goes on without end: leave out --to")
        logs.configure(about.settings)
        asyncio.run(serve(asked, every_s, from_us, as_json=as_json))
        return 0
    if from_us is None or to_us is None:
        raise click.UsageError("--from and --to say what to compare (or --every how often)")
    with shown("comparing") as (say, advance):
        report = asyncio.run(compare(asked, asked_span(from_us, to_us), say, advance))
    report.print(as_json=as_json)
    return status(report)


def status(report: Report) -> int:
    """How the command ends: 1 if what was published did not become rows, 3 on differences."""
    if report.unsettled_sessions:
        click.echo(
            f"tccc: {len(report.unsettled_sessions)} published sessions have no row: see 'tccc dead list'",
            err=True,
        )
        return FAILED
    return 0 if report.is_even else DIFFERENCES
