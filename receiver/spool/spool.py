"""The spool as the receiver sees it: puts that return once on the disk, and a way to drain them in order.

All work on files happens on two threads, one for the file that takes puts and one for files taken over, so that
reading a large one that a dead process left delays no acknowledgement.
"""

import asyncio
import errno
import os
import time
from collections.abc import Awaitable, Callable, Sequence
from functools import partial
from pathlib import Path
from typing import Self

import structlog
from msgspec import Struct

from receiver.spool.failpoints import Failpoint, ignore
from receiver.spool.frame import encode_record
from receiver.spool.group import GroupCommit
from receiver.spool.held import HeldFiles
from receiver.spool.own import OwnFile
from receiver.spool.segment import Segment
from receiver.spool.worker import Worker
from schemas.envelope import Record
from schemas.errors import OperatorError, SpoolAway

_log = structlog.get_logger()
_CLOSE_S = 5.0
_LEAST_ROOM_BYTES = 64 * 1024

Publish = Callable[[Sequence[Record]], Awaitable[Sequence[Exception | None]]]


class SpoolStatus(Struct, frozen=True, kw_only=True):
    """What this process holds: its own file and those it took over. `set_aside` counts the folder's."""

    records: int
    bytes: int
    oldest_s: float
    set_aside: int
    full: bool


class Drained(Struct, frozen=True):
    """How many records of a chunk left the spool, and how many stay for the next time."""

    left: int
    stayed: int


class Spool:
    """Made by `open`, on the loop that uses it."""

    def __init__(self, directory: Path, max_bytes: int, failpoint: Failpoint) -> None:
        self._held = HeldFiles(directory, failpoint)
        self._own = OwnFile(
            directory, max_bytes, retire=self._take_retired, orphaned=self._look_soon, failpoint=failpoint
        )
        self._writer = Worker("spool-writer")
        self._keeper = Worker("spool-keeper")
        self._group = GroupCommit(self._writer, self._own.append, self._own.checkpoint)
        self._draining = asyncio.Lock()

    @classmethod
    async def open(cls, directory: Path, *, max_bytes: int, failpoint: Failpoint = ignore) -> Self:
        """Make the folder if need be, and a file in it. OperatorError if it can't be written to.

        A disk that takes nothing now is no error: the spool says that it is full until the disk has room.
        """
        try:
            await asyncio.to_thread(_check_folder, directory)
        except OSError as exc:
            raise OperatorError(f"TCCC_SPOOL_DIR: {directory} cannot be used: {exc.strerror}") from exc
        spool = cls(directory, max_bytes, failpoint)
        await spool.probe()
        return spool

    async def put(self, record: Record) -> None:
        """Return once the record is on the disk, fsync included. SpoolAway: it is not.

        When cancelled, the record may be taken all the same, and is then published like any other.
        """
        if self._writer.is_stopping:
            raise SpoolAway("the spool is closed")
        await self._group.put(encode_record(record))

    async def drain(self, publish: Publish, *, max_records: int) -> Drained:
        """Hand the oldest records to `publish`, and remove those it confirms with an outcome of None."""
        async with self._draining:
            for files, worker in ((self._held, self._keeper), (self._own, self._writer)):
                if not files.records:
                    continue
                if (chunk := await worker.run(partial(files.read, max_records))) is None:
                    break
                outcomes = await publish([stored.record for stored in chunk.stored])
                done = [
                    stored for stored, failure in zip(chunk.stored, outcomes, strict=True) if failure is None
                ]
                if done:
                    await worker.run(partial(files.forget, chunk, done))
                return Drained(len(done), len(outcomes) - len(done))
        return Drained(0, 0)

    async def adopt(self) -> None:
        """Take over files without an owner. May take seconds for large ones; puts go on meanwhile."""
        await self._keeper.run(self._held.look)

    async def probe(self) -> None:
        """Learn whether the disk takes records."""
        await self._writer.run(self._own.prepare)

    def status(self) -> SpoolStatus:
        oldest_us = min((at for at in (self._held.oldest_us, self._own.oldest_us) if at), default=None)
        return SpoolStatus(
            records=self._held.records + self._own.records,
            bytes=self._held.size_bytes + self._own.size_bytes,
            oldest_s=max(0.0, time.time() - oldest_us / 1e6) if oldest_us else 0.0,
            set_aside=self._held.set_aside,
            full=self._own.failure is not None or self._own.room_bytes < _LEAST_ROOM_BYTES,
        )

    async def close(self) -> None:
        """Finish what waits, within a bounded time, and leave what is not drained to whoever comes next."""
        for worker, files in ((self._writer, self._own), (self._keeper, self._held)):
            worker.submit(files.close)
            if not await worker.stop(_CLOSE_S):
                _log.error("spool_close_timed_out", thread=worker.name)

    def _take_retired(self, segment: Segment) -> None:
        self._held.take(segment)
        self._keeper.submit(self._held.tidy)

    def _look_soon(self) -> None:
        self._keeper.submit(self._held.look)


def _check_folder(directory: Path) -> None:
    directory.mkdir(parents=True, exist_ok=True)
    if not os.access(directory, os.R_OK | os.W_OK | os.X_OK):
        raise PermissionError(errno.EACCES, os.strerror(errno.EACCES))
