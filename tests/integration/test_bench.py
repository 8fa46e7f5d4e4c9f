"""The bench in short: one tiny round of receiver and worker, by what was counted and not by how long it took."""

from pathlib import Path

import pytest

from tests.bench.figures import Part
from tests.bench.lag import drain
from tests.bench.lag import project as worker
from tests.bench.part_receiver import project as receiver
from tests.bench.part_receiver import push
from tests.bench.report import write_report
from tests.bench.rounds import Rounds
from tests.bench.run import Options, Run, prepare
from tests.bench.services import started

RECORDS = 300


@pytest.mark.own_services("measures processes on this machine")
async def test_a_round_of_receiver_and_worker(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "/usr/bin:/bin")  # no Go: the Python generator, and nothing to build
    async with started(tmp_path, fast=True) as services:
        run = await prepare(Options(rounds=1, repeats=0, bodies=50), services)
        receiving, working = await _receive(run), await _work(run)
    assert receiving.cases["receiver"]["lost"].max == 0
    assert receiving.cases["receiver"]["refused"].max == 0
    assert receiving.notes == working.notes == []
    docs = tmp_path / "docs"
    page = docs / "performance.md"
    docs.mkdir()
    page.write_text("# Prose\n\n<!-- bench worker -->\nold\n<!-- end of worker -->\n\nMore.\n")
    for part in (receiving, working):
        write_report(docs, part)
    text = page.read_text()
    assert text.startswith("# Prose\n\n<!-- bench worker -->\nTaken ")
    assert "old" not in text
    assert "\n\nMore.\n" in text
    assert "| worker: its own CPU a push, µs | " in text


async def _receive(run: Run) -> Part:
    rounds = Rounds("receiver", 1, repeats=0)
    async with receiver(run) as contender:
        await rounds.interleave({"receiver": lambda: push(run, contender, seconds=1.0, rate=RECORDS)})
    return rounds.result()


async def _work(run: Run) -> Part:
    """`drain` raises unless every push has its row."""
    rounds = Rounds("worker", 1, repeats=0)
    filled = await run.services.fill(RECORDS)
    await rounds.interleave({"worker": lambda: drain(run, worker(), filled)})
    return rounds.result()
