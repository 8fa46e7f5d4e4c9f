"""The bars that the project set itself, each computed from medians of one run."""

from collections.abc import Callable, Iterator

from msgspec import Struct

from tests.bench.figures import Part, short
from tests.bench.part_growth import AFTER_CHECKPOINT
from tests.bench.part_receiver import BUSY_RATE, FIXED_RATE, HALF_RATE
from tests.bench.part_spool import AWAY_RATE, LIVE_RATE
from tests.bench.part_whole import EASY_RATE

Median = Callable[[str, str, str], float | None]  # of part, case, figure


class Bar(Struct, frozen=True):
    """A value, and the most (or the least, if `at_least`) that it may be. None: not measured."""

    what: str
    value: float | None
    bound: float
    at_least: bool = False

    @property
    def verdict(self) -> str:
        if self.value is None:
            return "not measured"
        return (
            "yes" if (self.value >= self.bound if self.at_least else self.value <= self.bound) else "**no**"
        )

    def row(self) -> str:
        value = "–" if self.value is None else short(self.value)
        sign = "≥" if self.at_least else "≤"
        return f"| {self.what} | {value} | {sign} {short(self.bound)} | {self.verdict} |"


def bars(parts: dict[str, Part], cores: int) -> list[Bar]:
    def median(part: str, case: str, figure: str) -> float | None:
        return parts[part].median(case, figure) if part in parts else None

    return [
        *_receiver(median),
        *_worker(median, cores),
        *_growth(parts),
        *_whole(parts),
        *_spool(median),
        Bar("receiver: s from its start until it is ready", median("start", "receiver", "ready_s"), 1),
        Bar("worker: s from its start until its first row", median("start", "worker", "consuming_s"), 4),
    ]


def _receiver(median: Median) -> Iterator[Bar]:
    def closed(case: str) -> float | None:
        return median("receiver", f"{case}, closed loop", "cpu_us")

    def fixed(case: str, figure: str, rate: int = FIXED_RATE) -> float | None:
        return median("receiver", f"{case}, {rate}/s", figure)

    ours, naive, at = "receiver", "naive aiohttp", f"at {FIXED_RATE:,}/s"
    yield Bar("receiver: CPU a push, of the Go peer's", _ratio(closed(ours), closed("Go")), 1.5)
    yield Bar("receiver: CPU a push, of FastAPI's", _ratio(closed(ours), closed("FastAPI")), 0.45)
    for figure, name, bound in (("p50_ms", "p50", 2), ("p99_ms", "p99", 8)):
        yield Bar(f"receiver {at}: ack {name}, ms", fixed(ours, figure), bound)
        yield Bar(
            f"receiver {at}: ack {name}, of the naive peer's",
            _ratio(fixed(ours, figure), fixed(naive, figure)),
            1.3,
        )
    for rate in (FIXED_RATE, BUSY_RATE):
        yield Bar(
            f"two receivers share {rate:,}/s: CPU a push, of one's that takes it all",
            _ratio(fixed("two receivers", "cpu_us", rate), fixed(ours, "cpu_us", rate)),
            1.15,
        )
    yield Bar(
        f"two receivers at {HALF_RATE:,}/s each: CPU a push, of one's at {HALF_RATE:,}/s",
        _ratio(fixed("two receivers", "cpu_us", BUSY_RATE), fixed(ours, "cpu_us", HALF_RATE)),
        1.15,
    )


def _worker(median: Median, cores: int) -> Iterator[Bar]:
    def of(case: str, figure: str) -> float | None:
        return median("worker", case, figure)

    together = of("worker", "together_us")
    yield Bar(
        "worker and Postgres: CPU a push, of Debezium's",
        _ratio(together, of("Debezium sink", "together_us")),
        1,
    )
    yield Bar("worker: its own CPU a push, µs", of("worker", "worker_us"), 30)
    rate = _ratio(of("worker", "pushes_per_s"), of("COPY, no ledger", "pushes_per_s"))
    yield Bar("worker: rate at lag, of COPY without a ledger", rate, 0.8, at_least=True)
    two_us, two_rate = of("two workers", "together_us"), of("two workers", "pushes_per_s")
    yield Bar("two workers: CPU a push, of one's", _ratio(two_us, together), 1.15)
    kafka_us = of("two workers", "kafka_us")
    allowed = None if two_us is None or kafka_us is None else cores * 1e6 / (two_us + kafka_us)
    yield Bar("two workers: rate, of what the cores allow", _ratio(two_rate, allowed), 0.8, at_least=True)


def _growth(parts: dict[str, Part]) -> Iterator[Bar]:
    cases = parts["growth"].cases if "growth" in parts else {}
    # Of half an hour between two checkpoints the first seconds are not what counts; the table has them too.
    names = sorted(
        (name for name in cases if not name.endswith(AFTER_CHECKPOINT)),
        key=lambda name: int(name.split()[0].replace(",", "")),
    )
    none, most = (names[0], names[-1]) if len(names) > 1 else ("", "")

    def ratio(figure: str) -> float | None:
        return _ratio(*(parts["growth"].median(case, figure) for case in (most, none))) if most else None

    yield Bar(
        f"rate with {most or 'all sessions'}, of that with none", ratio("pushes_per_s"), 0.7, at_least=True
    )
    yield Bar(f"worker's memory with {most or 'all sessions'}, of that with none", ratio("rss_mib"), 1.1)


def _whole(parts: dict[str, Part]) -> Iterator[Bar]:
    easy = f"{EASY_RATE}/s"
    cases = parts["whole"].cases if "whole" in parts else {}
    kept = next((name for name in cases if name != easy), "")

    def of(case: str, figure: str) -> float | None:
        return parts["whole"].median(case, figure) if "whole" in parts else None

    yield Bar(f"whole at {easy}: push to row p50, ms", of(easy, "row_p50_ms"), 50)
    yield Bar(f"whole at {easy}: push to row p99, ms", of(easy, "row_p99_ms"), 250)
    yield Bar(f"whole at {kept}: pushes/s", of(kept, "pushes_per_s"), 4995, at_least=True)
    yield Bar(f"whole at {kept}: refused", of(kept, "refused"), 0)
    yield Bar(f"whole at {kept}: push to row p99, ms", of(kept, "row_p99_ms"), 2000)


def _spool(median: Median) -> Iterator[Bar]:
    away, draining = f"Kafka away, {AWAY_RATE}/s", f"draining, live {LIVE_RATE}/s"
    calm = median("spool", f"calm, {LIVE_RATE}/s", "p99_ms")
    yield Bar(f"{away}: ack p99, ms", median("spool", away, "p99_ms"), 20)
    yield Bar("spool: drained a second", median("spool", draining, "drained_per_s"), 5000, at_least=True)
    yield Bar(f"{draining}: ack p99, ms", median("spool", draining, "p99_ms"), max(20, 2 * (calm or 0)))


def _ratio(one: float | None, other: float | None) -> float | None:
    return None if one is None or not other else one / other
