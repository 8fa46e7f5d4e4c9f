"""A span of time in whole seconds, and how it is cut to what the vendor's API takes."""

import time
from collections.abc import Iterator

from msgspec import Struct

from console.times import iso
from schemas.errors import OperatorError

DAY_S = 86_400
MAX_AGE_S = 180 * DAY_S
MAX_LENGTH_S = 89 * DAY_S  # the API's own bound is "less than 90 days"
# A span that was just young enough when it was asked for is still to be taken.
GRACE_S = 3600
_MICROS = 1_000_000


class Span(Struct, frozen=True, order=True):
    """Unix seconds; the end is not part of it."""

    start_s: int
    end_s: int

    def __str__(self) -> str:
        return f"{iso(self.start_s * _MICROS)} to {iso(self.end_s * _MICROS)}"

    @property
    def length_s(self) -> int:
        return self.end_s - self.start_s

    def parts(self, length_s: int) -> Iterator["Span"]:
        """In order, cut at multiples of a length."""
        start_s = self.start_s
        while start_s < self.end_s:
            end_s = min(self.end_s, (start_s // length_s + 1) * length_s)
            yield Span(start_s, end_s)
            start_s = end_s

    def halves(self) -> tuple["Span", "Span"]:
        middle_s = (self.start_s + self.end_s) // 2
        return Span(self.start_s, middle_s), Span(middle_s, self.end_s)


def asked_span(from_us: int, to_us: int) -> Span:
    """What was asked for, in whole seconds and not beyond now; OperatorError for what the API cannot tell."""
    now_s = int(time.time())
    start_s, end_s = from_us // _MICROS, min(-(-to_us // _MICROS), now_s)
    oldest_s = now_s - MAX_AGE_S
    if start_s < oldest_s - GRACE_S:
        raise OperatorError(
            f"the vendor's API reaches back 180 days: --from {iso(oldest_s * _MICROS)} or later"
        )
    if end_s <= start_s:
        raise OperatorError("--from has to lie before --to, and before now")
    return Span(max(start_s, oldest_s + GRACE_S // 60), end_s)
