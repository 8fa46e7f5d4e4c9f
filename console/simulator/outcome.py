"""What a run shows of itself: each try where that is asked for, and its summary as a table or as JSON."""

import sys
from typing import IO, Any

import click
import msgspec
from msgspec import Struct
from rich.console import Console
from rich.table import Table

from console.simulator.session import Push
from console.simulator.tally import LATE_S, Summary
from console.simulator.vendor import Answer


class _Try(Struct, frozen=True):
    """One try of one push: a line of `tccc send --output`. `file` is there if the body came from one."""

    push_id: str
    action: str
    session_id: str
    status: int
    err_code: int | None
    fault: str
    latency_ms: float
    file: str | None = None


class Outcome:
    """Takes note of tries while they are made, and prints what came of them."""

    def __init__(self, *, file_of: dict[str, str], output: IO[bytes] | None, as_json: bool) -> None:
        """`file_of` has the file of a push id, and is empty for a simulation; `output` takes all tries."""
        self._file_of, self._output, self._as_json = file_of, output, as_json
        self._tries: list[_Try] = []

    def note(self, push: Push, answer: Answer, latency_s: float) -> None:
        tried = _Try(
            push_id=push.push_id,
            action=push.action,
            session_id=push.session_id,
            status=answer.status,
            err_code=answer.err_code,
            fault=answer.fault,
            latency_ms=round(latency_s * 1000, 3),
            file=self._file_of.get(push.push_id),
        )
        if self._output is not None:
            self._output.write(msgspec.json.encode(tried) + b"\n")
        if tried.file is None:
            return
        if self._as_json:
            self._tries.append(tried)
        else:
            click.echo(f"{tried.file}: {answer.status or answer.fault} {_one_line(answer.text)}".rstrip())

    def conclude(self, summary: Summary) -> None:
        if self._as_json:
            told: dict[str, Any] = msgspec.to_builtins(summary)
            if self._file_of:
                told["answers"] = self._tries
            click.echo(msgspec.json.encode(told).decode())
        elif not self._file_of:
            Console(file=sys.stdout, highlight=False).print(_table(summary))


def _one_line(text: str) -> str:
    """Return the text with what would move the cursor of a terminal made visible."""
    return "".join(
        character if character.isprintable() else repr(character)[1:-1] for character in text.strip()
    )


def _table(summary: Summary) -> Table:
    table = Table.grid(padding=(0, 2))
    for name, value in _rows(summary):
        table.add_row(name, value)
    return table


def _rows(summary: Summary) -> list[tuple[str, str]]:
    actions = ", ".join(f"{count:,} {action}" for action, count in summary.by_action.items())
    rows = [
        ("sent", f"{summary.sent:,} ({actions})" if actions else "0"),
        ("duplicates", f"{summary.duplicates:,} of them"),
        ("taken", f"{summary.taken:,}"),
        ("not taken", f"{summary.not_taken:,}"),
        ("tried again", f"{summary.retried:,}"),
        ("sessions", f"{summary.sessions:,} calls, {summary.chats:,} chats"),
        ("rate", f"{summary.rate_per_s:,.0f} pushes/s for {summary.elapsed_s:,.1f} s"),
    ]
    if (latency := summary.latency_ms) is not None:
        parts = f"p50 {latency.p50}  p90 {latency.p90}  p99 {latency.p99}  p99.9 {latency.p999}  max {latency.max}"
        rows.append(("latency, ms", parts))
    rows += [(f"refused {reason}", f"{count:,} tries") for reason, count in summary.refusals.items()]
    if summary.late:
        behind = f"{summary.late:,} pushes left over {LATE_S} s after they were due, {summary.behind_s:,.1f} s at worst"
        rows.append(("fell behind", behind))
    rows.append(("seed", str(summary.seed)))
    if summary.interrupted:
        rows.append(("interrupted", "this is what was done until then"))
    return rows
