"""`tccc status`: prints the screen or the JSON object, once or again and again."""

import asyncio
import time
from pathlib import Path

import click
from rich.live import Live

from console.output import console, json_option, print_json
from console.status.collect import collect
from console.status.facts import Status
from console.status.screen import screen
from console.target import Target, admin_options, home_option, target

FAILED = 1

EXAMPLES = """\b
Examples:
  tccc status
  tccc status --watch 2
  tccc status --json | jq '{lag: .lag.records, dead: .dead_letters.records, worker_pids: .pids.worker}'
  tccc status --receiver-admin http://10.0.0.5:9464 --worker-admin http://10.0.0.6:9465
"""


@click.command("status", epilog=EXAMPLES)
@home_option
@admin_options
@click.option(
    "--watch", "every_s", type=click.FloatRange(0.2), metavar="SECONDS", help="Until Ctrl-C, every so often."
)
@json_option
def status(
    home: Path,
    receiver_admin: tuple[str, ...],
    worker_admin: tuple[str, ...],
    *,
    every_s: float | None,
    as_json: bool,
) -> int:
    """Show what runs, what waits and what is stored, on one screen.

    Exit status 1 if something is away or not ready; the rest is shown all the same.
    """
    about = target(home, receiver_admin, worker_admin)
    if every_s is not None:
        watch(about, every_s, as_json=as_json)
    now = asyncio.run(collect(about))
    show(now, as_json=as_json)
    return FAILED if now.away else 0


def show(now: Status, *, as_json: bool) -> None:
    if as_json:
        print_json(now)
    else:
        on = console()
        on.print(screen(now, lines=on.is_terminal))


def watch(about: Target, every_s: float, *, as_json: bool) -> None:
    """Until interrupted: in place on a terminal, else one after the other."""
    on = console()
    if as_json or not on.is_terminal:
        while True:
            show(asyncio.run(collect(about)), as_json=as_json)
            time.sleep(every_s)
    with Live(console=on, screen=True, auto_refresh=False) as live:
        while True:
            live.update(screen(asyncio.run(collect(about)), lines=True), refresh=True)
            time.sleep(every_s)
