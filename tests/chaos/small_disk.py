"""Puts a server's data folder on a small disk for a while, on which the room can be taken away and given back.

The disk is a tmpfs whose size is changed while it is in use, so that a full one costs no memory. Who calls
stops the server before its folder moves.
"""

import os
import shutil
import subprocess
from pathlib import Path

from tests.chaos.mount import mount_tmpfs, unmount

LEFT_BYTES = 1024 * 1024
ROOM_BYTES = 2 * 2**30
FILL_TRIES = 20
COPY_TIMEOUT_S = 120.0


class SmallDisk:
    """Blocking; OSError where this machine does not let us do it."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._beside = folder.with_name(f"{folder.name}.beside")

    def move_in(self) -> None:
        self._folder.rename(self._beside)
        self._folder.mkdir()
        if not mount_tmpfs(self._folder, f"size={ROOM_BYTES + _held_bytes(self._beside)}"):
            self._folder.rmdir()
            self._beside.rename(self._folder)
            raise OSError("no small disk could be mounted")
        _copy(self._beside, self._folder)
        shutil.rmtree(self._beside)

    def move_out(self) -> None:
        _copy(self._folder, self._beside)
        unmount(self._folder)
        self._folder.rmdir()
        self._beside.rename(self._folder)

    def fill(self) -> None:
        """Leave next to no room, also while others write."""
        for _ in range(FILL_TRIES):
            if self._resize(self._used_bytes() + LEFT_BYTES):
                return
        raise OSError("the disk grew faster than its room was taken away")

    def empty(self) -> None:
        if not self._resize(self._used_bytes() + ROOM_BYTES):
            raise OSError("the disk could not be given room again")

    def _resize(self, size_bytes: int) -> bool:
        return mount_tmpfs(self._folder, f"remount,size={size_bytes}")

    def _used_bytes(self) -> int:
        stat = os.statvfs(self._folder)
        return (stat.f_blocks - stat.f_bfree) * stat.f_frsize


def _held_bytes(folder: Path) -> int:
    return sum(path.stat().st_blocks * 512 for path in folder.rglob("*") if path.is_file())


def _copy(source: Path, target: Path) -> None:
    """With owners and modes; holes stay holes, and a log's zeros keep the room that they take."""
    command = ["cp", "-a", "--sparse=auto", f"{source}/.", str(target)]
    done = subprocess.run(command, check=False, capture_output=True, timeout=COPY_TIMEOUT_S)
    if done.returncode != 0:
        raise OSError(f"{source} could not be copied: {done.stderr.decode(errors='replace')}")
