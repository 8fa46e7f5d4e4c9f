"""Part `start`: how long a receiver takes until it is ready, and a worker until it consumes, on running services."""

import asyncio
import time

from tests.bench.figures import Sample
from tests.bench.part_whole import TABLES
from tests.bench.roles import spawn, stop
from tests.bench.rounds import Rounds
from tests.bench.run import Run
from tests.bench.services import Filled, database, empty

_PUSHES = 500
_POLL_S = 0.01
_TIMEOUT_S = 60.0


async def measure_start(run: Run) -> Rounds:
    rounds = run.rounds("start")
    filled = await run.services.fill(_PUSHES)
    await rounds.interleave(
        {
            "receiver": lambda: _receiver(run, filled.topic),
            "worker": lambda: _worker(run, filled),
        }
    )
    await run.services.drop_topics([filled.topic])
    return rounds


async def _receiver(run: Run, topic: str) -> Sample:
    started = time.perf_counter()
    role = spawn(run.services, "receiver", run.services.on_topic(topic, listen="127.0.0.1:0"))
    try:
        await role.wait_ready()
        return {"ready_s": time.perf_counter() - started}
    finally:
        await stop(role.child)


async def _worker(run: Run, filled: Filled) -> Sample:
    """Ready is: a member of its group, and its database answers. Consuming is: its first row is there."""
    await empty(run.services, TABLES)
    started = time.perf_counter()
    role = spawn(run.services, "worker", run.services.on_topic(filled.topic))
    try:
        async with database(run.services) as connection, asyncio.timeout(_TIMEOUT_S):
            while not await connection.fetchval("SELECT EXISTS (SELECT FROM tccc.push)"):
                await asyncio.sleep(_POLL_S)
            consuming_s = time.perf_counter() - started
        await role.wait_ready()
        return {"ready_s": time.perf_counter() - started, "consuming_s": consuming_s}
    finally:
        await stop(role.child)
