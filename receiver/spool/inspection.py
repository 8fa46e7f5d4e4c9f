"""A view of a spool folder from outside, for a person: reads raw bytes, and disturbs no owner.

Of a file in use the numbers are those of a moment, about: what was drained out of turn still counts.
"""

from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path

from msgspec import Struct

from receiver.spool.folder import list_files, size_of
from receiver.spool.frame import Framer, Part, join
from receiver.spool.lease import is_owned
from schemas.envelope import Record
from schemas.errors import OperatorError


class Matches(Struct, kw_only=True):
    """How many records a search found: in files of running receivers, in those left behind, in damaged ones."""

    owned: int = 0
    left: int = 0
    damaged: int = 0


class SpoolFile(Struct, frozen=True, kw_only=True):
    """`bytes` are those on the disk, its log included; `oldest_us` is µs since the epoch, None if it is empty."""

    name: str
    records: int
    bytes: int
    oldest_us: int | None
    owned: bool
    corrupt: bool
    salvaged: bool


def inspect(directory: Path) -> list[SpoolFile]:
    """Every spool file of the folder, in order of name. Reads all of them: seconds for gigabytes."""
    try:
        found = list_files(directory)
        return [
            _view(directory, stem, paths, corrupt=corrupt, salvaged=salvaged)
            for stem, files in sorted(found.items())
            for paths, corrupt, salvaged in (
                (files.live, False, False),
                (files.aside, True, False),
                (files.salvaged, True, True),
            )
            if paths
        ]
    except OSError as exc:
        raise OperatorError(f"{directory} cannot be read: {exc.strerror}") from exc


def search(directory: Path, wanted: Callable[[Record], bool]) -> Matches:
    """Count the records that are wanted. Reads every file of the folder, damaged ones too."""
    found = Matches()
    try:
        for stem, files in sorted(list_files(directory).items()):
            live = _matching(stem, files.live, wanted)
            if is_owned(directory, stem):
                found.owned += live
            else:
                found.left += live
            found.damaged += _matching(stem, files.aside, wanted) + _matching(stem, files.salvaged, wanted)
    except OSError as exc:
        raise OperatorError(f"{directory} cannot be read: {exc.strerror}") from exc
    return found


def _matching(stem: str, paths: list[Path], wanted: Callable[[Record], bool]) -> int:
    """As raw bytes, of which some were drained already: what is not there any more must not be found either."""
    parts = {part.number: part for part in _all_parts(stem, paths) if part.count}
    firsts = [part for part in parts.values() if part.index == 0]
    wholes = ([parts.get(first.number + n) for n in range(first.count)] for first in firsts)
    records = (join([part for part in whole if part]) for whole in wholes if all(whole))
    return sum(record is not None and wanted(record) for record in records)


def _all_parts(stem: str, paths: list[Path]) -> Iterator[Part]:
    framer = Framer(stem)
    for path in paths:
        yield from (part for part in _parts(framer, path) if part)


def _view(directory: Path, stem: str, paths: list[Path], *, corrupt: bool, salvaged: bool) -> SpoolFile:
    records, oldest_us = _count(stem, paths)
    return SpoolFile(
        name=paths[0].name,
        records=records,
        bytes=sum(size_of(path) for path in paths),
        oldest_us=oldest_us,
        owned=is_owned(directory, stem),
        corrupt=corrupt,
        salvaged=salvaged,
    )


def _count(stem: str, paths: list[Path]) -> tuple[int, int | None]:
    """How many records the files hold that were not drained, and when the oldest came."""
    floor, found = 0, dict[int, int]()
    framer = Framer(stem)
    for path in paths:
        for part in _parts(framer, path):
            if part is None:
                continue
            if part.count == 0:
                floor = max(floor, part.number)
            elif part.index == 0:
                found[part.number] = part.at_us
    left = [at_us for number, at_us in found.items() if number > floor]
    return len(left), min(left, default=None)


def _parts(framer: Framer, path: Path) -> Iterator[Part | None]:
    with suppress(FileNotFoundError):  # its owner has drained it since it was listed
        yield from framer.scan(path)
