"""Files taken over: finds spool files that nobody owns, makes them sound if they are not, and drains them.

Each process that shares the folder does this; a file goes to the one that gets its lease. Used by one thread
at a time, `take` and the counters by any.
"""

from collections import deque
from collections.abc import Callable, Sequence
from pathlib import Path

import structlog

from receiver.spool.failpoints import Failpoint, ignore
from receiver.spool.failures import SpoolDamaged, SpoolFull, translated
from receiver.spool.folder import Files, list_files
from receiver.spool.lease import Lease
from receiver.spool.salvage import salvage, set_aside
from receiver.spool.segment import Chunk, Segment
from receiver.spool.stored import Stored
from schemas.envelope import Record
from schemas.errors import SpoolAway

_log = structlog.get_logger()
_MAX_HELD = 64  # of open files; those beyond wait for the next look


class HeldFiles:
    """The files of others that this process has taken over, and its own former ones."""

    def __init__(self, directory: Path, failpoint: Failpoint = ignore) -> None:
        self.set_aside = 0  # damaged files that lie in the folder, as of the last look
        self._directory = directory
        self._failpoint = failpoint
        self._incoming: deque[Segment] = deque()
        self._segments: list[Segment] = []

    @property
    def records(self) -> int:
        return sum(segment.records for segment in self._all())

    @property
    def size_bytes(self) -> int:
        return sum(segment.size_bytes for segment in self._all())

    @property
    def oldest_us(self) -> int | None:
        return min((segment.oldest_us for segment in self._all() if segment.oldest_us), default=None)

    def take(self, segment: Segment) -> None:
        """Hand over an open file, lease and all."""
        self._incoming.append(segment)

    def look(self) -> None:
        """Take over what lies in the folder without an owner. What fails is logged, and tried at the next look."""
        self.tidy()
        with translated():
            found = list_files(self._directory)
        for stem, files in found.items():
            if (files.live or files.aside or files.part or not files.salvaged) and len(
                self._segments
            ) < _MAX_HELD:
                self._adopt(stem)
        with translated():
            found = list_files(self._directory)
        self.set_aside = sum(bool(files.aside or files.salvaged) for files in found.values())

    def read(self, max_records: int) -> Chunk | None:
        """The oldest records of the oldest file; None if there is none, or its file had to be given up."""
        self.tidy()
        if not self._segments:
            return None
        segment = min(self._segments, key=lambda held: held.oldest_us or 0)
        try:
            return Chunk(segment, segment.read(max_records))
        except SpoolAway as exc:
            self._give_up(segment, exc)
            return None

    def forget(self, chunk: Chunk, drained: Sequence[Stored]) -> None:
        """Remove records of a chunk that are safe elsewhere."""
        segment = chunk.segment
        if segment not in self._segments:
            return
        try:
            segment.forget(drained)
            segment.checkpoint()
        except SpoolAway as exc:
            _log.warning("spool_forget_failed", file=segment.path.name, error=str(exc))
            if segment.records and not isinstance(exc, SpoolFull):
                self._give_up(segment, exc)
        self.tidy()

    def erase(self, wanted: Callable[[Record], bool]) -> int:
        """Remove all records that are wanted, published or not, and every trace of them in these files."""
        erased = 0
        for segment in self._segments:
            found = segment.select(wanted)
            if found:
                segment.forget(found)
                segment.compact()
                erased += len(found)
        self.tidy()
        return erased

    def tidy(self) -> None:
        """Remove files that are drained."""
        while self._incoming:
            self._segments.append(self._incoming.popleft())
        for segment in [held for held in self._segments if not held.records]:
            self._segments.remove(segment)
            _attempt(segment.remove, segment.path)

    def close(self) -> None:
        """Leave to others what is not drained."""
        self.tidy()
        while self._segments:
            segment = self._segments.pop()
            _attempt(segment.close, segment.path)

    def _all(self) -> tuple[Segment, ...]:
        return (*tuple(self._segments), *tuple(self._incoming))

    def _adopt(self, stem: str) -> None:
        try:
            with translated():
                lease = Lease.take(self._directory, stem)
            segment = self._open(lease) if lease else None
        except SpoolAway as exc:
            _log.warning("spool_takeover_failed", stem=stem, error=str(exc))
            return
        if segment is not None:
            _log.warning("spool_taken_over", file=segment.path.name, records=segment.records)
            self._segments.append(segment)
            self.tidy()

    def _open(self, lease: Lease) -> Segment | None:
        """Open what there is of this stem, now that nobody else can; None if nothing of it is left to drain."""
        try:
            with translated():
                files = list_files(self._directory)[lease.stem]
                for path in files.part:  # its maker was killed; nothing that was acknowledged is in it alone
                    path.unlink()
                if not files.live and not files.aside:
                    lease.remove()
                    return None
            return self._open_sound(files, lease)
        except BaseException:
            lease.release()
            raise

    def _open_sound(self, files: Files, lease: Lease) -> Segment:
        aside: list[Path] = []

        def put_aside(reason: str) -> None:
            aside.extend(set_aside(lease, reason))
            self._failpoint("set-aside")

        if files.has_database and not files.aside:
            path = lease.directory / f"{lease.stem}.db"
            if segment := Segment.recover(path, lease, put_aside, self._failpoint):
                return segment
        else:
            put_aside("only a part of the file is there")
        return self._salvage(aside, lease)

    def _salvage(self, aside: Sequence[Path], lease: Lease) -> Segment:
        segment = salvage(aside, lease, self._failpoint)
        with translated():
            lease.remove()
        return segment

    def _give_up(self, segment: Segment, failure: SpoolAway) -> None:
        """Let go of a file; if it is damaged, go on with what is good of it."""
        _log.error("spool_given_up", file=segment.path.name, error=str(failure))
        self._segments.remove(segment)
        if not isinstance(failure, SpoolDamaged):
            _attempt(segment.close, segment.path)
            return
        lease = segment.lease
        try:
            aside = set_aside(lease, str(failure))
            segment.detach()
            self._segments.append(self._salvage(aside, lease))
        except SpoolAway as exc:
            lease.release()
            _log.warning("spool_salvage_failed", file=segment.path.name, error=str(exc))


def _attempt(step: Callable[[], None], path: Path) -> None:
    try:
        step()
    except SpoolAway as exc:
        _log.warning("spool_close_failed", file=path.name, error=str(exc))
