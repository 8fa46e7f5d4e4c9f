"""Part `whole`: from HTTP to row, everything on this machine; latency at an easy rate, and a rate that is kept up.

A row's time is that of the commit that made it visible, as the server notes it (track_commit_timestamp).
"""

import asyncio
import time
from contextlib import AsyncExitStack

import asyncpg
from msgspec import Struct

from schemas.settings import Settings, host_port
from tests.bench.counters import cpu_s, rss_mib
from tests.bench.figures import Sample
from tests.bench.load import Load
from tests.bench.roles import Role, receivers, role
from tests.bench.rounds import Rounds
from tests.bench.run import Run
from tests.bench.services import database, empty

EASY_RATE = 500
EASY_S = 6.0
SUSTAINED_RATE = 5000
_SETTLE_TIMEOUT_S = 300.0
_POLL_S = 0.1
TABLES = ("tccc.call", "tccc.call_participant", "tccc.push")
_LATENCIES = """
    SELECT percentile_disc(ARRAY[0.5, 0.99, 0.999, 1]) WITHIN GROUP (
        ORDER BY extract(epoch FROM pg_xact_commit_timestamp(xmin) - received_at) * 1000
    ) FROM tccc.push
"""


class Pipeline(Struct, frozen=True):
    receiver: Role
    worker: Role
    connection: asyncpg.Connection

    @property
    def port(self) -> int:
        return host_port(self.receiver.settings.listen)[1]


async def measure_whole(run: Run) -> Rounds:
    rounds = run.rounds("whole")
    topic = await run.services.make_topic()
    async with AsyncExitStack() as stack:
        pipeline = await _started(run, stack, run.services.on_topic(topic, **run.receiver_settings))
        await flow(run, pipeline, EASY_RATE, 1.0)
        await rounds.interleave({f"{EASY_RATE}/s": lambda: flow(run, pipeline, EASY_RATE, EASY_S)})
        seconds = run.options.sustain_s
        await rounds.attempt(
            f"{SUSTAINED_RATE}/s for {seconds:.0f} s",
            lambda: flow(run, pipeline, SUSTAINED_RATE, seconds),
            repeat=False,  # it takes long
        )
    await run.services.drop_topics([topic])
    return rounds


async def _started(run: Run, stack: AsyncExitStack, settings: Settings) -> Pipeline:
    worker = await stack.enter_async_context(role(run.services, "worker", settings))
    (receiver,) = await stack.enter_async_context(receivers(run.services, settings))
    return Pipeline(receiver, worker, await stack.enter_async_context(database(run.services)))


async def flow(run: Run, pipeline: Pipeline, rate: float, seconds: float) -> Sample:
    """Push at a rate into empty tables, wait until all is stored, and account for it."""
    await empty(run.services, TABLES)
    before_s = _cpu(run, pipeline)
    load = await run.generator.run(pipeline.port, seconds=seconds, rate=rate)
    catching_up = time.perf_counter()
    await _wait_settled(pipeline, load)
    behind_s = time.perf_counter() - catching_up
    spent = {name: (after - before_s[name]) / load.ok * 1e6 for name, after in _cpu(run, pipeline).items()}
    p50, p99, p999, most = await pipeline.connection.fetchval(_LATENCIES)
    return {
        "pushes_per_s": load.rate,
        "row_p50_ms": float(p50),
        "row_p99_ms": float(p99),
        "row_p999_ms": float(p999),
        "row_max_ms": float(most),
        "ack_p50_ms": load.p50_ms,
        "ack_p99_ms": load.p99_ms,
        **spent,
        "worker_rss_mib": rss_mib([pipeline.worker.pid]),
        "receiver_rss_mib": rss_mib([pipeline.receiver.pid]),
        "refused": load.failed,
        "stored_after_s": behind_s,
    }


async def _wait_settled(pipeline: Pipeline, load: Load) -> None:
    """What was acknowledged is in the ledger; counted seldom where there is much of it."""
    async with asyncio.timeout(_SETTLE_TIMEOUT_S):
        while await pipeline.connection.fetchval("SELECT count(*) FROM tccc.push") < load.ok:
            await asyncio.sleep(_POLL_S)


def _cpu(run: Run, pipeline: Pipeline) -> dict[str, float]:
    return {
        "receiver_us": cpu_s([pipeline.receiver.pid]),
        "worker_us": cpu_s([pipeline.worker.pid]),
        "postgres_us": run.services.postgres_cpu_s(),
        "kafka_us": run.services.kafka_cpu_s(),
    }
