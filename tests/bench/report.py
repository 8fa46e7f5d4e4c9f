"""Writes what a run found: the result as JSON, tables into docs/performance.md between its markers, and plots.

What stands outside the markers is prose, and is kept.
"""

import os
import platform
import re
import subprocess
from pathlib import Path

import msgspec
import psutil
from msgspec import Struct

from deploy.local.files import write_atomically
from tests.bench.bars import bars
from tests.bench.figures import Part
from tests.bench.plots import draw
from tests.bench.roles import ROOT

_FIGURES = {
    "cpu_us": "CPU µs",
    "receiver_us": "receiver µs",
    "worker_us": "worker µs",
    "postgres_us": "Postgres µs",
    "together_us": "worker + Postgres µs",
    "kafka_us": "Kafka µs",
    "pushes_per_s": "pushes/s",
    "drained_per_s": "drained/s",
    "wal_bytes": "WAL bytes",
    "rss_mib": "memory MiB",
    "worker_rss_mib": "worker MiB",
    "receiver_rss_mib": "receiver MiB",
    "row_p50_ms": "to row p50 ms",
    "row_p99_ms": "to row p99 ms",
    "row_p999_ms": "to row p99.9 ms",
    "row_max_ms": "to row most ms",
    "ack_p50_ms": "ack p50 ms",
    "ack_p99_ms": "ack p99 ms",
    "p50_ms": "p50 ms",
    "p99_ms": "p99 ms",
    "p999_ms": "p99.9 ms",
    "ready_s": "ready s",
    "consuming_s": "consuming s",
    "stored_after_s": "all stored after s",
    "refused": "refused",
    "lost": "lost",
}


class Result(Struct):
    machine: str
    commit: str
    parts: dict[str, Part]


def write_report(docs: Path, part: Part) -> None:
    """Put a part into the report; the other parts stay as they are."""
    folder = docs / "performance"
    folder.mkdir(parents=True, exist_ok=True)
    file = folder / "result.json"
    parts = msgspec.json.decode(file.read_bytes(), type=Result).parts if file.exists() else {}
    result = Result(machine=_machine(), commit=_commit(), parts=parts | {part.name: part})
    write_atomically(file, msgspec.json.format(msgspec.json.encode(result)).decode() + "\n")
    draw(result.parts, folder)
    page = docs / "performance.md"
    text = page.read_text(encoding="utf-8") if page.exists() else "# Performance\n"
    text = _put(text, "bars", _bars(result))
    for one in result.parts.values():
        text = _put(text, one.name, _table(one, folder))
    write_atomically(page, text)


def _put(text: str, name: str, content: str) -> str:
    """Replace what stands between the markers of this name; they are added at the end if they are missing."""
    begin, end = f"<!-- bench {name} -->", f"<!-- end of {name} -->"
    block = f"{begin}\n{content}\n{end}"
    if begin not in text:
        return f"{text.rstrip()}\n\n{block}\n"
    return re.sub(f"{re.escape(begin)}.*?{re.escape(end)}", lambda _: block, text, flags=re.DOTALL)


def _bars(result: Result) -> str:
    rows = [bar.row() for bar in bars(result.parts, os.cpu_count() or 1)]
    head = [
        f"{result.machine}; commit {result.commit}.",
        "",
        "| what | measured | bar | met |",
        "|---|---|---|---|",
    ]
    return "\n".join([*head, *rows])


def _table(part: Part, folder: Path) -> str:
    figures = [name for name in _FIGURES if any(name in case for case in part.cases.values())]
    rounds = f"{part.rounds} round{'s' * (part.rounds > 1)}"
    lines = [
        f"Taken {part.taken_at} in {part.seconds:.0f} s, {rounds}: median (least–most).",
        f"Others used {part.foreign_cores} cores; {part.repeated_for_disturbance} measurements were taken again for that.",
        *part.notes,
        "",
        "| | " + " | ".join(_FIGURES[name] for name in figures) + " |",
        "|---" * (len(figures) + 1) + "|",
    ]
    for case, found in part.cases.items():
        cells = [str(found[name]) if name in found else "" for name in figures]
        lines.append(f"| {case} | " + " | ".join(cells) + " |")
    plots = sorted(folder.glob(f"{part.name}-*.svg"))
    lines += ["", *(f"![{plot.stem}]({folder.name}/{plot.name})" for plot in plots)] if plots else []
    return "\n".join(lines)


def _machine() -> str:
    memory_gib = psutil.virtual_memory().total / 2**30
    return f"{os.cpu_count()} cores, {memory_gib:.0f} GiB, {_processor()}, Python {platform.python_version()}"


def _processor() -> str:
    lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    return next(
        (line.partition(":")[2].strip() for line in lines if line.startswith("model name")),
        platform.machine(),
    )


def _commit() -> str:
    found = subprocess.run(
        ["git", "describe", "--always", "--dirty"], cwd=ROOT, capture_output=True, text=True, check=False
    )
    return found.stdout.strip() or "unknown"
