"""The disk that the spool is on: a small one of its own where this machine lets us mount one, else a plain folder."""

import os
import subprocess
from contextlib import suppress
from pathlib import Path
from tempfile import TemporaryDirectory

SIZE_MIB = 64
LEFT_BYTES = 64 * 1024


class Disk:
    def __init__(self, folder: Path) -> None:
        self._mount = folder
        self.folder = folder / "files"
        self.is_small = False

    def prepare(self) -> None:
        self._mount.mkdir(parents=True, exist_ok=True)
        self.is_small = mount_tmpfs(self._mount, f"size={SIZE_MIB}m")
        self.folder.mkdir(exist_ok=True)

    def release(self) -> None:
        if self.is_small:
            unmount(self._mount)
            self.is_small = False

    def fill(self) -> None:
        """Take all the room but a little, also while others write. OSError if it is not a disk of our own."""
        if not self.is_small:
            raise OSError("the spool has no disk of its own")
        with self._filler.open("wb") as file:
            size = 0
            while (room := self.room_bytes()) > LEFT_BYTES:
                with suppress(OSError):  # others were quicker: there is less room than a moment ago
                    os.posix_fallocate(file.fileno(), size, room - LEFT_BYTES)
                size = os.fstat(file.fileno()).st_size

    def room_bytes(self) -> int:
        stat = os.statvfs(self._mount)
        return stat.f_bavail * stat.f_frsize

    def empty(self) -> None:
        self._filler.unlink(missing_ok=True)

    @property
    def _filler(self) -> Path:
        return self._mount / "filler"


def can_mount() -> bool:
    with TemporaryDirectory() as folder:
        disk = Disk(Path(folder) / "disk")
        disk.prepare()
        try:
            return disk.is_small
        finally:
            disk.release()


def mount_tmpfs(folder: Path, options: str) -> bool:
    """Mount one over the folder, or change the one that is there; False where we may not."""
    return os.geteuid() == 0 and _succeeds(["mount", "-t", "tmpfs", "-o", options, "tmpfs", str(folder)])


def unmount(folder: Path) -> None:
    _succeeds(["umount", "-l", str(folder)])


def _succeeds(command: list[str]) -> bool:
    try:
        return subprocess.run(command, check=False, capture_output=True, timeout=10).returncode == 0
    except OSError:
        return False
