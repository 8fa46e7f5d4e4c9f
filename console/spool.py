"""`tccc spool status|drain`: what a spool folder holds, and all of it published."""

import asyncio
import time
from pathlib import Path
from typing import Any

import click
from msgspec.structs import replace
from prometheus_client import CollectorRegistry

from console.kafka import open_topic
from console.output import json_option, print_json, print_table
from console.progress import Say, progress
from console.target import home_option, target
from console.times import iso
from receiver.clock import ReceiveClock
from receiver.intake import Intake
from receiver.metrics import ReceiverMetrics
from receiver.publisher import Publisher
from receiver.spool.drainer import Drainer
from receiver.spool.inspection import SpoolFile, inspect
from receiver.spool.spool import Spool
from runtime import logs
from schemas.errors import BrokerAway, OperatorError, TcccError
from schemas.settings import Settings

CONNECT_TIMEOUT_S = 15.0
STALLED_S = 30.0
# Nobody waits for an answer here.
_ACK_TIMEOUT_S = 5.0
_LOOK_S = 0.2

_folder = click.argument(
    "directory",
    metavar="[DIR]",
    required=False,
    type=click.Path(exists=True, file_okay=False, path_type=Path),
)


@click.group("spool")
def spool() -> None:
    """Look at a spool folder, or publish all that it holds.

    Example: tccc spool status .tccc/spool
    """


@spool.command("status", epilog="Example:\n\n  tccc spool status /var/lib/tccc/spool --json")
@_folder
@json_option
@home_option
def status(directory: Path | None, home: Path, *, as_json: bool) -> None:
    """Show each file of a spool: who has it, what is in it. Disturbs no receiver.

    DIR is TCCC_SPOOL_DIR if it is not given. Damaged files stay until a person removes them; those that are
    'salvaged' hold nothing that was not published.
    """
    folder = directory or Path(target(home).settings.spool_dir)
    files = _inspect(folder)
    if as_json:
        print_json(
            {
                "directory": str(folder),
                "records": _records(files),
                "files": [_as_object(file) for file in files],
            }
        )
        return
    rows = [
        [file.name, _state(file), file.records, file.bytes, iso(file.oldest_us) if file.oldest_us else ""]
        for file in files
    ]
    print_table(f"Spool {folder}", ("file", "state", "records#", "bytes#", "oldest"), rows)
    click.echo(f"{_records(files)} records to be published")


@spool.command("drain", epilog="Example:\n\n  tccc spool drain /mnt/old-disk/spool --dry-run")
@_folder
@click.option("--dry-run", is_flag=True, help="Only say how many records would be published.")
@json_option
@home_option
def drain(directory: Path | None, home: Path, *, dry_run: bool, as_json: bool) -> int:
    """Publish everything that files without a living owner hold.

    A file that a running receiver has is drained by it. Exits with 1 if something is left.
    """
    settings = target(home).settings
    folder = directory or Path(settings.spool_dir)
    before = _inspect(folder)
    published, failure = 0, None
    if not dry_run and any(_is_ours(file) for file in before):
        with progress("spool") as say:
            published, failure = asyncio.run(_drain(settings, folder, say))
    after = _inspect(folder)
    ours = [file for file in after if _is_ours(file)]
    result = {
        "dry_run": dry_run,
        "published": published,
        "left": _records(ours),
        "held_by_receivers": _records([file for file in after if file.owned]),
        "corrupt": sum(file.corrupt for file in after),
    }
    if as_json:
        print_json(result)
    else:
        _print_drained(result)
    if failure is not None:
        raise failure
    return 0 if dry_run or not (result["left"] or result["held_by_receivers"]) else 1


def _print_drained(result: dict[str, Any]) -> None:
    if result["dry_run"]:
        click.echo(f"{result['left']} records would be published")
    else:
        click.echo(f"{result['published']} records published, {result['left']} left")
    if result["held_by_receivers"]:
        click.echo(
            f"{result['held_by_receivers']} are held by running receivers, which publish them themselves"
        )
    if result["corrupt"]:
        click.echo(f"{result['corrupt']} damaged files were set aside: see 'tccc spool status'")


async def _drain(settings: Settings, folder: Path, say: Say) -> tuple[int, TcccError | None]:
    """How many were published, and what stopped it if anything did."""
    try:
        for topic in (settings.kafka_topic, settings.kafka_dead_topic):
            async with open_topic(settings, topic):
                pass  # says what is wrong sooner, and better, than a publisher that waits
    except (BrokerAway, OperatorError) as exc:
        return 0, exc
    logs.configure(replace(settings, log_level="warning"))
    settings = replace(settings, ack_timeout_s=_ACK_TIMEOUT_S)
    topics = (settings.kafka_topic, settings.kafka_dead_topic)
    async with Publisher(settings, topics) as publisher:
        try:
            async with asyncio.timeout(CONNECT_TIMEOUT_S):
                await publisher.wait_connected()
        except TimeoutError:
            return 0, BrokerAway("no answer from TCCC_KAFKA_BOOTSTRAP")
        held = await Spool.open(folder, max_bytes=settings.spool_max_bytes)
        try:
            intake = Intake(settings, publisher, held, ReceiveClock(), ReceiverMetrics(CollectorRegistry()))
            drainer = Drainer(
                held,
                intake.publish_all,
                kafka_ready=lambda: publisher.connected,
                rate_per_s=settings.spool_drain_per_s,
            )
            return await _follow(drainer, held, say)
        finally:
            await held.close()


async def _follow(drainer: Drainer, held: Spool, say: Say) -> tuple[int, TcccError | None]:
    """Wait for the drainer for as long as it gets on."""
    work = asyncio.create_task(drainer.drain_all())
    most = left = 0
    moved_at = time.monotonic()
    try:
        while not work.done():
            await asyncio.wait([work], timeout=_LOOK_S)
            records = held.status().records
            if records != left:
                left, moved_at = records, time.monotonic()
            most = max(most, left)
            say(f"spool: {left:,} records left")
            if time.monotonic() - moved_at > STALLED_S:
                return most - left, BrokerAway(
                    "Kafka does not take the records; what is left stays in the spool"
                )
        return work.result(), None
    finally:
        await drainer.stop()
        work.cancel()
        await asyncio.gather(work, return_exceptions=True)


def _inspect(folder: Path) -> list[SpoolFile]:
    if not folder.is_dir():
        raise OperatorError(f"{folder} is not a folder: name one, or set TCCC_SPOOL_DIR")
    return inspect(folder)


def _is_ours(file: SpoolFile) -> bool:
    """Whether there may be something in it that nobody else will publish."""
    return not file.owned and not file.salvaged


def _records(files: list[SpoolFile]) -> int:
    return sum(file.records for file in files if not file.salvaged)


def _state(file: SpoolFile) -> str:
    if file.corrupt:
        return "damaged, salvaged" if file.salvaged else "damaged"
    return "in use by a receiver" if file.owned else "left behind"


def _as_object(file: SpoolFile) -> dict[str, Any]:
    return {
        "name": file.name,
        "records": file.records,
        "bytes": file.bytes,
        "oldest": iso(file.oldest_us) if file.oldest_us else None,
        "owned": file.owned,
        "corrupt": file.corrupt,
        "salvaged": file.salvaged,
    }
