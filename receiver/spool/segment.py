"""One spool file: records go in with one commit for a group, come out oldest first, and are forgotten.

Not bound to a thread, but used by one at a time. Numbers are never used twice, not even after a failed
commit: what a failed group left in the file's raw bytes must not be taken for a later record.
"""

import time
from collections.abc import Callable, Generator, Iterable, Sequence
from contextlib import closing, suppress
from pathlib import Path

from msgspec import Struct

from receiver.spool import wal
from receiver.spool.database import PartTable, unlink_files
from receiver.spool.failpoints import Failpoint, ignore
from receiver.spool.failures import SpoolDamaged, translated
from receiver.spool.folder import size_of, sync_folder, wal_of
from receiver.spool.frame import OVERHEAD_BYTES, PAGE_BYTES, Part, cut, join
from receiver.spool.lease import Lease
from receiver.spool.stored import Stored, runs
from schemas.envelope import Record

CHUNK_BYTES = 4 * 2**20
_REST_RECORDS, _REST_S = 500, 0.001  # while reading much: other threads wait for the interpreter


class Segment:
    """An open spool file, owned by a lease. Methods may raise a SpoolAway of failures.py."""

    def __init__(self, path: Path, lease: Lease, table: PartTable) -> None:
        self.path = path
        self.lease = lease
        self.records = 0
        self.size_bytes = 0
        self.used_bytes = 0  # of pages that hold something
        self.oldest_us: int | None = None
        self.log_bytes = 0  # written since the last checkpoint, at the most
        self._table = table
        self._inode = path.stat().st_ino
        self._next = 1
        self._confirmed: dict[int, int] = {}  # first and last number of what is drained and still in the file

    @classmethod
    def create(cls, lease: Lease, failpoint: Failpoint = ignore) -> "Segment":
        """A new file; on failure nothing is left of it, the lease included."""
        part = lease.directory / f"{lease.stem}.part"
        path = part.with_suffix(".db")
        try:
            with closing(PartTable(part, lease.stem)) as table:
                table.create()
            with translated():
                part.rename(path)  # a file that bears its name is whole: one that is empty was damaged
            table = PartTable(path, lease.stem, failpoint)
            try:
                table.verify()
                segment = cls(path, lease, table)
                segment.probe()  # makes the log, so that the first group need not
                with translated():
                    sync_folder(lease.directory)
            except BaseException:
                table.close()
                raise
        except BaseException:
            unlink_files(part)
            unlink_files(path)
            lease.remove()
            raise
        return segment

    @classmethod
    def recover(
        cls, path: Path, lease: Lease, set_aside: Callable[[str], None], failpoint: Failpoint = ignore
    ) -> "Segment | None":
        """Open a file that another left, to drain it, once all of it was found sound.

        If it is not, `set_aside` is called with the reason, and None is returned. It has to rename the files:
        that keeps SQLite, which holds them open, from writing the log's content into what is to be kept.
        """
        if damage := _find_damage(path):
            set_aside(damage)
            return None
        table = PartTable(path, lease.stem, failpoint)
        segment = cls(path, lease, table)
        try:
            table.verify()
            segment._count()
        except SpoolDamaged as exc:
            set_aside(str(exc))
            table.close()
            return None
        except BaseException:
            table.close()
            raise
        return segment

    def append(self, payloads: Sequence[bytes]) -> None:
        """Take encoded records, all or none, in one commit. They are on the disk when this returns."""
        at_us = time.time_ns() // 1000
        parts: list[Part] = []
        for payload in payloads:
            pieces = cut(payload, self._next, at_us)
            self._next += len(pieces)
            parts += pieces
        with self._table.commit("append"):
            self._table.insert(parts)
        size = sum(OVERHEAD_BYTES + len(part.payload) for part in parts)
        self.records += len(payloads)
        self.size_bytes += size
        self.oldest_us = self.oldest_us or at_us
        self._count_pages(size)

    def read(self, max_records: int) -> list[Stored]:
        """The oldest records, up to CHUNK_BYTES of them and at least one if there is any."""
        found: list[Stored] = []
        size = 0
        with closing(self._stored()) as records:
            for stored in records:
                found.append(stored)
                size += stored.size
                if len(found) >= max_records or size >= CHUNK_BYTES:
                    break
        if self.records and not found:
            raise SpoolDamaged("records are missing from the spool file")
        return found

    def select(self, wanted: Callable[[Record], bool]) -> list[Stored]:
        """All records that are wanted, wherever they stand."""
        with closing(self._stored()) as records:
            return [stored for stored in records if wanted(stored.record)]

    def forget(self, drained: Iterable[Stored]) -> None:
        """Remove what is safe elsewhere. Where the disk refuses, it still never comes out of here again."""
        for stored in drained:
            self._confirmed[stored.first] = stored.last
            self.records -= 1
            self.size_bytes -= stored.size
        with self._table.commit("forget"):
            self._table.delete(runs(self._confirmed))
            first = self._table.first_number()
            self._table.write_floor(first - 1 if first else max(self._confirmed.values(), default=0))
        self._confirmed.clear()
        with suppress(SpoolDamaged):  # the next read meets it, when this commit is no longer at stake
            self._note_oldest()
        self._count_pages(PAGE_BYTES)

    def probe(self) -> None:
        """Commit something of no meaning, to learn whether the disk takes it."""
        with self._table.commit("probe"):
            self._table.touch()
        self._count_pages(0)

    def checkpoint(self) -> None:
        self._table.checkpoint()
        self.log_bytes = 0

    def compact(self) -> None:
        """Write the file anew, so that nothing of what was forgotten is left in it."""
        self._table.compact()
        self.log_bytes = 0

    def size(self) -> int:
        """What the file and its log take on the disk, free pages included."""
        return size_of(self.path) + size_of(wal_of(self.path))

    def is_in_place(self) -> bool:
        """Whether the file is still in its folder: nobody would find a record in one that was removed."""
        try:
            return self.path.stat().st_ino == self._inode
        except OSError:
            return False

    def close(self) -> None:
        """Close the file and leave it to whoever takes it over."""
        try:
            self._table.close()
        finally:
            self.lease.release()

    def detach(self) -> Lease:
        """Close the file but go on owning it."""
        self._table.close()
        return self.lease

    def remove(self) -> None:
        """Close the file and remove it, drained."""
        try:
            self._table.close()
            with translated():
                unlink_files(self.path)
                self.lease.remove()
        finally:
            self.lease.release()

    def _stored(self) -> Generator[Stored, None, None]:
        parts: list[Part] = []
        for part in self._table.parts():
            parts.append(part)
            if len(parts) < part.count:
                continue
            record = join(parts)
            if record is None:
                raise SpoolDamaged("a record of the spool file is not whole")
            if parts[0].number not in self._confirmed:
                size = sum(OVERHEAD_BYTES + len(part.payload) for part in parts)
                yield Stored(parts[0].number, part.number, size, record)
            parts = []
        if parts:
            raise SpoolDamaged("the last record of the spool file is not whole")

    def _count(self) -> None:
        """Read all records, which finds those that are damaged."""
        for stored in self._stored():
            self.records += 1
            self.size_bytes += stored.size
            if self.records % _REST_RECORDS == 0:
                time.sleep(_REST_S)
        self._note_oldest()

    def _note_oldest(self) -> None:
        head = self._table.head()
        self.oldest_us = head.at_us if head else None

    def _count_pages(self, written_bytes: int) -> None:
        self.used_bytes = self._table.used_bytes()
        # Whole pages are logged: those that were filled, the one begun before, one above them or the mark.
        self.log_bytes += written_bytes + 2 * PAGE_BYTES


class Chunk(Struct, frozen=True):
    """Records that came out, and the file that they came out of: another's numbers mean other records."""

    segment: Segment
    stored: list[Stored]


def _find_damage(path: Path) -> str | None:
    """What can be told without SQLite, which would delete the log of an empty file, and cut a damaged one."""
    with translated():
        size = path.stat().st_size
        if size == 0 or size % PAGE_BYTES:
            return "file cut within a page"
        return wal.find_damage(wal_of(path))
