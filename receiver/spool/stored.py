"""Records as they come out of a spool file, and the numbers by which they are removed from it."""

from collections.abc import Iterator

from msgspec import Struct

from schemas.envelope import Record


class Stored(Struct, frozen=True, gc=False):
    """A record as it came out: the first and last number of its parts, and its bytes in the file."""

    first: int
    last: int
    size: int
    record: Record


def runs(numbers: dict[int, int]) -> Iterator[tuple[int, int]]:
    """Firsts and lasts, those that adjoin made one."""
    run: tuple[int, int] | None = None
    for first, last in sorted(numbers.items()):
        if run and first == run[1] + 1:
            run = (run[0], last)
            continue
        if run:
            yield run
        run = (first, last)
    if run:
        yield run
