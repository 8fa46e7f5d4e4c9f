"""What a run found: figures with their spread for each case, and for each part of the run what disturbed it."""

import statistics
from collections.abc import Mapping, Sequence

from msgspec import Struct

Sample = Mapping[str, float]  # a figure's name, with its unit at the end, and its value


class Spread(Struct, frozen=True):
    """Of all rounds."""

    median: float
    min: float
    max: float

    def __str__(self) -> str:
        if self.min == self.max:
            return short(self.median)
        return f"{short(self.median)} ({short(self.min)}–{short(self.max)})"


class Part(Struct):
    """The result of one part. `foreign_cores` is what the rest of the machine used meanwhile."""

    name: str
    taken_at: str
    seconds: float
    rounds: int
    cases: dict[str, dict[str, Spread]]
    foreign_cores: Spread
    repeated_for_disturbance: int
    notes: list[str]

    def median(self, case: str, figure: str) -> float | None:
        spread = self.cases.get(case, {}).get(figure)
        return None if spread is None else spread.median


def spread(values: Sequence[float]) -> Spread:
    return Spread(round(statistics.median(values), 3), round(min(values), 3), round(max(values), 3))


def summed_up(samples: Sequence[Sample]) -> dict[str, Spread]:
    names = list(dict.fromkeys(name for sample in samples for name in sample))
    return {name: spread([sample[name] for sample in samples if name in sample]) for name in names}


def short(value: float) -> str:
    if value == int(value) or abs(value) >= 100:
        return f"{value:,.0f}"
    return f"{value:.1f}" if abs(value) >= 10 else f"{value:.2f}"
