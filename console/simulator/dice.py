"""Chance that falls the same way in every process and on every version of Python.

Only `random()` and `getrandbits()` are drawn from, and only arithmetic that IEEE 754 fixes is done on them:
the other methods of `random.Random` have changed between versions, and `log` and `exp` differ between machines.
"""

from bisect import bisect_right
from collections.abc import Mapping, Sequence
from itertools import accumulate
from random import Random
from typing import Generic, TypeVar

T = TypeVar("T")


class Weighted(Generic[T]):
    """Values with the weights by which they are drawn."""

    __slots__ = ("cumulative", "total", "values")

    def __init__(self, weights: Mapping[T, float]) -> None:
        self.values = tuple(weights)
        self.cumulative = tuple(accumulate(weights.values()))
        self.total = self.cumulative[-1]


class Dice:
    """A stream of chance of its own for each (`seed`, `stream`)."""

    __slots__ = ("bits", "random")

    def __init__(self, seed: int, stream: str) -> None:
        source = Random(f"{seed}/{stream}")  # noqa: S311 -- to be repeated, not to be secret
        self.random = source.random
        self.bits = source.getrandbits

    def chance(self, share: float) -> bool:
        return self.random() < share

    def between(self, low: int, high: int) -> int:
        """Return a whole number, both ends included."""
        return low + int(self.random() * (high - low + 1))

    def one_of(self, values: Sequence[T]) -> T:
        return values[int(self.random() * len(values))]

    def weighted(self, table: Weighted[T]) -> T:
        return table.values[bisect_right(table.cumulative, self.random() * table.total)]

    def spread(self, quantiles: Sequence[int]) -> int:
        """Draw from a distribution told by its quantiles at equal steps, least to greatest."""
        step = self.random() * (len(quantiles) - 1)
        index = int(step)
        low = quantiles[index]
        return low + int((quantiles[index + 1] - low) * (step - index))

    def digits(self, count: int) -> str:
        return f"{int(self.random() * 10**count):0{count}d}"

    def uuid(self) -> str:
        """Return a version-4 UUID."""
        raw = f"{self.bits(128):032x}"
        return f"{raw[:8]}-{raw[8:12]}-4{raw[13:16]}-{'89ab'[int(raw[16], 16) & 3]}{raw[17:20]}-{raw[20:]}"
