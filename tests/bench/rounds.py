"""Takes the measurements of a part in turns, round by round, and repeats those that others disturbed."""

import asyncio
import sys
import time
from collections.abc import Awaitable, Callable, Mapping
from datetime import UTC, datetime

from tests.bench.counters import watched
from tests.bench.figures import Part, Sample, spread, summed_up

Measure = Callable[[], Awaitable[Sample]]

CALM_CORES = 0.25
_TRIES = 3
_SETTLE_S = 1.0


class Rounds:
    """Collects the samples of one part; whether a measurement is repeated depends on foreign load alone."""

    def __init__(self, part: str, rounds: int, repeats: int) -> None:
        """`repeats` bounds those of all its measurements together: a machine may never be calm."""
        self.part = part
        self.rounds = rounds
        self._repeats_left = repeats
        self.notes: list[str] = []
        self._started = time.monotonic()
        self._samples: dict[str, list[Sample]] = {}
        self._foreign: list[float] = []
        self._repeated = 0

    async def interleave(self, cases: Mapping[str, Measure]) -> None:
        """Each round takes every case once; a case that failed is noted and not tried again."""
        failed: set[str] = set()
        for _ in range(self.rounds):
            for name, measure in cases.items():
                if name not in failed and not await self.attempt(name, measure):
                    failed.add(name)

    async def attempt(self, name: str, measure: Measure, *, repeat: bool = True) -> bool:
        """Take a measurement; where it fails that is noted, and costs no other one."""
        try:
            await self.take(name, measure, tries=_TRIES if repeat else 1)
        except Exception as exc:  # one peer that breaks must not cost the whole run
            self.note(f"{name} failed: {type(exc).__name__}: {str(exc)[:300]}")
            return False
        return True

    async def take(self, name: str, measure: Measure, *, tries: int = _TRIES) -> None:
        """One measurement, the calmest of so many tries at the most."""
        calmest: tuple[float, Sample] | None = None
        for left in reversed(range(tries)):
            with watched() as foreign:
                sample = await measure()
            if calmest is None or foreign.cores < calmest[0]:
                calmest = foreign.cores, sample
            if foreign.cores <= CALM_CORES or not left or not self._repeats_left:
                break
            self._repeats_left -= 1
            self._repeated += 1
            await asyncio.sleep(_SETTLE_S)
        assert calmest is not None
        self.add(name, calmest[1], calmest[0])

    def add(self, name: str, sample: Sample, foreign_cores: float) -> None:
        self._samples.setdefault(name, []).append(sample)
        self._foreign.append(foreign_cores)
        told = "  ".join(f"{figure} {value:,.2f}" for figure, value in sample.items())
        print(f"{self.part:10} {name:28} {told}  foreign {foreign_cores:.2f}", file=sys.stderr, flush=True)

    def note(self, text: str) -> None:
        self.notes.append(text)
        print(f"{self.part:10} {text}", file=sys.stderr, flush=True)

    def result(self) -> Part:
        return Part(
            name=self.part,
            taken_at=datetime.now(UTC).isoformat(timespec="minutes"),
            seconds=round(time.monotonic() - self._started, 1),
            rounds=self.rounds,
            cases={name: summed_up(samples) for name, samples in self._samples.items()},
            foreign_cores=spread(self._foreign or [0.0]),
            repeated_for_disturbance=self._repeated,
            notes=self.notes,
        )
