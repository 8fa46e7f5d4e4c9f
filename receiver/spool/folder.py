"""The folder of the spool: the names of its files, and what is there of each stem.

`<stem>.db` and `<stem>.db-wal` are a spool file in use or orphaned, `<stem>.lock` says who owns it. Damaged
ones are set aside as `….corrupt-<UTC>`, which become `….corrupt-<UTC>.salvaged` once all that was good of them
lies in a sound file. A `<stem>.part` is a sound file in the making.
"""

import os
import re
from collections import defaultdict
from pathlib import Path

from msgspec import Struct

_NAME = re.compile(
    r"(?P<stem>[0-9a-f]{32})\.(?:(?P<lock>lock)|(?P<part>part(?:-wal|-journal)?)"
    r"|(?P<live>db(?:-wal|-journal)?)|db(?:-wal|-journal)?\.corrupt-\w+(?P<done>\.salvaged)?)"
)


class Files(Struct):
    """The files of one stem, by what they are for."""

    live: list[Path]
    aside: list[Path]
    salvaged: list[Path]
    part: list[Path]

    @property
    def has_database(self) -> bool:
        return any(path.suffix == ".db" for path in self.live)


def list_files(directory: Path) -> dict[str, Files]:
    """What is in the folder, by stem; a lone lock file gives empty lists. Raises OSError."""
    found: defaultdict[str, Files] = defaultdict(lambda: Files([], [], [], []))
    for path in sorted(directory.iterdir()):
        if match := _NAME.fullmatch(path.name):
            files = found[match["stem"]]
            if match["part"]:
                files.part.append(path)
            elif match["live"]:
                files.live.append(path)
            elif not match["lock"]:
                (files.salvaged if match["done"] else files.aside).append(path)
    return found


def live_bytes(directory: Path, *, but: str) -> int:
    """What the files of all stems but one take on the disk; those set aside are a person's to remove."""
    total = 0
    for stem, files in list_files(directory).items():
        if stem != but:
            total += sum(size_of(path) for path in files.live + files.part)
    return total


def size_of(path: Path) -> int:
    try:
        return path.stat().st_size
    except FileNotFoundError:
        return 0


def wal_of(path: Path) -> Path:
    return path.with_name(path.name + "-wal")


def sync_folder(directory: Path) -> None:
    """Make names that were added, changed or removed durable."""
    handle = os.open(directory, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
