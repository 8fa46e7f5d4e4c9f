"""A thread that does blocking work one piece after the other, away from the event loop."""

import asyncio
import threading
from collections.abc import Callable
from concurrent.futures import Future
from functools import partial
from queue import SimpleQueue
from typing import TypeVar

import structlog

from schemas.errors import SpoolAway

_log = structlog.get_logger()
_T = TypeVar("_T")


class Worker:
    """Runs what it is given in order. A disk that hangs holds up this thread, never the loop or an exit."""

    def __init__(self, name: str) -> None:
        self._work: SimpleQueue[Callable[[], object] | None] = SimpleQueue()
        self.is_stopping = False
        self._thread = threading.Thread(target=self._run, name=name, daemon=True)
        self._thread.start()

    @property
    def name(self) -> str:
        return self._thread.name

    def submit(self, work: Callable[[], object]) -> None:
        """Have it done some time; what it raises is logged. From any thread."""
        self._work.put(work)

    async def run(self, work: Callable[[], _T]) -> _T:
        """Have it done and wait for it. It is done even if the caller is cancelled."""
        if self.is_stopping:
            raise SpoolAway("the spool is closed")
        outcome: Future[_T] = Future()
        self._work.put(partial(_settle, outcome, work))
        return await asyncio.shield(asyncio.wrap_future(outcome))

    async def stop(self, timeout_s: float) -> bool:
        """Finish what was given, no longer than this; whether it was finished."""
        self.is_stopping = True
        self._work.put(None)
        await asyncio.to_thread(self._thread.join, timeout_s)
        return not self._thread.is_alive()

    def _run(self) -> None:
        while work := self._work.get():
            try:
                work()
            except Exception:  # the outermost loop of this thread
                _log.exception("spool_work_failed", thread=self._thread.name)


def _settle(outcome: Future[_T], work: Callable[[], _T]) -> None:
    try:
        outcome.set_result(work())
    except BaseException as exc:  # it is the caller's
        outcome.set_exception(exc)
