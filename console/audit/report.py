"""The audit's result: a table and named gaps for people, one object for programs."""

from collections.abc import Sequence
from typing import Any

import click

from console.audit.account import Account
from console.output import print_json, print_table

OUTCOMES = ("applied", "duplicate", "stale", "dead")
_COLUMNS = (
    "partition#", "begin#", "end#", "committed#", "applied#", "duplicate#", "stale#", "dead#", "in flight#", "missing#"
)  # fmt: skip
_DIFFERENCES = {
    "missing": "in the topic and passed by the group, but not in the ledger",
    "deleted": "deleted by retention before they were settled",
    "doubled": "settled more than once",
    "letterless": "dead in the ledger, without a dead letter",
}


class Report:
    """Of whole accounts, one for each partition."""

    def __init__(self, topic: str, accounts: Sequence[Account]) -> None:
        self._topic = topic
        self._accounts = accounts

    @property
    def is_even(self) -> bool:
        return all(account.is_even for account in self._accounts)

    def rewind_to(self) -> str:
        """What `tccc rewind --to` takes to have all that is missing and still there consumed again."""
        places = []
        for account in self._accounts:
            if spans := account.missing.named:
                places.append(f"{account.scope.partition}:{spans[0].first}")
        return ",".join(places)

    def print(self, *, as_json: bool) -> None:
        if as_json:
            print_json(self._as_object())
            return
        rows = [self._row(account) for account in self._accounts]
        print_table(f"Records of {self._topic}", _COLUMNS, rows)
        for account in self._accounts:
            self._print_differences(account)
        click.echo(self._verdict())

    def _row(self, account: Account) -> list[Any]:
        scope = account.scope
        counts = [account.outcomes[outcome] for outcome in OUTCOMES]
        return [
            scope.partition,
            scope.begin,
            scope.end,
            "-" if scope.committed is None else scope.committed,
            *counts,
            account.in_flight,
            account.missing.count + account.deleted.count,
        ]

    def _print_differences(self, account: Account) -> None:
        for kind, meaning in _DIFFERENCES.items():
            spans = getattr(account, kind)
            for span in spans.named:
                click.echo(f"partition {account.scope.partition}, offset {span}: {meaning} ({len(span)})")
            if unnamed := spans.count - sum(map(len, spans.named)):
                click.echo(f"partition {account.scope.partition}, and {unnamed} more: {meaning}")

    def _verdict(self) -> str:
        settled = sum(account.outcomes.total() for account in self._accounts)
        lines = [f"{settled} settled, {self._sum('in_flight')} in flight."]
        if forgotten := self._sum("forgotten"):
            lines.append(
                f"{forgotten} could not be judged: they are older than the ledger (TCCC_LEDGER_DAYS)."
            )
        if unjudged := sum(account.scope.low for account in self._accounts):
            lines.append(
                f"{unjudged} offsets before those judged: older than the ledger, or than what was asked."
            )
        if self.is_even:
            return "\n".join([*lines, "Even: every record is accounted for."])
        lines.append(
            f"Differences: {self._missing()} missing, {self._count('doubled')} doubled,"
            f" {self._count('letterless')} dead without a letter."
        )
        if rewind_to := self.rewind_to():
            lines.append(f"After a restore of the database: stop the workers, 'tccc rewind --to {rewind_to}'")
        return "\n".join(lines)

    def _as_object(self) -> dict[str, Any]:
        return {
            "even": self.is_even,
            "topic": self._topic,
            "settled": sum(account.outcomes.total() for account in self._accounts),
            **{outcome: sum(account.outcomes[outcome] for account in self._accounts) for outcome in OUTCOMES},
            "in_flight": self._sum("in_flight"),
            "missing": self._missing(),
            "deleted": self._count("deleted"),
            "doubled": self._count("doubled"),
            "dead_without_letter": self._count("letterless"),
            "forgotten": self._sum("forgotten"),
            "rewind_to": self.rewind_to() or None,
            "partitions": [_partition(account) for account in self._accounts],
        }

    def _missing(self) -> int:
        return self._count("missing") + self._count("deleted")

    def _sum(self, name: str) -> int:
        return sum(getattr(account, name) for account in self._accounts)

    def _count(self, name: str) -> int:
        return sum(getattr(account, name).count for account in self._accounts)


def _partition(account: Account) -> dict[str, Any]:
    scope = account.scope
    return {
        "partition": scope.partition,
        "begin": scope.begin,
        "end": scope.end,
        "committed": scope.committed,
        "judged_from": scope.low,
        "judged_to": scope.high,
        **{outcome: account.outcomes[outcome] for outcome in OUTCOMES},
        "in_flight": account.in_flight,
        "missing": account.missing.count + account.deleted.count,
        "forgotten": account.forgotten,
        "gaps": [*account.deleted.named, *account.missing.named],
        "deleted": account.deleted.count,
        "doubled": account.doubled.named,
        "dead_without_letter": account.letterless.named,
    }
