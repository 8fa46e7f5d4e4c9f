"""`tccc rewind`: sets the worker group's offsets, so that records are consumed again."""

import asyncio
import re
from pathlib import Path
from typing import Any

import click
from msgspec import Struct

from console.kafka import Offsets, TopicReader, open_group, open_topic
from console.output import json_option, print_json, print_table
from console.target import home_option, target
from console.times import iso_time
from console.visits.brokers import visiting
from schemas.errors import OperatorError
from schemas.settings import Settings

EARLIEST = "earliest"
_OFFSETS = re.compile(r"\d+:\d+(,\d+:\d+)*")

EXAMPLES = """\b
Examples:
  tccc rewind --to 2025-03-01T09:30:00+08:00 --dry-run
  tccc rewind --to 0:123,4:456
  tccc rewind --to earliest
"""

# µs since the epoch, an offset for some partitions, or the earliest of all.
To = int | Offsets | str


class Move(Struct, frozen=True):
    """One partition's offset: before (None: nothing was committed) and after."""

    partition: int
    before: int | None
    after: int


def _destination(text: str) -> To:
    if text == EARLIEST:
        return EARLIEST
    if _OFFSETS.fullmatch(text):
        pairs = [pair.split(":") for pair in text.split(",")]
        if len({int(partition) for partition, _ in pairs}) < len(pairs):
            raise click.BadParameter("a partition is named twice")
        return {int(partition): int(offset) for partition, offset in pairs}
    return iso_time(text)


@click.command("rewind", epilog=EXAMPLES)
@click.option(
    "--to",
    type=_destination,
    required=True,
    metavar="TIME|OFFSETS",
    help="A time in ISO 8601, or PARTITION:OFFSET,…, or 'earliest'.",
)
@click.option("--dry-run", is_flag=True, help="Say what would be set, and set nothing.")
@json_option
@home_option
def rewind(to: Any, home: Path, *, dry_run: bool, as_json: bool) -> None:
    """Set the worker group's offsets back, for example after a restore of the database.

    All workers must be stopped. What is consumed again and is settled already stays as it is. With a time,
    each partition goes on from its first record published then or later; partitions not named in a list of
    offsets stay where they are. 'tccc audit' tells what is missing and where to rewind to.
    """
    moves = asyncio.run(_rewind(target(home).settings, to, dry_run=dry_run))
    if as_json:
        print_json({"dry_run": dry_run, "partitions": moves})
        return
    rows = [(move.partition, "-" if move.before is None else move.before, move.after) for move in moves]
    title = "Offsets that would be set" if dry_run else "Offsets set"
    print_table(title, ("partition#", "before#", "after#"), rows)


async def _rewind(settings: Settings, to: To, *, dry_run: bool) -> list[Move]:
    async with open_topic(settings, settings.kafka_topic) as topic, open_group(settings) as group:
        before = await group.committed(topic.partitions)
        after = await _after(topic, to)
        if not dry_run:
            await _refuse_if_busy(settings)
            await group.move(after)
    return [Move(n, before[n], offset) for n, offset in sorted(after.items())]


async def _after(topic: TopicReader, to: To) -> Offsets:
    begins, ends = await topic.begins(), await topic.ends()
    if isinstance(to, str):
        return begins
    if isinstance(to, int):
        found = await topic.at(to // 1000)
        return {n: ends[n] if offset is None else offset for n, offset in found.items()}
    for n, offset in to.items():
        if n not in ends:
            raise OperatorError(f"topic {topic.topic} has no partition {n}: it has 0 to {max(ends)}")
        if not begins[n] <= offset <= ends[n]:
            raise OperatorError(
                f"partition {n} holds offsets {begins[n]} to {ends[n]}, {offset} is not among them"
            )
    return to


async def _refuse_if_busy(settings: Settings) -> None:
    async with visiting(settings) as brokers:
        members = (await brokers.group(settings.kafka_group)).members
    if members:
        named = ", ".join(sorted(member.name for member in members))
        raise OperatorError(
            f"group {settings.kafka_group} has {len(members)} members ({named}): stop all workers first;"
            " one that was killed counts until its session times out, 10 s"
        )
