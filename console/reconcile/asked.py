"""What `tccc reconcile` and `tccc backfill` have in common: which contact centre, which keys, and the progress shown."""

import os
import re
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import click
from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
)

from console.fake_vendor.signature import SECRET_ID, SECRET_KEY
from console.progress import Say
from console.reconcile.comparison import Order
from console.reconcile.reconciler import Advance
from console.reconcile.run import Kind
from console.reconcile.vendor import Keys, read_keys
from console.target import Target
from schemas.errors import SettingsError
from schemas.settings import Settings

PATIENCE_S = 60.0
_DURATION = re.compile(r"(\d+(?:\.\d+)?)(s|m|h|d)")
_UNITS_S = {"s": 1, "m": 60, "h": 3600, "d": 86_400}


def common_options(command: Any) -> Any:
    """`--sdk-app-id` and `--patience`."""
    for option in (
        click.option(
            "--patience",
            "patience_s",
            type=click.FloatRange(0),
            default=PATIENCE_S,
            show_default=True,
            metavar="SECONDS",
            help="How long the workers may stand still before it gives up waiting for them.",
        ),
        click.option(
            "--sdk-app-id",
            type=int,
            help="The contact centre; may be left out if TCCC_SDK_APP_IDS has exactly one.",
        ),
    ):
        command = option(command)
    return command


def order(about: Target, sdk_app_id: int | None, kind: Kind, patience_s: float) -> Order:
    """Raises SettingsError, or OperatorError if the vendor's SDK is not installed."""
    return Order(
        settings=about.settings,
        keys=_keys(about),
        sdk_app_id=_the_one(about.settings) if sdk_app_id is None else sdk_app_id,
        kind=kind,
        patience_s=patience_s,
    )


def duration(text: str) -> float:
    """Read 90s, 30m, 1h or 1d, in seconds."""
    match = _DURATION.fullmatch(text)
    if match is None or not (seconds := float(match[1]) * _UNITS_S[match[2]]):
        raise click.BadParameter(f"{text!r} is no interval: give 30m, 1h or 1d")
    return seconds


@contextmanager
def shown(what: str) -> Iterator[tuple[Say, Advance]]:
    """Show on a terminal, and only there, how many sessions are compared of how many, and how long it will take."""
    console = Console(stderr=True)
    columns = (
        TextColumn("{task.description}"),
        BarColumn(bar_width=24),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
        TextColumn("left"),
        TimeRemainingColumn(),
    )
    with Progress(*columns, console=console, transient=True, disable=not console.is_terminal) as progress:
        task = progress.add_task(what, total=None)

        def say(text: str) -> None:
            progress.update(task, description=text)

        def advance(done: int, total: int) -> None:
            progress.update(task, description=what, completed=done, total=max(done, total))

        yield say, advance


def _the_one(settings: Settings) -> int:
    if len(settings.sdk_app_ids) != 1:
        raise SettingsError(
            "--sdk-app-id says which contact centre; TCCC_SDK_APP_IDS does not name exactly one"
        )
    return settings.sdk_app_ids[0]


def _keys(about: Target) -> Keys:
    """The environment's; those of the fake, where a local stack runs one."""
    if about.stack is not None and about.stack.vendor_endpoint is not None:
        return read_keys({"TENCENTCLOUD_SECRET_ID": SECRET_ID, "TENCENTCLOUD_SECRET_KEY": SECRET_KEY})
    return read_keys(os.environ)
