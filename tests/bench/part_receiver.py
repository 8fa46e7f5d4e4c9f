"""Part `receiver`: a push's cost and its acknowledgement's latency, beside the peers, all on the same Kafka."""

import asyncio
import os
import sys
from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from functools import partial

from msgspec import Struct

from deploy.local.ports import free_port
from schemas.settings import host_port
from tests.bench.counters import cpu_s, rss_mib
from tests.bench.figures import Sample
from tests.bench.roles import peer, receivers
from tests.bench.rounds import Rounds
from tests.bench.run import Run

CLOSED_S = 2.5
FIXED_S = 2.5
FIXED_RATE = 3000
BUSY_RATE = 8000  # of which one process is busy: where a second one begins to make sense
HALF_RATE = BUSY_RATE // 2  # what each of two takes of that
OURS = {"receiver": 1, "two receivers": 2}
# What two processes cost that do next to nothing.
READERS = {"read and answer": 1, "two that read and answer": 2}
_WARM_S = 2.0
_PEERS = "tests.bench.peers"
_UVICORN = ["--loop", "uvloop", "--http", "httptools", "--no-access-log", "--log-level", "warning"]


class Contender(Struct, frozen=True):
    """A receiver under test: where it listens, its processes, and the topic that it fills, if any."""

    name: str
    port: int
    pids: list[int]
    topic: str


async def measure_receiver(run: Run) -> Rounds:
    rounds = run.rounds("receiver")
    rounds.note(f"The load generator is the {run.generator_name} one.")
    async with AsyncExitStack() as stack:
        contenders = [c async for c in _contenders(run, stack, rounds)]
        for contender in contenders:
            await run.generator.run(contender.port, seconds=_WARM_S)
        closed = [c for c in contenders if len(c.pids) == 1]
        fixed = [c for c in contenders if c.name not in READERS]
        scaled = [c for c in contenders if c.name in OURS or c.name in READERS]
        cases = {f"{c.name}, closed loop": partial(push, run, c, CLOSED_S, 0) for c in closed}
        cases |= {f"{c.name}, {FIXED_RATE}/s": partial(push, run, c, FIXED_S, FIXED_RATE) for c in fixed}
        alone = [c for c in scaled if len(c.pids) == 1]
        cases |= {f"{c.name}, {HALF_RATE}/s": partial(push, run, c, FIXED_S, HALF_RATE) for c in alone}
        cases |= {f"{c.name}, {BUSY_RATE}/s": partial(push, run, c, FIXED_S, BUSY_RATE) for c in scaled}
        await rounds.interleave(cases)
    await run.services.drop_topics(c.topic for c in contenders if c.topic)
    return rounds


async def push(run: Run, contender: Contender, seconds: float, rate: float) -> Sample:
    """Push, and account for it: `lost` is what was acknowledged and is not in the topic."""
    services = run.services
    before = await services.end_offsets(contender.topic) if contender.topic else 0
    own_s, kafka_s = cpu_s(contender.pids), services.kafka_cpu_s()
    load = await run.generator.run(contender.port, seconds=seconds, rate=rate)
    own_s, kafka_s = cpu_s(contender.pids) - own_s, services.kafka_cpu_s() - kafka_s
    after = await services.end_offsets(contender.topic) if contender.topic else load.ok
    if not load.ok:
        raise RuntimeError(f"{contender.name} took nothing")
    return {
        "cpu_us": own_s / load.ok * 1e6,
        "kafka_us": kafka_s / load.ok * 1e6,
        "pushes_per_s": load.rate,
        "p50_ms": load.p50_ms,
        "p99_ms": load.p99_ms,
        "p999_ms": load.p999_ms,
        "rss_mib": rss_mib(contender.pids),
        "refused": load.failed,
        "lost": max(0, load.ok - (after - before)),
    }


async def _contenders(run: Run, stack: AsyncExitStack, rounds: Rounds) -> AsyncIterator[Contender]:
    """All of them run at once; who is not being measured has nothing to do."""
    for name, count in OURS.items():
        yield await stack.enter_async_context(project(run, name, count))
    for name, command in peer_commands(run).items():
        try:
            yield await stack.enter_async_context(_peer(run, name, command))
        except (RuntimeError, TimeoutError, OSError) as exc:
            rounds.note(f"{name} did not start: {exc}")


@asynccontextmanager
async def project(
    run: Run, name: str = "receiver", count: int = 1, partitions: int = 6
) -> AsyncIterator[Contender]:
    topic = await run.services.make_topic(partitions)
    settings = run.services.on_topic(topic, partitions, **run.receiver_settings)
    async with receivers(run.services, settings, count) as roles:
        await asyncio.gather(*(one.wait_ready() for one in roles))
        port = host_port(roles[0].settings.listen)[1]
        yield Contender(name=name, port=port, pids=[one.pid for one in roles], topic=topic)


def peer_commands(run: Run) -> dict[str, Sequence[str]]:
    """Each listens on PORT, and publishes to TOPIC at BOOTSTRAP."""
    python = [sys.executable, "-m"]
    commands: dict[str, Sequence[str]] = {
        "FastAPI": [*python, "uvicorn", f"{_PEERS}.fastapi_confluent:app", "--port", "{port}", *_UVICORN],
        "naive aiohttp": [*python, f"{_PEERS}.aiohttp_naive"],
        "group commit": [*python, f"{_PEERS}.group_commit"],
        **{name: [*python, f"{_PEERS}.group_commit"] for name in READERS},
    }
    if run.programs is not None:
        commands["Go"] = [str(run.programs / "receiver")]
    return commands


@asynccontextmanager
async def _peer(run: Run, name: str, command: Sequence[str]) -> AsyncIterator[Contender]:
    port = free_port()
    topic = "" if name in READERS else await run.services.make_topic()
    environ = {
        "PORT": str(port),
        "TOPIC": topic,
        "BOOTSTRAP": run.services.kafka.bootstrap,
        "GOMAXPROCS": _cores(),
    }
    words = [word.format(port=port) for word in command]
    file_name = "peer-" + name.replace(" ", "-")
    async with AsyncExitStack() as stack:
        pids = [
            await stack.enter_async_context(peer(run.services, f"{file_name}-{n}", words, environ, port=port))
            for n in range(READERS.get(name, 1))
        ]
        yield Contender(name=name, port=port, pids=pids, topic=topic)


def _cores() -> str:
    return str(os.cpu_count() or 1)
