"""What a comparison has found, as a table by hour with a summary, or as one JSON object."""

from collections.abc import Sequence
from typing import Any

import click
from msgspec import Struct

from console.output import print_json, print_table
from console.reconcile.run import Finding, Hour
from console.times import iso

SHOWN_SESSIONS = 20


class Difference(Struct, frozen=True):
    session_id: str
    fields: list[str]


class HourTold(Struct, frozen=True, kw_only=True):
    hour: str | None
    matched: int
    missing: int
    extra: int
    differing: int


class Report(Struct, frozen=True, kw_only=True, rename={"start": "from", "end": "to"}):
    """`missing_sessions` are all; `differences` and `extra_sessions` the first thousand of each.

    `complete_until`: of this span, all before is in the table. `reconciled_until`: what is signed off. `repaired`
    counts the missing that have a row by now; None if nothing was to be repaired.
    """

    sdk_app_id: int
    start: str | None
    end: str | None
    matched: int
    missing: int
    extra: int
    differing: int
    repaired: int | None
    missing_sessions: list[str]
    extra_sessions: list[str]
    differences: list[Difference]
    unsettled_sessions: list[str]
    complete_until: str | None
    reconciled_until: str | None
    hours: list[HourTold]

    @property
    def is_even(self) -> bool:
        return not (self.missing or self.extra or self.differing)

    def print(self, *, as_json: bool) -> None:
        if as_json:
            print_json(self)
            return
        print_table(
            f"{self.sdk_app_id}: {self.start} to {self.end}",
            ["hour", "matched#", "missing#", "extra#", "differing#"],
            [[h.hour, h.matched, h.missing, h.extra, h.differing] for h in self.hours],
        )
        for line in self._summary():
            click.echo(line)

    def _summary(self) -> list[str]:
        counts = (
            f"{self.matched} matched, {self.missing} missing, {self.extra} extra, {self.differing} differing"
        )
        lines = [counts]
        if self.repaired is not None:
            lines.append(f"repaired {self.repaired} of {self.missing}")
        lines += _named("missing", self.missing_sessions)
        lines += _named("extra", self.extra_sessions)
        lines += _named("differing", [f"{d.session_id} ({', '.join(d.fields)})" for d in self.differences])
        lines += _named("published and still without a row", self.unsettled_sessions)
        lines.append(f"complete until {self.complete_until}; signed off until {self.reconciled_until or '—'}")
        return lines


def hours_told(hours: Sequence[Hour]) -> list[HourTold]:
    return [
        HourTold(hour=iso(h.hour), matched=h.matched, missing=h.missing, extra=h.extra, differing=h.differing)
        for h in hours
    ]


def differences(findings: Sequence[Finding]) -> list[Difference]:
    return [Difference(finding.session_id, finding.fields) for finding in findings]


def _named(what: str, sessions: Sequence[Any]) -> list[str]:
    lines = [f"{what}: {session}" for session in sessions[:SHOWN_SESSIONS]]
    if len(sessions) > SHOWN_SESSIONS:
        lines.append(f"{what}: and {len(sessions) - SHOWN_SESSIONS} more (--json names them)")
    return lines
