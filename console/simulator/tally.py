"""What came of a run: counts, refusals by reason, latencies, as one Struct to print."""

import time
from array import array
from collections import Counter
from collections.abc import Sequence

from msgspec import Struct

from console.simulator.delivery import Delivery
from console.simulator.vendor import Answer

LATE_S = 0.1  # in an open loop, a push that leaves later than this after it was due


class Latency(Struct, frozen=True):
    """Of all answers, taken or not, in ms."""

    p50: float
    p90: float
    p99: float
    p999: float
    max: float


class Summary(Struct, frozen=True, kw_only=True):
    """`sent` counts deliveries, once each however often they were tried: `taken` and `not_taken` add up to it.

    `sessions` and `chats` are those whose `cdr` and `imcdr` were taken. `refusals` counts tries by
    `status/ErrCode` or by what broke. `late` and `behind_s` tell whether an open loop kept up: pushes that left
    over 0.1 s after they were due, and the worst of them.
    """

    seed: int | None
    sent: int
    duplicates: int
    taken: int
    not_taken: int
    retried: int
    refusals: dict[str, int]
    sessions: int
    chats: int
    by_action: dict[str, int]
    elapsed_s: float
    rate_per_s: float
    latency_ms: Latency | None
    late: int
    behind_s: float
    interrupted: bool


class Tally:
    """Counts while the run goes on."""

    def __init__(self) -> None:
        self.began = time.perf_counter()
        self.taken = self.not_taken = self.duplicates = self.retried = 0
        self.sessions = self.chats = self.late = 0
        self.behind_s = 0.0
        self.interrupted = False
        self._by_action: Counter[str] = Counter()
        self._refusals: Counter[str] = Counter()
        self._latencies_s = array("d")

    @property
    def settled(self) -> int:
        return self.taken + self.not_taken

    def left(self, after_due_s: float) -> None:
        """Note how long after it was due a push left."""
        if after_due_s > LATE_S:
            self.late += 1
            self.behind_s = max(self.behind_s, after_due_s)

    def answered(self, answer: Answer, latency_s: float) -> None:
        if answer.status:
            self._latencies_s.append(latency_s)
        if not answer.taken:
            self._refusals[answer.reason] += 1

    def settle(self, delivery: Delivery, *, taken: bool) -> None:
        """Count a delivery, once, after its last try."""
        push = delivery.push
        self.duplicates += delivery.again
        self._by_action[push.action] += 1
        if not taken:
            self.not_taken += 1
            return
        self.taken += 1
        if not delivery.again:
            self.sessions += push.action == "cdr" and not push.correction
            self.chats += push.action == "imcdr"

    def summary(self, seed: int | None) -> Summary:
        elapsed_s = time.perf_counter() - self.began
        return Summary(
            seed=seed,
            sent=self.settled,
            duplicates=self.duplicates,
            taken=self.taken,
            not_taken=self.not_taken,
            retried=self.retried,
            refusals=dict(self._refusals.most_common()),
            sessions=self.sessions,
            chats=self.chats,
            by_action=dict(sorted(self._by_action.items())),
            elapsed_s=round(elapsed_s, 3),
            rate_per_s=round(self.settled / elapsed_s, 1),
            latency_ms=_latency(sorted(self._latencies_s)),
            late=self.late,
            behind_s=round(self.behind_s, 3),
            interrupted=self.interrupted,
        )


def _latency(ascending_s: Sequence[float]) -> Latency | None:
    if not ascending_s:
        return None

    def at(share: float) -> float:
        return round(1000 * ascending_s[min(len(ascending_s) - 1, int(share * len(ascending_s)))], 3)

    return Latency(p50=at(0.5), p90=at(0.9), p99=at(0.99), p999=at(0.999), max=at(1))
