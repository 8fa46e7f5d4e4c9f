"""The lease: who owns a spool file is who holds the lock on its `.lock` file, for as long as it is held.

A lock dies with its process, however that ends; a process id in a file would not.
"""

import fcntl
import os
import uuid
from pathlib import Path
from typing import Self


class Lease:
    """An exclusive flock on `<stem>.lock`; it covers every file of that stem in the folder."""

    def __init__(self, path: Path, handle: int) -> None:
        self._path = path
        self._handle: int | None = handle

    @property
    def directory(self) -> Path:
        return self._path.parent

    @property
    def stem(self) -> str:
        return self._path.stem

    @classmethod
    def fresh(cls, directory: Path) -> Self:
        """Own a new stem. Raises OSError if the folder cannot be written."""
        while True:
            # One who tidies up may take and remove a lock file between its making and its locking.
            if lease := cls.take(directory, uuid.uuid4().hex):
                return lease

    @classmethod
    def take(cls, directory: Path, stem: str) -> Self | None:
        """Own this stem, or None if another does. Never waits; raises OSError."""
        path = directory / f"{stem}.lock"
        handle = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        is_ours = False
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
            is_ours = _is_same_file(handle, path)  # its last owner may have removed it after we had opened it
        except BlockingIOError:
            pass
        finally:
            if not is_ours:
                os.close(handle)
        return cls(path, handle) if is_ours else None

    def release(self) -> None:
        """Leave the files to whoever comes next. May be repeated."""
        if self._handle is not None:
            os.close(self._handle)
            self._handle = None

    def remove(self) -> None:
        """Release, and remove the lock file: for when no other file of this stem is left to own."""
        if self._handle is not None and _is_same_file(self._handle, self._path):
            self._path.unlink(missing_ok=True)  # before the release: after it, it may be another's
        self.release()


def is_owned(directory: Path, stem: str) -> bool:
    """Whether a living process owns this stem. Does not disturb it."""
    try:
        handle = os.open(directory / f"{stem}.lock", os.O_RDONLY | os.O_CLOEXEC)
    except FileNotFoundError:
        return False
    try:
        fcntl.flock(handle, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    finally:
        os.close(handle)
    return False


def _is_same_file(handle: int, path: Path) -> bool:
    try:
        return os.path.samestat(os.fstat(handle), path.stat())
    except FileNotFoundError:
        return False
