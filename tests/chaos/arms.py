"""How a run tells its processes where to fail: files in a folder, taken away by the process that fails there.

`arm` leaves so many tokens for a point; a process that comes by takes one, atomically, and fails. `fired`
counts, so that a fault is known to have happened and not only to have been asked for.
"""

import os
from pathlib import Path


class Arms:
    def __init__(self, folder: Path) -> None:
        self.folder = folder
        folder.mkdir(parents=True, exist_ok=True)

    def arm(self, point: str, times: int = 1) -> None:
        for number in range(times):
            (self.folder / f"{point}.{number}").touch()

    def disarm(self, point: str) -> None:
        for token in self.folder.glob(f"{point}.*"):
            token.unlink(missing_ok=True)

    def armed(self, point: str) -> int:
        return len(list(self.folder.glob(f"{point}.*")))

    def take(self, point: str) -> bool:
        """Take a token of this point, if there is one, and count it."""
        for token in sorted(self.folder.glob(f"{point}.*")):
            try:
                token.unlink()
            except FileNotFoundError:  # another process was quicker
                continue
            self.count(point)
            return True
        return False

    def value(self, name: str) -> float:
        """A number that a run has set for all processes; 0 where it has not."""
        try:
            return float((self.folder / name).read_text(encoding="ascii") or 0)
        except (FileNotFoundError, ValueError):
            return 0.0

    def set_value(self, name: str, value: float) -> None:
        (self.folder / name).write_text(str(value), encoding="ascii")

    def fired(self, point: str) -> int:
        try:
            return (self.folder / f"{point}-fired").stat().st_size
        except FileNotFoundError:
            return 0

    def count(self, point: str) -> None:
        handle = os.open(self.folder / f"{point}-fired", os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o644)
        try:
            os.write(handle, b"1")
        finally:
            os.close(handle)
