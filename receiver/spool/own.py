"""The file that this process puts its records into: kept usable, kept within its bound, replaced when it fails.

Used by one thread, the counters by any.
"""

import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path

import structlog

from receiver.spool.failpoints import Failpoint, ignore
from receiver.spool.failures import SpoolFull, translated
from receiver.spool.folder import live_bytes
from receiver.spool.frame import OVERHEAD_BYTES
from receiver.spool.lease import Lease
from receiver.spool.segment import Chunk, Segment
from receiver.spool.stored import Stored
from schemas.errors import SpoolAway

_log = structlog.get_logger()
_LOOK_S = 1.0
_KEPT_BYTES = 2**20  # an empty file larger than this is removed, and a new one begun


class OwnFile:
    """`retire` is handed a file that is not to be written any more, `orphaned` is called when one was let go."""

    def __init__(
        self,
        directory: Path,
        max_bytes: int,
        *,
        retire: Callable[[Segment], None],
        orphaned: Callable[[], None],
        failpoint: Failpoint = ignore,
    ) -> None:
        self.failure: SpoolAway | None = None  # why the disk took nothing the last time
        self._directory = directory
        self._max_bytes = max_bytes
        self._max_log_bytes = min(8 * 2**20, max_bytes // 8)
        self._retire = retire
        self._orphaned = orphaned
        self._failpoint = failpoint
        self._segment: Segment | None = None
        self._others_bytes = 0
        self._others_until_s = 0.0

    @property
    def records(self) -> int:
        return segment.records if (segment := self._segment) else 0

    @property
    def size_bytes(self) -> int:
        return segment.size_bytes if (segment := self._segment) else 0

    @property
    def oldest_us(self) -> int | None:
        return segment.oldest_us if (segment := self._segment) else None

    @property
    def room_bytes(self) -> int:
        """What the bound leaves, for all files of the folder together."""
        used = segment.used_bytes if (segment := self._segment) else 0
        return self._max_bytes - self._max_log_bytes - used - self._others_bytes

    def append(self, payloads: Sequence[bytes]) -> list[SpoolAway | None]:
        """Take those that fit, in one commit; an outcome for each."""
        self._weigh_others()
        room = self.room_bytes
        fitting: list[bytes] = []
        outcomes: list[SpoolAway | None] = []
        for payload in payloads:
            size = len(payload) + OVERHEAD_BYTES
            fits = size <= room
            room -= size if fits else 0
            if fits:
                fitting.append(payload)
            outcomes.append(None if fits else SpoolFull("the spool has reached TCCC_SPOOL_MAX_BYTES"))
        failure = self._take(fitting) if fitting else None
        if failure is None:
            return outcomes
        return [outcome or type(failure)(str(failure)) for outcome in outcomes]

    def checkpoint(self) -> None:
        """Keep the log short; for when nobody waits."""
        if (segment := self._segment) is None or segment.log_bytes < self._max_log_bytes:
            return
        try:
            segment.checkpoint()
        except SpoolFull:
            pass  # the log cannot be emptied into the file, and grows until that too is refused
        except SpoolAway as exc:
            self._let_go(segment, exc)

    def read(self, max_records: int) -> Chunk | None:
        """The oldest records; None if there is none, or the file had to be given up."""
        if (segment := self._segment) is None or not segment.records:
            return None
        try:
            return Chunk(segment, segment.read(max_records))
        except SpoolAway as exc:
            self._let_go(segment, exc)
            return None

    def forget(self, chunk: Chunk, drained: Sequence[Stored]) -> None:
        """Remove records of a chunk that are safe elsewhere."""
        segment = chunk.segment
        if (
            segment is not self._segment
        ):  # replaced since; its records come again, which is settled downstream
            return
        failure: SpoolAway | None = None
        try:
            segment.forget(drained)
        except SpoolAway as exc:
            _log.warning("spool_forget_failed", file=segment.path.name, error=str(exc))
            failure = exc
        if segment.records == 0 and (failure or segment.size() > _KEPT_BYTES):
            self._segment = None
            self._retire(segment)  # which removes it: the disk gets its room back at once
        elif failure and not isinstance(failure, SpoolFull):
            self._let_go(segment, failure)
        else:
            self.checkpoint()

    def prepare(self) -> None:
        """Have a file to write to, and learn whether the disk takes anything."""
        try:
            self._weigh_others()
            self._usable().probe()
            self.failure = None
        except SpoolAway as exc:
            self.failure = exc

    def close(self) -> None:
        """Remove the file if it is empty, else leave it to whoever comes next."""
        if (segment := self._segment) is None:
            return
        self._segment = None
        if segment.records:
            segment.close()
        else:
            segment.remove()

    def _take(self, payloads: Sequence[bytes]) -> SpoolAway | None:
        """Append, in a new file if the one there was fails."""
        for _ in range(2):
            try:
                self._usable().append(payloads)
            except SpoolFull as exc:
                self.failure = exc
                break
            except SpoolAway as exc:
                self.failure = exc
                if self._segment is not None:
                    self._let_go(self._segment, exc)
            else:
                self.failure = None
                break
        return self.failure

    def _usable(self) -> Segment:
        if self._segment is not None and not self._segment.is_in_place():
            _log.error("spool_file_removed", file=self._segment.path.name, records=self._segment.records)
            self._retire(self._segment)
            self._segment = None
        if self._segment is None:
            with translated():
                self._directory.mkdir(parents=True, exist_ok=True)
                lease = Lease.fresh(self._directory)
            self._segment = Segment.create(lease, self._failpoint)
        return self._segment

    def _let_go(self, segment: Segment, failure: SpoolAway) -> None:
        """Leave the file to be taken over, then mended or set aside: it must not be trusted any more."""
        _log.error("spool_file_let_go", file=segment.path.name, records=segment.records, error=str(failure))
        self._segment = None
        try:
            segment.close()
        except SpoolAway as exc:
            _log.warning("spool_close_failed", file=segment.path.name, error=str(exc))
        self._others_until_s = 0.0
        self._orphaned()

    def _weigh_others(self) -> None:
        now_s = time.monotonic()
        if now_s >= self._others_until_s:
            with suppress(OSError):  # a folder that cannot be listed fails the write that follows
                self._others_bytes = live_bytes(
                    self._directory, but=segment.lease.stem if (segment := self._segment) else ""
                )
            self._others_until_s = now_s + _LOOK_S
