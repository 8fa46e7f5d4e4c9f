"""Runs of offsets, and arithmetic on them; no I/O."""

from collections.abc import Iterable, Iterator

from msgspec import Struct

MAX_NAMED = 1000


class Span(Struct, frozen=True):
    """Offsets from `first` to `last`, both included."""

    first: int
    last: int

    def __len__(self) -> int:
        return self.last - self.first + 1

    def __str__(self) -> str:
        return str(self.first) if self.first == self.last else f"{self.first}-{self.last}"


class Spans(Struct):
    """Spans in ascending order, those that adjoin made one. All are counted, the first MAX_NAMED are named."""

    named: list[Span] = []
    count: int = 0

    def add(self, span: Span) -> None:
        self.count += len(span)
        if self.named and self.named[-1].last + 1 == span.first:
            self.named[-1] = Span(self.named[-1].first, span.last)
        elif len(self.named) < MAX_NAMED:
            self.named.append(span)

    def add_offset(self, offset: int) -> None:
        self.add(Span(offset, offset))


def cut(spans: Iterable[Span], at: int) -> tuple[list[Span], list[Span]]:
    """The parts before an offset, and those from it on."""
    before, after = [], []
    for span in spans:
        if span.first < at:
            before.append(Span(span.first, min(span.last, at - 1)))
        if span.last >= at:
            after.append(Span(max(span.first, at), span.last))
    return before, after


def chunks(low: int, high: int, size: int) -> Iterator[tuple[int, int]]:
    """[low, high) in pieces of at most `size`."""
    for start in range(low, high, size):
        yield start, min(start + size, high)
