"""What may befall a spool file, as decisions: translates what SQLite and the system raise.

SpoolAway
├── SpoolFull      no room: the file stays in use, a later try may succeed
├── SpoolBroken    an I/O error, maybe of fsync: what was not confirmed is not taken, the file is reopened
└── SpoolDamaged   the file does not hold what was written to it: set aside, what is good of it is saved
"""

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager

from schemas.errors import SpoolAway


class SpoolFull(SpoolAway):
    pass


class SpoolBroken(SpoolAway):
    pass


class SpoolDamaged(SpoolAway):
    pass


# Primary codes that tell of the system, not of the file's content. Any other error of the few statements
# that are run here, none of which can be wrong on a sound file, tells of damage.
_BROKEN = {
    sqlite3.SQLITE_IOERR,
    sqlite3.SQLITE_CANTOPEN,
    sqlite3.SQLITE_READONLY,
    sqlite3.SQLITE_PERM,
    sqlite3.SQLITE_AUTH,
    sqlite3.SQLITE_BUSY,
    sqlite3.SQLITE_LOCKED,
    sqlite3.SQLITE_PROTOCOL,
    sqlite3.SQLITE_INTERRUPT,
    sqlite3.SQLITE_NOLFS,
}


def failure_of(exc: sqlite3.Error) -> SpoolAway:
    """The decision that an error of SQLite calls for; its message holds nothing of a record."""
    code = getattr(exc, "sqlite_errorcode", sqlite3.SQLITE_CORRUPT)
    name = getattr(exc, "sqlite_errorname", "SQLITE_CORRUPT")
    if code == sqlite3.SQLITE_FULL:
        return SpoolFull("the disk of the spool is full")
    if code == sqlite3.SQLITE_IOERR_SHORT_READ:
        return SpoolDamaged("the spool file is shorter than it was written")
    if code & 0xFF in _BROKEN:
        return SpoolBroken(f"the spool file cannot be used ({name})")
    return SpoolDamaged(f"the spool file is damaged ({name})")


@contextmanager
def translated() -> Iterator[None]:
    try:
        yield
    except sqlite3.Error as exc:
        raise failure_of(exc) from exc
    except OSError as exc:
        raise SpoolBroken(f"the spool folder cannot be used ({type(exc).__name__}: {exc.strerror})") from exc
