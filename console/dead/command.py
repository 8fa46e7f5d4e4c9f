"""`tccc dead list|show|replay|drop`."""

import asyncio
import sys
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from typing import Any

import click
from msgspec import Struct
from msgspec.structs import replace

from console.dead.listing import Listing, print_letter
from console.dead.replay import Replay, Tally
from console.dead.selection import Found, Selection, scan, selection_options
from console.dead.states import States
from console.kafka import TopicReader, open_topic
from console.output import json_option, print_json
from console.postgres import open_database
from console.progress import Say, progress
from console.publishing import open_publisher
from console.target import home_option, target
from runtime import logs
from schemas.errors import DependencyAway, OperatorError
from schemas.settings import Settings

STATES = ("open", "replayed", "dropped", "all")


class Office(Struct, frozen=True):
    """The dead topic, and what is remembered of its letters."""

    topic: TopicReader
    states: States


@click.group("dead")
def dead() -> None:
    """Look at dead letters, publish them again, or mark them as dropped.

    Example: tccc dead list --reason refused-by-database
    """


@dead.command("list", epilog="Example:\n\n  tccc dead list --reason not-json --from 2025-03-01")
@selection_options
@click.option("--state", type=click.Choice(STATES), default="open", show_default=True)
@json_option
@home_option
def list_(state: str, home: Path, *, as_json: bool, **filters: Any) -> None:
    """List dead letters, collapsed by push id: the newest of each push, and how many there are."""
    listing = Listing()

    async def run(settings: Settings, say: Say) -> None:
        async with _open(settings) as office:
            async for batch in scan(office.topic, office.states, Selection(**filters), say):
                listing.add(one for one in batch if state in ("all", one[1].state))

    with progress("dead letters") as say:
        asyncio.run(run(target(home).settings, say))
    listing.print(as_json=as_json)


@dead.command("show", epilog="Example:\n\n  tccc dead show 3f1c9a02 --body")
@click.argument("letter_id", metavar="LETTER")
@click.option("--body", is_flag=True, help="Print the body too: it holds personal data.")
@json_option
@home_option
def show(letter_id: str, home: Path, *, body: bool, as_json: bool) -> None:
    """Show one letter, by its id or the beginning of it: its headers, and why it died."""

    async def run(settings: Settings, say: Say) -> Found:
        async with _open(settings) as office:
            found = [
                one
                async for batch in scan(office.topic, office.states, Selection(ids=(letter_id,)), say)
                for one in batch
            ]
        if len(found) != 1:
            raise OperatorError(
                f"{len(found) or 'no'} dead letters have an id that begins with {letter_id!r}"
            )
        return found[0]

    with progress("dead letters") as say:
        found = asyncio.run(run(target(home).settings, say))
    print_letter(found, body=body, as_json=as_json)


@dead.command(
    "replay",
    epilog="Examples:\n\n  tccc dead replay --reason refused-by-database --dry-run\n\n  tccc dead replay --rate 100 --yes",
)
@click.argument("letter_ids", metavar="[LETTER]...", nargs=-1)
@selection_options
@click.option(
    "--rate", type=click.FloatRange(0, min_open=True), help="Letters a second.  [default: no pause]"
)
@click.option("--again", is_flag=True, help="Also those replayed or dropped before.")
@click.option("--dry-run", is_flag=True, help="Only say what would be done.")
@click.option("--yes", is_flag=True, help="Do not ask, on a terminal.")
@json_option
@home_option
def replay(letter_ids: tuple[str, ...], home: Path, **given: Any) -> None:
    """Publish dead letters again, all that are open or those selected.

    They keep their push id, source and time of receipt. What was refused at the door is checked anew. Safe to
    interrupt and to run again: what was replayed is skipped, and no record is replayed more than
    TCCC_REPLAY_MAX times.
    """
    as_json, rate, again = given.pop("as_json"), given.pop("rate"), given.pop("again")
    dry_run, yes = given.pop("dry_run"), given.pop("yes")
    selection = Selection(ids=letter_ids, **given)
    if not (dry_run or yes) and sys.stdin.isatty():
        click.confirm("Publish the selected dead letters again?", abort=True)

    tally = Tally()

    async def run(settings: Settings, say: Say) -> None:
        async with AsyncExitStack() as stack:
            office = await stack.enter_async_context(_open(settings))
            publisher = None
            if not dry_run:
                logs.configure(replace(settings, log_level="warning"))
                await stack.enter_async_context(office.states.changing())
                publisher = await stack.enter_async_context(open_publisher(settings))
            work = Replay(settings, office.states, publisher, tally, again=again)
            async for batch in scan(office.topic, office.states, selection, say):
                await work.take(batch, rate)

    try:
        with progress("dead letters") as say:
            asyncio.run(run(target(home).settings, say))
    except (KeyboardInterrupt, DependencyAway):
        _print_tally(tally, dry_run=dry_run, as_json=as_json)
        raise
    _print_tally(tally, dry_run=dry_run, as_json=as_json)


@dead.command(
    "drop", epilog="Example:\n\n  tccc dead drop --reason bad-session-id --reason-text 'load test of March'"
)
@click.argument("letter_ids", metavar="[LETTER]...", nargs=-1)
@selection_options
@click.option("--reason-text", metavar="TEXT", help="Why, for whoever asks later.")
@click.option("--dry-run", is_flag=True, help="Only say how many would be marked.")
@json_option
@home_option
def drop(
    letter_ids: tuple[str, ...],
    home: Path,
    reason_text: str | None,
    *,
    dry_run: bool,
    as_json: bool,
    **filters: Any,
) -> None:
    """Mark open letters as dropped: they are not listed or replayed any more. Nothing is deleted."""
    selection = Selection(ids=letter_ids, **filters)
    if selection.selects_all:
        raise click.UsageError("say which: ids of letters, or a filter")

    async def run(settings: Settings, say: Say) -> int:
        dropped = 0
        async with _open(settings) as office, office.states.changing():
            async for batch in scan(office.topic, office.states, selection, say):
                still_open = [letter for letter, known in batch if known.state == "open"]
                if not dry_run:
                    await office.states.remember(still_open, "dropped", reason_text)
                dropped += len(still_open)
        return dropped

    with progress("dead letters") as say:
        dropped = asyncio.run(run(target(home).settings, say))
    if as_json:
        print_json({"dropped": dropped, "dry_run": dry_run})
    else:
        click.echo(f"{dropped} dead letters {'would be ' if dry_run else ''}dropped")


@asynccontextmanager
async def _open(settings: Settings) -> AsyncIterator[Office]:
    async with (
        open_database(settings.database_url) as database,
        open_topic(settings, settings.kafka_dead_topic) as topic,
    ):
        yield Office(topic, States(database))


def _print_tally(tally: Tally, *, dry_run: bool, as_json: bool) -> None:
    if as_json:
        print_json(
            {
                "dry_run": dry_run,
                "replayed": tally.replayed,
                "settled_before": tally.settled,
                "exhausted": tally.exhausted,
                "refused": tally.refused.total(),
                "refused_letters": tally.named,
            }
        )
        return
    click.echo(f"{tally.replayed} {'would be replayed' if dry_run else 'replayed'}")
    if tally.settled:
        click.echo(f"{tally.settled} were replayed or dropped before")
    if tally.exhausted:
        click.echo(f"{tally.exhausted} were replayed as often as TCCC_REPLAY_MAX allows")
    for letter in tally.named:
        click.echo(f"{letter.id} is still bad: {letter.reason}: {letter.detail}")
    for reason, count in sorted(tally.refused.items()):
        click.echo(f"{count} not replayed: {reason}")
