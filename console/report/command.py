"""`tccc report`: asks, and hands the answer on in the form that is wanted."""

import asyncio
import sys
from collections.abc import Callable
from datetime import datetime
from pathlib import Path
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import click

from console.report.data import as_csv, as_json, as_parquet
from console.report.kinds import KINDS
from console.report.page import as_html
from console.report.question import Answer, Question, ask, span
from console.report.terminal import print_report
from console.target import home_option, target

FORMATS: dict[str, Callable[[Answer], bytes]] = {
    "csv": as_csv,
    "json": as_json,
    "parquet": as_parquet,
    "html": as_html,
}
EXAMPLES = """\b
Examples:
  tccc report day --tz Asia/Shanghai
  tccc report week --tz Asia/Shanghai --format html --output week.html
  tccc report agent --from 2026-03-01 --to 2026-04-01 --tz Europe/Berlin --format csv > march.csv
"""


def _zone(_context: click.Context, _option: click.Parameter, name: str) -> ZoneInfo:
    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        raise click.BadParameter(f"{name!r} is no time zone, such as Asia/Shanghai") from None


def _time(text: str, zone: ZoneInfo, option: str) -> datetime:
    """ISO 8601; by the clocks of the zone where it does not say."""
    try:
        at = datetime.fromisoformat(text)
    except ValueError:
        raise click.BadParameter(
            f"{text!r} is not a time in ISO 8601, such as 2026-03-01", param_hint=option
        ) from None
    return at if at.tzinfo else at.replace(tzinfo=zone)


@click.command("report", epilog=EXAMPLES)
@click.argument("kind", type=click.Choice(list(KINDS)))
@click.option(
    "--from", "since", metavar="TIME", help="The first moment, ISO 8601.  [default: so that today is in]"
)
@click.option("--to", "until", metavar="TIME", help="The first moment after it.")
@click.option("--tz", "zone", callback=_zone, default="UTC", show_default=True, help="By whose clocks.")
@click.option(
    "--within",
    "within_s",
    type=click.IntRange(0),
    default=20,
    show_default=True,
    metavar="SECONDS",
    help="Of the service level.",
)
@click.option("--sdk-app-id", "app", type=int, help="One contact centre.  [default: all]")
@click.option("--format", "form", type=click.Choice(["table", *FORMATS]), default="table", show_default=True)
@click.option(
    "--output", type=click.Path(dir_okay=False, path_type=Path), help="A file, not standard output."
)
@home_option
def report(  # noqa: PLR0917 -- the options of a command
    kind: str,
    since: str | None,
    until: str | None,
    zone: ZoneInfo,
    within_s: int,
    app: int | None,
    form: str,
    output: Path | None,
    home: Path,
) -> None:
    """Tell what calls came to: by hour (day), by day (week), by skill group (queue), number, region or agent.

    What each column means: docs/answers.md. Calls count where they began.
    """
    asked = KINDS[kind]
    first, end = span(
        asked,
        zone,
        _time(since, zone, "--from") if since else None,
        _time(until, zone, "--to") if until else None,
    )
    if first >= end:
        raise click.BadParameter("--to has to come after --from")
    if form == "parquet" and output is None and sys.stdout.isatty():
        raise click.UsageError("Parquet is not for a terminal: give --output FILE")
    question = Question(kind=asked, since=first, until=end, tz=zone.key, within_s=within_s, app=app)
    answer = asyncio.run(ask(target(home).settings.database_url, question))
    if form == "table":
        print_report(answer)
        return
    told = FORMATS[form](answer)
    if output is None:
        sys.stdout.buffer.write(told)
    else:
        output.write_bytes(told)
