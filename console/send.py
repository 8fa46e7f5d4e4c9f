"""`tccc send`: posts bodies from files to a push URL, or has a simulated contact centre push to it."""

import asyncio
import secrets
import signal
import sys
from collections.abc import AsyncIterator, Iterable, Iterator
from contextlib import asynccontextmanager
from typing import Any

import click
import msgspec
import uvloop
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

from console.simulator.arrivals import FIRST_DAY
from console.simulator.centre import SDK_APP_ID
from console.simulator.delivery import Delivery
from console.simulator.files import read_push
from console.simulator.load import Load
from console.simulator.options import Options, push_url, secret, share
from console.simulator.outcome import Outcome
from console.simulator.session import ACTIONS
from console.simulator.stream import QUIRKS_SHARE, SESSIONS_A_DAY
from console.simulator.tally import Tally
from console.simulator.vendor import Vendor

INTERRUPTED = 130

EXAMPLES = """\b
Examples:
  tccc send --count 20000 --duplicates 5% --reorder 5% --seed 7
  tccc send --rate 500 --count 30000 --json
  tccc send tests/payloads/*.json
  tccc send --url https://push.example/ --basic @credentials --count 10
  tccc send --dry-run --count 3 --action cdr | jq .body
"""


@click.command("send", epilog=EXAMPLES)
@click.argument("files", nargs=-1, type=click.Path(exists=True, dir_okay=False, allow_dash=True))
@click.option(
    "--url", type=push_url, default="http://127.0.0.1:8080/", show_default=True, help="The push URL."
)
@click.option("--count", type=click.IntRange(1), default=1000, show_default=True, help="Distinct pushes.")
@click.option("--rate", type=click.FloatRange(0, min_open=True), help="Pushes a second.  [default: no pause]")
@click.option("--connections", type=click.IntRange(1, 4096), default=64, show_default=True, help="At a time.")
@click.option("--retries", type=click.IntRange(0), help="Tries after the first.  [default: 3; of files 0]")
@click.option(
    "--retry-wait", type=click.FloatRange(0), default=1.0, show_default=True, help="Seconds before one."
)
@click.option(
    "--timeout", type=click.FloatRange(0.001), default=10.0, show_default=True, help="Seconds for an answer."
)
@click.option("--duplicates", type=share, default="0%", help="Share made again later.")
@click.option("--reorder", type=share, default="0%", help="Share that leave later than they should.")
@click.option(
    "--seed",
    type=int,
    default=lambda: secrets.randbelow(2**31),
    help="Same seed, same pushes.  [default: drawn]",
)
@click.option(
    "--day",
    type=click.DateTime(["%Y-%m-%d"]),
    default=str(FIRST_DAY),
    show_default=True,
    help="First day simulated.",
)
@click.option(
    "--sessions-a-day",
    type=click.IntRange(1),
    default=SESSIONS_A_DAY,
    show_default=True,
    help="On a workday.",
)
@click.option(
    "--sdk-app-id", type=click.IntRange(1), default=SDK_APP_ID, show_default=True, help="The contact centre."
)
@click.option(
    "--quirks",
    type=share,
    default=f"{QUIRKS_SHARE:.0%}",
    show_default=True,
    help="Share of calls spelled oddly.",
)
@click.option("--corrections", type=share, default="0%", help="Share of calls with a second, corrected cdr.")
@click.option(
    "--action",
    type=click.Choice(ACTIONS),
    help="Of the files, if it cannot be told; else simulate only this.",
)
@click.option("--push-id", default="", help="For one file.  [default: a new one]")
@click.option(
    "--basic",
    type=secret,
    metavar="USER:PASSWORD",
    default="",
    help="For HTTP Basic; or @FILE that holds it.",
)
@click.option("--bearer", type=secret, metavar="TOKEN", default="", help="A token; or @FILE.")
@click.option(
    "--oauth2",
    type=secret,
    metavar="ID:SECRET",
    default="",
    help="A client that fetches its tokens; or @FILE.",
)
@click.option(
    "--token-url", type=push_url, help="Where it does.  [default: /oauth2/token at the push URL's host]"
)
@click.option(
    "--cafile", type=click.Path(exists=True, dir_okay=False), help="Whom to trust of https://, PEM."
)
@click.option("--output", type=click.File("wb"), help="Write each try and its answer here, one a line.")
@click.option("--dry-run", is_flag=True, help="Send nothing; print what would be sent, one a line.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
def send(**given: Any) -> None:
    """Post FILES (- for standard input) to a push URL, or simulate a contact centre that pushes to it.

    With --rate, latency counts from the moment a push was due. Exits with 1 if a push was not taken in the
    end, with 130 if interrupted.
    """
    options = Options(**given)
    from_files = _from_files(options)
    deliveries = from_files.values() if options.files else options.simulated()
    if options.dry_run:
        _print_bodies(deliveries)
        return
    outcome = Outcome(
        file_of={delivery.push.push_id: name for name, delivery in from_files.items()},
        output=options.output,
        as_json=options.as_json,
    )
    tally = Tally()
    try:
        with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
            runner.run(_drive(options, iter(deliveries), tally, outcome))
    except KeyboardInterrupt:  # the second one: at the first, what was under way could still end
        tally.interrupted = True
    outcome.conclude(tally.summary(None if options.files else options.seed))
    sys.exit(INTERRUPTED if tally.interrupted else 1 if tally.not_taken else 0)


def _from_files(options: Options) -> dict[str, Delivery]:
    """Return each file's delivery; a file named twice is sent once."""
    if options.push_id and len(options.files) != 1:
        raise click.UsageError("--push-id goes with exactly one file")
    if not options.push_id.isprintable():
        raise click.UsageError("--push-id has to be printable")
    try:
        return {name: Delivery(read_push(name, options.action, options.push_id)) for name in options.files}
    except LookupError as exc:
        raise click.UsageError(f"{exc.args[0]}: its fields do not tell its action, give --action") from exc


def _print_bodies(deliveries: Iterable[Delivery]) -> None:
    """Print what would be sent; a body that is not JSON stands there as a string."""
    for delivery in deliveries:
        push = delivery.push
        try:
            msgspec.json.decode(push.body)
            body: object = msgspec.Raw(push.body.strip())
        except (msgspec.DecodeError, UnicodeDecodeError):
            body = push.body.decode(errors="replace")
        line = {"action": push.action, "version": push.version, "push_id": push.push_id, "body": body}
        click.echo(msgspec.json.encode(line))


async def _drive(options: Options, deliveries: Iterator[Delivery], tally: Tally, outcome: Outcome) -> None:
    plan = options.plan()
    log = outcome.note if options.files or options.output else None
    tls = options.tls()
    credentials = options.credentials(tls)
    async with Vendor(options.url, timeout_s=options.timeout, credentials=credentials, tls=tls) as vendor:
        load = Load(vendor, plan, tally, log)
        _stop_at_interrupt(load)
        async with _progress(tally, len(options.files) or options.count * (1 + options.duplicates)):
            await load.run(deliveries)


def _stop_at_interrupt(load: Load) -> None:
    """Let the first Ctrl-C end the run in order, the second one at once."""
    loop = asyncio.get_running_loop()

    def stop() -> None:
        load.stop()
        loop.remove_signal_handler(signal.SIGINT)

    loop.add_signal_handler(signal.SIGINT, stop)


@asynccontextmanager
async def _progress(tally: Tally, expected: float) -> AsyncIterator[None]:
    """Show how far the run is, on a terminal only."""
    console = Console(stderr=True)
    if not console.is_terminal:
        yield
        return
    columns = (
        BarColumn(),
        MofNCompleteColumn(),
        TextColumn("{task.fields[refused]} not taken"),
        TimeElapsedColumn(),
    )
    with Progress(*columns, console=console, transient=True) as progress:
        bar = progress.add_task("sending", total=round(expected), refused=0)

        async def follow() -> None:
            while True:
                progress.update(bar, completed=tally.settled, refused=tally.not_taken)
                await asyncio.sleep(0.1)

        following = asyncio.create_task(follow())
        try:
            yield
        finally:
            following.cancel()
