"""What the fake does wrong on purpose: to single requests by their number, or to a share of all, seeded."""

from collections.abc import Mapping
from typing import Literal, get_args

from console.simulator.dice import Dice

Fault = Literal[
    "rate-limit",
    "internal-error",
    "time-out",
    "connection-lost",
    "bad-gateway",
    "not-json",
    "error-as-text",
    "signature",
    "bad-page",
    "repeated-page",
    "empty-page",
    "short-page",
    "changed-count",
]
FAULTS: tuple[Fault, ...] = get_args(Fault)


class Faults:
    """`at` numbers requests from 1; `shares` are drawn for every other one. `made` counts what really happened."""

    def __init__(
        self,
        *,
        at: Mapping[int, Fault] | None = None,
        shares: Mapping[Fault, float] | None = None,
        seed: int = 0,
    ) -> None:
        self._at = dict(at or {})
        self._shares = dict(shares or {})
        self._dice = Dice(seed, "faults")
        self.made: dict[Fault, int] = {}
        self.requests = 0

    def next(self) -> Fault | None:
        """The fault of the next request."""
        self.requests += 1
        fault = self._at.get(self.requests) or self._drawn()
        if fault is not None:
            self.made[fault] = self.made.get(fault, 0) + 1
        return fault

    def _drawn(self) -> Fault | None:
        drawn = self._dice.random()
        for fault, share in self._shares.items():
            if (drawn := drawn - share) < 0:
                return fault
        return None
