"""What a running stack tells others of itself: `stack.json` in its home, the shape of `tccc up --json`.

The file alone proves nothing, for a crash leaves it behind: the lock on the home says whether it is true.
"""

from pathlib import Path

import msgspec
from msgspec import Struct

from deploy.local.file_lock import FileLock
from deploy.local.files import write_atomically


class Pids(Struct, frozen=True, kw_only=True):
    receiver: list[int]
    worker: list[int]
    kafka: list[int]
    postgres: list[int]


class StackState(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """`vendor_endpoint` is where a fake of the vendor's API listens, if one was asked for."""

    push_url: str
    receiver_admin_urls: list[str]
    worker_admin_urls: list[str]
    database_url: str
    kafka_bootstrap: str
    pids: Pids
    vendor_endpoint: str | None = None

    def line(self) -> str:
        return msgspec.json.encode(self).decode()


def home_lock(home: Path) -> FileLock:
    """Make the lock that whoever runs a stack on this home holds."""
    return FileLock(home / "lock")


def write_state(home: Path, state: StackState) -> None:
    write_atomically(_file(home), state.line() + "\n")


def clear_state(home: Path) -> None:
    _file(home).unlink(missing_ok=True)


def read_state(home: Path) -> StackState | None:
    """Read the state of the stack that runs on this home; None if none does, or it is not ready yet."""
    if not home_lock(home).is_held():
        return None
    try:
        return msgspec.json.decode(_file(home).read_bytes(), type=StackState)
    except (FileNotFoundError, msgspec.DecodeError):
        return None


def _file(home: Path) -> Path:
    return home / "stack.json"
