"""Reads what processes cost: CPU time and memory of a process and its descendants, and who else used the machine."""

import contextlib
import os
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager

import psutil
from msgspec import Struct


def tree_cpu_s(pid: int) -> float:
    """User and system time of a process, its living descendants and those it has reaped; in steps of 10 ms."""
    total = 0.0
    for process in _tree(pid):
        with contextlib.suppress(psutil.Error):
            times = process.cpu_times()
            total += times.user + times.system + times.children_user + times.children_system
    return total


def cpu_s(pids: Iterable[int]) -> float:
    return sum(map(tree_cpu_s, pids))


def rss_mib(pids: Iterable[int]) -> float:
    """Resident memory of all the trees together; what they share counts for each."""
    total = 0
    for pid in pids:
        for process in _tree(pid):
            with contextlib.suppress(psutil.Error):
                total += process.memory_info().rss
    return total / 2**20


class Foreign(Struct):
    """How many cores were busy, on average, with processes that are not this run's."""

    cores: float = 0.0


@contextmanager
def watched() -> Iterator[Foreign]:
    """Measure the block; the figure is there when the block has ended."""
    foreign = Foreign()
    started, busy_s, own_s = time.monotonic(), _busy_s(), tree_cpu_s(os.getpid())
    yield foreign
    elapsed_s = max(0.01, time.monotonic() - started)
    foreign.cores = max(0.0, (_busy_s() - busy_s - (tree_cpu_s(os.getpid()) - own_s)) / elapsed_s)


def _tree(pid: int) -> list[psutil.Process]:
    try:
        process = psutil.Process(pid)
        return [process, *process.children(recursive=True)]
    except psutil.Error:
        return []


def _busy_s() -> float:
    times = psutil.cpu_times()
    return float(times.user + times.nice + times.system + times.irq + times.softirq)
