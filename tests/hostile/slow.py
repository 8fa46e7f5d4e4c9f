"""Good pushes while thousands of clients are idle or slow: refusals, latency and memory, calm and under attack.

`python -m tests.hostile.slow --seconds 60 --connections 5000 --rate 500` prints what it saw, and ends with status 1
if a good push was refused.
"""

import argparse
import asyncio
import itertools
import sys
import tempfile
import time
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import msgspec
import psutil
from msgspec import Struct
from prometheus_client.parser import text_string_to_metric_families

from runtime.topics import ensure_topics
from schemas.settings import Settings
from tests import services
from tests.contract.http_cases import body, request
from tests.contract.wire import Wire, connected
from tests.processes import Role, port_of, running

CLIENTS = 32
SLOW_SHARE = 5  # one slow client beside so many idle ones
WATCH_EVERY_S = 0.5
BUILD_UP_S = 120.0


class Plan(Struct, frozen=True):
    seconds: float
    connections: int
    rate: int


class Phase(Struct, frozen=True):
    """What became of the good pushes, and of the receiver meanwhile: its most memory, its fewest connections.

    Latencies are counted from when a push was due. On a machine that is busy with other things they say little;
    `receiver_cpu_s` says what the receiver itself did.
    """

    answers: dict[str, int]
    p50_ms: float
    p99_ms: float
    longest_ms: float
    receiver_mib: float
    receiver_cpu_s: float
    connections: int


class Report(Struct, frozen=True):
    calm: Phase
    attack: Phase
    limit_hits: dict[str, int]

    @property
    def refused(self) -> int:
        answers = [*self.calm.answers.items(), *self.attack.answers.items()]
        return sum(count for answer, count in answers if answer != "200")


class Pushing:
    """Pushes at a rate, each at its own moment, whether or not those before it were answered."""

    def __init__(self, role: Role, port: int, rate: int) -> None:
        self._role = role
        self._port = port
        self._rate = rate
        self._numbers = itertools.count()

    async def phase(self, seconds: float) -> Phase:
        due: asyncio.Queue[float] = asyncio.Queue()
        took_s: list[float] = []
        answers: Counter[str] = Counter()
        seen: list[tuple[float, float]] = []
        helpers = [asyncio.create_task(self._client(due, took_s, answers)) for _ in range(CLIENTS)]
        helpers.append(asyncio.create_task(self._watch(seen)))
        cpu_s = self._cpu_s()
        start = time.perf_counter()
        for n in range(int(seconds * self._rate)):
            await asyncio.sleep(max(0.0, start + n / self._rate - time.perf_counter()))
            due.put_nowait(start + n / self._rate)
        await due.join()
        cpu_s = self._cpu_s() - cpu_s
        for helper in helpers:
            helper.cancel()
        await asyncio.gather(*helpers, return_exceptions=True)
        ordered = sorted(1000 * each for each in took_s)
        p50_ms, p99_ms, longest_ms = (
            round(ordered[int(part * (len(ordered) - 1))], 2) for part in (0.5, 0.99, 1)
        )
        memory_mib, connections = max(one for one, _ in seen), min(one for _, one in seen)
        return Phase(
            dict(answers), p50_ms, p99_ms, longest_ms, round(memory_mib, 1), round(cpu_s, 1), int(connections)
        )

    def _cpu_s(self) -> float:
        times = psutil.Process(self._role.process.pid).cpu_times()
        return float(times.user + times.system)

    async def _client(self, due: asyncio.Queue[float], took_s: list[float], answers: Counter[str]) -> None:
        while True:
            async with connected(self._port) as wire:
                answer = "200"
                while answer == "200":
                    at = await due.get()
                    answer = await self._push(wire)
                    answers[answer] += 1
                    took_s.append(time.perf_counter() - at)
                    due.task_done()

    async def _push(self, wire: Wire) -> str:
        session = f"slow-{next(self._numbers)}"
        try:
            answered = await wire.ask(request(sent=body(SessionId=session, Uui="x" * 1500)))
        except OSError:
            return "cut off"
        return "no answer" if answered is None else str(answered.status)

    async def _watch(self, seen: list[tuple[float, float]]) -> None:
        """Memory in MiB, and how many connections are open."""
        process = psutil.Process(self._role.process.pid)
        while True:
            open_ones = (await samples(self._role, "tccc_receiver_connections"))[""]
            seen.append((process.memory_info().rss / 2**20, open_ones))
            await asyncio.sleep(WATCH_EVERY_S)


async def measure(settings: Settings, plan: Plan) -> Report:
    """Start a receiver, push to it in calm, then under attack."""
    async with running("receiver", settings) as role:
        await role.event("kafka_connected")
        port = await port_of(role)
        pushing = Pushing(role, port, plan.rate)
        await pushing.phase(plan.seconds / 4)  # what is warm in production is warm here
        calm = await pushing.phase(plan.seconds)
        async with attacked(port, plan.connections):
            async with asyncio.timeout(BUILD_UP_S):
                while (await samples(role, "tccc_receiver_connections"))[""] < plan.connections:
                    await asyncio.sleep(WATCH_EVERY_S)
            attack = await pushing.phase(plan.seconds)
            hits = await samples(role, "tccc_receiver_limit_hits_total")
    return Report(calm, attack, {setting: int(count) for setting, count in hits.items() if count})


@asynccontextmanager
async def attacked(port: int, connections: int) -> AsyncIterator[None]:
    """So many idle clients, and beside them slow ones, for the length of the block."""
    argv = ["-m", "tests.hostile.slow_attack", str(port), str(connections), str(connections // SLOW_SHARE)]
    process = await asyncio.create_subprocess_exec(sys.executable, *argv)
    try:
        yield
        if process.returncode is not None:
            raise AssertionError(f"the attack ended by itself with status {process.returncode}")
    finally:
        if process.returncode is None:
            process.kill()
        await process.wait()


async def samples(role: Role, name: str) -> dict[str, float]:
    """A metric's values, by the value of its one label or ''."""
    text = (await role.admin("/metrics"))[1]
    found = (one for family in text_string_to_metric_families(text) for one in family.samples)
    return {next(iter(one.labels.values()), ""): one.value for one in found if one.name == name}


async def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.hostile.slow", description=__doc__)
    parser.add_argument("--seconds", type=float, default=60, help="of each of the two phases")
    parser.add_argument(
        "--connections", type=int, default=5000, help="idle ones; a fifth as many slow ones beside"
    )
    parser.add_argument("--rate", type=int, default=500, help="good pushes a second")
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        with services.kafka(folder) as bootstrap:
            settings = Settings(
                kafka_bootstrap=bootstrap,
                listen="127.0.0.1:0",
                admin_listen="127.0.0.1:0",
                drain_s=0,
                spool_dir=str(folder / "spool"),
            )
            await ensure_topics(settings)
            report = await measure(settings, Plan(asked.seconds, asked.connections, asked.rate))
    print(msgspec.json.format(msgspec.json.encode(report)).decode())
    ratio = report.attack.p99_ms / report.calm.p99_ms
    print(f"p99 under attack is {ratio:.2f} times that in calm; {report.refused} good pushes were refused")
    return 1 if report.refused else 0


if __name__ == "__main__":
    sys.exit(asyncio.run(main()))
