"""Prints a run of the table of bad input, in full for a terminal and in short for the documentation."""

from collections import Counter
from itertools import groupby

from tests.hostile.case import Case
from tests.hostile.running import Ran, Verdict


def table(ran: Ran) -> str:
    lines = []
    for number, verdict in enumerate(ran.verdicts, 1):
        lines.append(f"{number:4} {_title(verdict.case)}")
        lines.append(f"     expected {_short(verdict.case.answer, verdict.case.ends)}")
        lines.append(f"     seen     {_short(verdict.answer, verdict.ends)}")
        lines += [f"     DIFFERS  {difference}" for difference in verdict.differences]
    for name, (before, after) in ran.memory_mib.items():
        lines.append(f"{name}: {before:.0f} MiB before, {after:.0f} MiB after")
    lines += [f"logged: {line}" for line in ran.defects]
    lines.append(f"{len(ran.verdicts)} cases, {len(ran.differing)} differ")
    return "\n".join(lines)


def summary(ran: Ran) -> str:
    """The groups of cases, with how they are answered and how they end, as a page of Markdown."""
    lines = [
        "# Hostile input: what was tried, and what came of it",
        "",
        "Written by `python -m tests.hostile --markdown docs/hostile.md`, which sends each case of the table in",
        "`tests/hostile` through a real socket to a running receiver, or straight to the topic, and compares the answer,",
        "what becomes of the connection, the record, the dead letter, the ledger and the row with what the table",
        "expects. Columns of rows are compared too; they stand in the table. `make test` does the same.",
        "",
        "| bad input | cases | answer (status, ErrCode, connection) | ends |",
        "|---|---|---|---|",
    ]
    for group in dict.fromkeys(verdict.case.group for verdict in ran.verdicts):
        members = [verdict for verdict in ran.verdicts if verdict.case.group == group]
        lines.append(
            f"| {group} | {len(members)} | {_counted(members, 'answer')} | {_counted(members, 'ends')} |"
        )
    memory = ", ".join(
        f"{name} {before:.0f} → {after:.0f}" for name, (before, after) in ran.memory_mib.items()
    )
    lines += ["", f"Resident memory in MiB, before and after: {memory}."]
    lines += ["", f"{len(ran.verdicts)} cases, {len(ran.differing)} differ."]
    lines += ["", *_BESIDE]
    return "\n".join(lines) + "\n"


_BESIDE = (
    "Not in the table: what meets the console (services that are away or hang, wrong passwords, databases that are not",
    "migrated or too new, missing topics, an interrupted replay) stands in `tests/integration/test_doctor.py`,",
    "`test_console.py` and `test_dead.py`; thousands of slow clients at once in `python -m tests.hostile.slow`.",
    "",
    "Not withstood: a record that somebody else writes to `tccc.push` with a header whose name is not UTF-8 (aiokafka",
    "cannot read it, and the worker ends), or compressed to under the topic's limit from over 3 MiB and dead (its letter",
    "is too large for the dead-letter topic, and the worker waits). Neither can come through a receiver: only those whom",
    "you trust may write to the topic.",
)


def _counted(members: list[Verdict], what: str) -> str:
    counts = Counter(_shortened(getattr(verdict, what)) for verdict in members)
    if set(counts) == {""}:
        return "(straight to the topic)"
    return "; ".join(f"{text} × {count}" if len(counts) > 1 else text for text, count in counts.most_common())


def _title(case: Case) -> str:
    return f"{case.group}: {case.name}"


def _short(answer: str, ends: str) -> str:
    return " · ".join(part for part in (_shortened(answer), _shortened(ends)) if part)


def _shortened(text: str) -> str:
    """With runs of the same answer counted."""
    runs = [(one, len(list(run))) for one, run in groupby(text.split(", "))]
    return ", ".join(
        f"{one} ({count} times)" if count > 2 else ", ".join([one] * count) for one, count in runs
    )
