"""Part `spool`: acknowledgements while Kafka is away, and what draining costs those who push meanwhile."""

import asyncio
import time

from schemas.settings import host_port
from tests.bench.figures import Sample
from tests.bench.load import Load
from tests.bench.roles import Role, receivers
from tests.bench.rounds import Rounds
from tests.bench.run import Run

AWAY_RATE = 1000
LIVE_RATE = 500
_SECONDS = 5.0
_FILL_S = 10.0
_POLL_S = 0.1
_DRAIN_TIMEOUT_S = 120.0
_NOTICE_TIMEOUT_S = 30.0


async def measure_spool(run: Run) -> Rounds:
    """One round: the broker is stopped and started again."""
    rounds = run.rounds("spool", 1)
    topic = await run.services.make_topic()
    settings = run.services.on_topic(topic, **run.receiver_settings)
    async with receivers(run.services, settings) as (receiver,):
        port = host_port(receiver.settings.listen)[1]

        async def calm() -> Sample:
            return _acks(await run.generator.run(port, seconds=_SECONDS, rate=LIVE_RATE))

        async def away() -> Sample:
            return _acks(await run.generator.run(port, seconds=_SECONDS, rate=AWAY_RATE))

        await calm()
        await rounds.take(f"calm, {LIVE_RATE}/s", calm)
        await asyncio.to_thread(run.services.kafka.stop_broker, 0)
        try:
            while await _connected(receiver):  # it is noticed when somebody pushes
                await run.generator.run(port, seconds=0.5, rate=100)
            await rounds.take(f"Kafka away, {AWAY_RATE}/s", away)
            await run.generator.run(port, seconds=_FILL_S)
            await rounds.take(f"draining, live {LIVE_RATE}/s", lambda: _drain(run, receiver, port))
        finally:
            await asyncio.to_thread(run.services.kafka.start_broker, 0)
    await run.services.drop_topics([topic])
    return rounds


async def _drain(run: Run, receiver: Role, port: int) -> Sample:
    """From the first record that leaves the spool to the last, with live pushes all the while.

    They go on for as long as a spool takes that is emptied at its highest rate, so that none comes after its end.
    """
    held = await receiver.metric("tccc_spool_records")
    live_s = held / receiver.settings.spool_drain_per_s
    live = asyncio.create_task(_live(run, receiver, port, live_s))
    starting = asyncio.create_task(asyncio.to_thread(run.services.kafka.start_broker, 0))
    first_left = 0.0
    async with asyncio.timeout(_DRAIN_TIMEOUT_S):
        while left := await receiver.metric("tccc_spool_records"):
            if not first_left and left < held:
                first_left = time.perf_counter()
                held = left
            await asyncio.sleep(_POLL_S)
    drained_s = time.perf_counter() - first_left
    await starting  # which may see the broker ready only now
    return {"drained_per_s": held / drained_s} | _acks(await live)


async def _live(run: Run, receiver: Role, port: int, seconds: float) -> Load:
    async with asyncio.timeout(_NOTICE_TIMEOUT_S):
        while not await _connected(receiver):
            await asyncio.sleep(_POLL_S)
    return await run.generator.run(port, seconds=seconds, rate=LIVE_RATE)


async def _connected(receiver: Role) -> bool:
    return bool(await receiver.metric("tccc_receiver_kafka_connected"))


def _acks(load: Load) -> dict[str, float]:
    return {
        "pushes_per_s": load.rate,
        "p50_ms": load.p50_ms,
        "p99_ms": load.p99_ms,
        "p999_ms": load.p999_ms,
        "refused": load.failed,
    }
