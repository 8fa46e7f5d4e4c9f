"""A lock on a file, held until it is released or its process is dead, whichever comes first.

The kernel holds it (flock), so a crash never leaves it behind and process ids that are used again do not matter.
The file's text names the holder, for the message to a second one.
"""

import contextlib
import fcntl
import os
import time
from collections.abc import Iterator
from pathlib import Path

_POLL_S = 0.05


class FileLock:
    def __init__(self, path: Path) -> None:
        self.path = path
        self._fd: int | None = None

    def acquire(self, wait_s: float = 0.0) -> bool:
        """Take the lock, waiting at most `wait_s`; False if another process holds it."""
        self.path.parent.mkdir(parents=True, exist_ok=True)
        fd = os.open(self.path, os.O_RDWR | os.O_CREAT, 0o600)
        give_up_at = time.monotonic() + wait_s
        while True:
            try:
                fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                if time.monotonic() >= give_up_at:
                    os.close(fd)
                    return False
                time.sleep(_POLL_S)
                continue
            os.ftruncate(fd, 0)
            os.write(fd, f"{os.getpid()}\n".encode())
            self._fd = fd
            return True

    def release(self) -> None:
        """Give the lock back; does nothing if it is not held. The file stays: removing it would be a race."""
        if self._fd is not None:
            os.close(self._fd)
            self._fd = None

    def holder(self) -> str:
        """Tell the process id that the last holder wrote down, '' if there is none."""
        try:
            return self.path.read_text(encoding="ascii").strip()
        except OSError:
            return ""

    def is_held(self) -> bool:
        """Tell whether any process holds the lock now, without disturbing it for longer than an instant."""
        try:
            fd = os.open(self.path, os.O_RDONLY)
        except FileNotFoundError:
            return False
        try:
            fcntl.flock(fd, fcntl.LOCK_SH | fcntl.LOCK_NB)
        except BlockingIOError:
            return True
        finally:
            os.close(fd)
        return False


@contextlib.contextmanager
def locked(path: Path, wait_s: float) -> Iterator[None]:
    """Hold the lock for a block; TimeoutError if another process keeps it for longer than `wait_s`."""
    lock = FileLock(path)
    if not lock.acquire(wait_s):
        raise TimeoutError(f"process {lock.holder()} holds {path}")
    try:
        yield
    finally:
        lock.release()
