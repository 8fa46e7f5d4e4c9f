"""The one place where chaos reaches into the product: functions of it, by name, wrapped before its main() runs.

A name that is gone, or takes other parameters than it did, stops the process at once: a fault that is no
longer injected must not look like one that does no harm.
"""

import inspect
import os
import signal
import sqlite3
import time
from collections.abc import Awaitable, Callable, Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

from tests.chaos.arms import Arms

Wrap = Callable[[Any], Any]

WORKER_POINTS = ("mid-copy", "before-commit", "after-commit", "after-dead-letter")
RECEIVER_POINTS = ("before-append", "after-append", "before-forget", "after-forget")
FSYNC_ERROR, SLOW_FSYNC, CLOCK_AHEAD_S = "fsync-error", "slow-fsync", "clock-ahead-s"
SLOW_FSYNC_S = 0.5


class SeamGone(Exception):  # noqa: N818 -- the reason to stop
    pass


def patch(owner: Any, name: str, parameters: tuple[str, ...], wrap: Wrap) -> None:
    original = getattr(owner, name, None)
    where = f"{getattr(owner, '__module__', '')} {owner.__name__}.{name}"
    if original is None:
        raise SeamGone(f"{where} no longer exists: mend tests/chaos/seams.py")
    found = tuple(inspect.signature(original).parameters)
    if found != parameters:
        raise SeamGone(f"{where} takes {found}, not {parameters}: mend tests/chaos/seams.py")
    setattr(owner, name, wrap(original))


def install_worker(arms: Arms) -> None:
    from worker import writing
    from worker.consumer import Consumer
    from worker.dead_letters import DeadLetters

    def copy(real: Callable[..., Awaitable[None]]) -> Callable[..., Awaitable[None]]:
        async def wrapped(
            connection: Any, table: str, columns: Sequence[str], records: Any, *, staged: bool
        ) -> None:
            if arms.armed("mid-copy"):
                connection = _DyingInCopy(connection, arms)
            await real(connection, table, columns, records, staged=staged)
            if table == "push":  # the last of a transaction
                _die(arms, "before-commit")

        return wrapped

    def commit(real: Callable[..., Awaitable[None]]) -> Callable[..., Awaitable[None]]:
        async def wrapped(self: Consumer, records: Any) -> None:
            _die(arms, "after-commit")
            await real(self, records)

        return wrapped

    def publish(real: Callable[..., Awaitable[None]]) -> Callable[..., Awaitable[None]]:
        async def wrapped(self: DeadLetters, items: Sequence[Any]) -> None:
            await real(self, items)
            if items:
                _die(arms, "after-dead-letter")

        return wrapped

    patch(writing, "_copy", ("connection", "table", "columns", "records", "staged"), copy)
    patch(Consumer, "commit", ("self", "records"), commit)
    patch(DeadLetters, "publish", ("self", "items"), publish)


def install_receiver(arms: Arms) -> None:
    from receiver.spool.spool import Spool

    def failpoint(name: str) -> None:
        _die(arms, name)
        if name == "before-append" and arms.armed(SLOW_FSYNC) and arms.take(SLOW_FSYNC):
            time.sleep(SLOW_FSYNC_S)
        # Before: nothing of it is on the disk. After: all of it is, and nobody is told so.
        if name in {"before-append", "after-append"} and arms.take(f"{FSYNC_ERROR}-{name}"):
            raise _fsync_error()

    def opened(real: Callable[..., Awaitable[Spool]]) -> Callable[..., Awaitable[Spool]]:
        async def wrapped(directory: Path, *, max_bytes: int) -> Spool:
            return await real(directory, max_bytes=max_bytes, failpoint=failpoint)

        return wrapped

    patch(Spool, "open", ("directory", "max_bytes", "failpoint"), opened)


def install_clock(arms: Arms) -> None:
    """The process's wall clock, ahead by what the run says; looked up once a second at the most."""
    real_ns, monotonic = time.time_ns, time.monotonic
    ahead_ns, look_at_s = 0, 0.0

    def time_ns() -> int:
        nonlocal ahead_ns, look_at_s
        if monotonic() >= look_at_s:
            look_at_s = monotonic() + 1.0
            ahead_ns = round(arms.value(CLOCK_AHEAD_S) * 1e9)
            if ahead_ns:
                arms.count(CLOCK_AHEAD_S)
        return real_ns() + ahead_ns

    time.time_ns = time_ns
    time.time = lambda: time_ns() / 1e9


class _DyingInCopy:
    """A connection whose next COPY ends in the middle of its records, and the process with it."""

    def __init__(self, connection: Any, arms: Arms) -> None:
        self._connection = connection
        self._arms = arms

    async def copy_records_to_table(self, table: str, *, records: Iterable[Any], **options: Any) -> Any:
        return await self._connection.copy_records_to_table(table, records=self._some(records), **options)

    def _some(self, records: Iterable[Any]) -> Iterator[Any]:
        rows = list(records)
        for number, record in enumerate(rows):
            if number == len(rows) // 2:
                _die(self._arms, "mid-copy")
            yield record


def _die(arms: Arms, point: str) -> None:
    if arms.take(point):
        os.kill(os.getpid(), signal.SIGKILL)


def _fsync_error() -> sqlite3.OperationalError:
    """What SQLite raises when fsync fails."""
    error = sqlite3.OperationalError("disk I/O error")
    error.sqlite_errorcode = sqlite3.SQLITE_IOERR_FSYNC
    error.sqlite_errorname = "SQLITE_IOERR_FSYNC"
    return error
