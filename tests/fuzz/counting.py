"""Counts what became of fuzzed inputs, and keeps what broke a law."""

from collections import Counter
from typing import Any

from tests.fuzz.laws import DEAD, REFUSED, STORED

ENDS = (STORED, DEAD, REFUSED)
OTHERWISE = "anything else"
_SHOWN_CHARS = 1500
_SHOWN_FINDINGS = 20


class Tally:
    """The ends of one target's inputs."""

    def __init__(self, target: str) -> None:
        self.target = target
        self.ends: Counter[str] = Counter()
        self.reasons: Counter[tuple[str, str]] = Counter()
        self.findings: list[str] = []

    def note(self, end: str, reason: str, count: int = 1) -> None:
        self.ends[end] += count
        if reason:
            self.reasons[end, reason] += count

    def broke(self, number: int, error: BaseException, sent: Any) -> None:
        self.note(OTHERWISE, type(error).__name__)
        if len(self.findings) < _SHOWN_FINDINGS:
            self.findings.append(
                f"{self.target} {number}: {type(error).__name__}: {error}\n{sent!r:.{_SHOWN_CHARS}}"
            )


def shown(tallies: list[Tally]) -> str:
    """The table, the reasons beneath it, and the findings."""
    columns = (*ENDS, OTHERWISE)
    lines = [_line("target", "inputs", *columns)]
    for tally in tallies:
        lines.append(_line(tally.target, _n(tally.ends.total()), *(_n(tally.ends[end]) for end in columns)))
    together: Counter[str] = sum((tally.ends for tally in tallies), Counter())
    lines.append(_line("total", _n(together.total()), *(_n(together[end]) for end in columns)))
    for tally in tallies:
        reasons = ", ".join(f"{reason} {_n(count)}" for (_, reason), count in tally.reasons.most_common())
        lines.append(f"{tally.target}: {reasons}")
    return "\n".join(lines + [finding for tally in tallies for finding in tally.findings])


def _line(target: str, *figures: str) -> str:
    return f"{target:<10}" + "".join(f"{figure:>15}" for figure in figures)


def _n(count: int) -> str:
    return f"{count:,}"
