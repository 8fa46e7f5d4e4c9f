"""The SQLite side of a spool file: one table of framed parts, and what has to be said to SQLite about it.

Every method may raise a SpoolAway of failures.py.
"""

import sqlite3
from collections.abc import Generator, Iterable, Iterator
from contextlib import closing, contextmanager, suppress
from pathlib import Path

from receiver.spool import wal
from receiver.spool.failpoints import Failpoint, ignore
from receiver.spool.failures import SpoolDamaged, failure_of, translated
from receiver.spool.folder import wal_of
from receiver.spool.frame import PAGE_BYTES, Framer, Part

_FLOOR_ROW = 0  # holds the mark up to which all numbers are drained
_PRAGMAS = (
    f"page_size = {PAGE_BYTES}",
    "locking_mode = EXCLUSIVE",  # before WAL, so that no shared memory is mapped: a cut file can't be a SIGBUS
    "journal_mode = WAL",
    "synchronous = FULL",
    "secure_delete = FAST",
    "wal_autocheckpoint = 0",  # done apart from the commit that somebody waits for
    "cell_size_check = ON",
    "trusted_schema = OFF",
    "temp_store = MEMORY",
)


class PartTable:
    """An open file with its one table; `create` or `verify` comes first. `number` of a part is its row id."""

    def __init__(self, path: Path, stem: str, failpoint: Failpoint = ignore) -> None:
        self._path = path
        self._failpoint = failpoint
        self._framer = Framer(stem)
        with translated():
            self._db = sqlite3.connect(path, isolation_level=None, check_same_thread=False, timeout=0)
            self._db.setlimit(sqlite3.SQLITE_LIMIT_LENGTH, 2**20)  # a damaged length must not cost memory

    def create(self) -> None:
        self._configure()
        with self.commit("create"):
            self._db.execute("CREATE TABLE part (id INTEGER PRIMARY KEY, frame BLOB NOT NULL)")
            self.write_floor(0)

    def verify(self) -> None:
        """Read the whole file. SpoolDamaged if its structure is not sound; its records are checked when read."""
        self._configure()
        with translated():
            if self._db.execute("PRAGMA quick_check(1)").fetchone() != ("ok",):
                raise SpoolDamaged("the spool file's structure is damaged")
            row = self._db.execute("SELECT id, frame FROM part WHERE id = ?", (_FLOOR_ROW,)).fetchone()
        if row is None or self._framer.read(row[1]) is None:
            raise SpoolDamaged("the spool file's mark of what is drained is damaged")

    @contextmanager
    def commit(self, name: str) -> Iterator[None]:
        """All or none of the block, on the disk when it ends. `name` is that of its failpoints."""
        try:
            self._db.execute("BEGIN IMMEDIATE")
            yield
            self._failpoint(f"before-{name}")
            self._db.execute("COMMIT")
            self._failpoint(f"after-{name}")
        except sqlite3.Error as exc:
            self._undo()
            raise failure_of(exc) from exc
        except BaseException:
            self._undo()
            raise

    def insert(self, parts: Iterable[Part], *, or_ignore: bool = False) -> None:
        """Within a commit. With `or_ignore`, a part whose number is there already is left out."""
        rows = [(part.number, self._framer.pack(part)) for part in parts]
        verb = "INSERT OR IGNORE" if or_ignore else "INSERT"
        self._db.executemany(f"{verb} INTO part (id, frame) VALUES (?, ?)", rows)

    def delete(self, runs: Iterable[tuple[int, int]]) -> None:
        """Within a commit: remove the parts from each first to each last number."""
        self._db.executemany("DELETE FROM part WHERE id BETWEEN ? AND ?", runs)

    def write_floor(self, number: int) -> None:
        """Within a commit: mark all numbers up to this one as drained."""
        frame = self._framer.pack(Part(number, 0, 0, 0, b""))
        self._db.execute("INSERT OR REPLACE INTO part (id, frame) VALUES (?, ?)", (_FLOOR_ROW, frame))

    def touch(self) -> None:
        """Within a commit: write something of no meaning."""
        self._db.execute("UPDATE part SET frame = frame WHERE id = ?", (_FLOOR_ROW,))

    def first_number(self) -> int | None:
        """The number of the oldest part, be it sound or not."""
        with translated():
            (number,) = self._db.execute("SELECT min(id) FROM part WHERE id > 0").fetchone()
        return None if number is None else int(number)

    def head(self) -> Part | None:
        """The oldest part; SpoolDamaged if it is not what was written."""
        with closing(self.parts()) as parts:
            return next(parts, None)

    def parts(self) -> Generator[Part, None, None]:
        """All parts, oldest first. SpoolDamaged at the first that is not what was written."""
        with (
            translated(),
            closing(self._db.execute("SELECT id, frame FROM part WHERE id > 0 ORDER BY id")) as rows,
        ):
            for number, frame in rows:
                part = self._framer.read(frame) if isinstance(frame, bytes) else None
                if part is None or part.number != number:
                    raise SpoolDamaged("a record of the spool file is damaged")
                yield part

    def used_bytes(self) -> int:
        """Of pages that hold something; those that are free will be used again."""
        with translated():
            (pages,) = self._db.execute("PRAGMA page_count").fetchone()
            (free,) = self._db.execute("PRAGMA freelist_count").fetchone()
        return int(pages - free) * PAGE_BYTES

    def checkpoint(self) -> None:
        """Bring the log's content into the file, so that the log is used from its start again."""
        with translated():
            self._db.execute("PRAGMA wal_checkpoint(PASSIVE)").fetchone()

    def compact(self) -> None:
        """Write the file anew without free pages, and empty the log into it."""
        with translated():
            self._db.execute("VACUUM")
            self._db.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()

    def close(self) -> None:
        """Close the file. SQLite empties the log into it and removes the log, if it still has its name."""
        with translated():
            self._db.close()
            wal.trim(wal_of(self._path))

    def _configure(self) -> None:
        with translated():
            for pragma in _PRAGMAS:
                self._db.execute(f"PRAGMA {pragma}").fetchone()

    def _undo(self) -> None:
        with suppress(sqlite3.Error):
            if self._db.in_transaction:
                self._db.execute("ROLLBACK")
        with suppress(OSError):
            wal.trim(wal_of(self._path))


def unlink_files(path: Path) -> None:
    """Remove a file of SQLite and what belongs to it; a log alone is recognised as a leftover."""
    for name in (path, path.with_name(path.name + "-journal"), wal_of(path)):
        name.unlink(missing_ok=True)
