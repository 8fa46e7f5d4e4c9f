"""Part `profile`, taken only when it is named: where receiver and worker spend their time, sampled by py-spy.

Only samples of threads that hold Python's lock count: who waits for the network or for work is not busy. Who is
put off the processor by another process in the middle of a system call seems busy: take it on a calm machine.
"""

import asyncio
import shutil
import sys
from collections import Counter
from pathlib import Path

from tests.bench.part_receiver import project
from tests.bench.part_whole import TABLES
from tests.bench.roles import ROOT, role
from tests.bench.run import Run
from tests.bench.services import empty

FOLDER = ROOT / "docs" / "profiles"
_SECONDS = 6
_SAMPLES_PER_S = 500
_SHOWN = 40


async def take_profiles(run: Run) -> None:
    """Write docs/profiles/: a receiver under a closed loop of pushes, and a worker at lag."""
    FOLDER.mkdir(parents=True, exist_ok=True)
    async with project(run) as receiver:
        await run.generator.run(receiver.port, seconds=2)
        load = asyncio.create_task(run.generator.run(receiver.port, seconds=_SECONDS + 2))
        await _profile(run, receiver.pids[0], FOLDER / "receiver.txt")
        await load
    await empty(run.services, TABLES)
    filled = await run.services.fill(4 * run.options.records)
    async with role(run.services, "worker", run.services.on_topic(filled.topic)) as worker:
        await _profile(run, worker.pid, FOLDER / "worker.txt")
    await run.services.drop_topics([receiver.topic, filled.topic])


async def _profile(run: Run, pid: int, out: Path) -> None:
    sampler = shutil.which("py-spy", path=str(Path(sys.executable).parent))
    if sampler is None:
        raise RuntimeError("py-spy is not there: run by 'make bench'")
    raw = run.services.home / "stacks"
    words = ["record", "--pid", str(pid), "--duration", str(_SECONDS), "--rate", str(_SAMPLES_PER_S)]
    words += ["--gil", "--function", "--format", "raw", "--output", str(raw)]
    process = await asyncio.create_subprocess_exec(sampler, *words, stdout=asyncio.subprocess.DEVNULL)
    if await process.wait():
        raise RuntimeError("py-spy could not sample: it needs the right to trace processes")
    _sum_up(raw, out)


def _sum_up(raw: Path, out: Path) -> None:
    out.write_text(summary(raw.read_text(encoding="utf-8")), encoding="utf-8")


def summary(stacks: str) -> str:
    """By function: its own samples, and those in which it stood anywhere on the stack; in per cent."""
    own: Counter[str] = Counter()
    within: Counter[str] = Counter()
    for line in stacks.splitlines():
        stack, _, count = line.rpartition(" ")
        functions = stack.split(";")
        own[functions[-1]] += int(count)
        for function in set(functions):
            within[function] += int(count)
    samples = own.total() or 1
    lines = [f"{own.total()} samples of threads that hold the interpreter's lock"]
    for title, counts in (("itself", own), ("with what it calls", within)):
        lines += ["", f"  %    {title}"]
        lines += [f"{count / samples:6.1%} {function}" for function, count in counts.most_common(_SHOWN)]
    return "\n".join(lines) + "\n"
