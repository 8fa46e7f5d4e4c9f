"""Group commit: whatever waits when the disk is ready goes there in one commit, and is answered in one call."""

import asyncio
from collections import deque
from collections.abc import Callable, Sequence

from receiver.spool.worker import Worker
from schemas.errors import SpoolAway

_MAX_GROUP_BYTES = 2**20

Append = Callable[[Sequence[bytes]], Sequence[SpoolAway | None]]
_Waiting = tuple[bytes, "asyncio.Future[None]"]


class GroupCommit:
    """Gathers payloads on the loop; on the worker's thread, `append` takes a group, with an outcome for each.

    `answered` is called there once a group has its answers, for what nobody should wait for.
    """

    def __init__(self, worker: Worker, append: Append, answered: Callable[[], None]) -> None:
        self._worker = worker
        self._append = append
        self._answered = answered
        self._loop = asyncio.get_running_loop()
        self._waiting: deque[_Waiting] = deque()
        self._is_due = False

    async def put(self, payload: bytes) -> None:
        """Return once it is on the disk. One whose caller is cancelled may or may not be taken."""
        future: asyncio.Future[None] = self._loop.create_future()
        self._waiting.append((payload, future))
        if not self._is_due:
            self._is_due = True
            self._worker.submit(self._commit_waiting)
        await future

    def _commit_waiting(self) -> None:
        # First the flag: one that comes after it may be taken along here, and then finds an empty round.
        self._is_due = False
        while group := self._gather():
            outcomes: Sequence[SpoolAway | None] = [SpoolAway("the spool failed")] * len(group)
            try:
                outcomes = self._append([payload for payload, _ in group])
            finally:
                self._loop.call_soon_threadsafe(_answer, group, outcomes)
            self._answered()

    def _gather(self) -> list[_Waiting]:
        group: list[_Waiting] = []
        size = 0
        while self._waiting and size < _MAX_GROUP_BYTES:
            group.append(self._waiting.popleft())
            size += len(group[-1][0])
        return group


def _answer(group: Sequence[_Waiting], outcomes: Sequence[SpoolAway | None]) -> None:
    for (_, future), failure in zip(group, outcomes, strict=True):
        if future.done():  # its caller was cancelled
            continue
        if failure is None:
            future.set_result(None)
        else:
            future.set_exception(failure)
