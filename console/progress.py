"""Says on a terminal, and only there, what a command that takes its time is at."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager

from rich.console import Console

Say = Callable[[str], None]


@contextmanager
def progress(what: str) -> Iterator[Say]:
    """Show a line on standard error for the length of a block; what is yielded changes it."""
    console = Console(stderr=True)
    if not console.is_terminal:
        yield lambda _: None
        return
    with console.status(what) as status:
        yield status.update
