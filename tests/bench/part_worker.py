"""Parts `worker`, `workers` and `partitions`: rate and cost at lag, beside the peers, and what more of either gives."""

import asyncio
from contextlib import AsyncExitStack
from functools import partial

from schemas.errors import OperatorError
from tests.bench.connect import TABLE, connect
from tests.bench.lag import Worker, debezium, drain, project, python_peer
from tests.bench.limits import copy_finished_rows, decode
from tests.bench.part_receiver import CLOSED_S, push
from tests.bench.part_receiver import project as receiver
from tests.bench.peers.flat import TABLES
from tests.bench.rounds import Measure, Rounds
from tests.bench.run import Run
from tests.bench.services import Filled, database, execute

DEBEZIUM_BATCH = 500
WORKERS = (1, 2, 4)
PARTITIONS = (1, 6, 24)
_WARM_TIMEOUT_S = 120.0


async def measure_worker(run: Run) -> Rounds:
    rounds = run.rounds("worker")
    await execute(run.services.postgres.url, *(table.ddl() for table in TABLES))
    filled = await run.services.fill(run.options.records)
    async with AsyncExitStack() as stack:
        contenders: dict[str, Worker] = {
            "worker": project(),
            "two workers": project(2),
            "COPY, no ledger": python_peer("copy_staging"),
            "executemany": python_peer("executemany"),
        }
        try:
            running = await stack.enter_async_context(connect(run.services))
            async with running.sink(filled.topic, DEBEZIUM_BATCH):  # makes its table, and warms the JVM
                await _wait_filled(run, filled)
            contenders["Debezium sink"] = debezium(running, DEBEZIUM_BATCH)
        except (OperatorError, RuntimeError, TimeoutError) as exc:
            rounds.note(f"The Debezium sink did not start: {exc}")
        cases: dict[str, Measure] = {
            name: partial(drain, run, worker, filled) for name, worker in contenders.items()
        }
        cases["limit: decoding"] = partial(decode, run)
        cases["limit: COPY of finished rows"] = partial(copy_finished_rows, run)
        await rounds.interleave(cases)
    await run.services.drop_topics([filled.topic])
    return rounds


async def measure_workers(run: Run) -> Rounds:
    """1, 2 and 4 workers on 6 partitions."""
    rounds = run.rounds("workers", min(3, run.options.rounds))
    filled = await run.services.fill(run.options.records)
    cases: dict[str, Measure] = {
        f"{count} worker{'s' * (count > 1)}": partial(drain, run, project(count), filled) for count in WORKERS
    }
    await rounds.interleave(cases)
    await run.services.drop_topics([filled.topic])
    return rounds


async def measure_partitions(run: Run) -> Rounds:
    """1, 6 and 24 partitions: a receiver fills them, a worker drains them."""
    rounds = run.rounds("partitions", 1)
    for count in PARTITIONS:
        async with receiver(run, partitions=count) as contender:
            await run.generator.run(contender.port, seconds=1)
            await rounds.attempt(f"receiver, {count}", partial(push, run, contender, CLOSED_S, 0))
        filled = await run.services.fill(run.options.records, partitions=count)
        await rounds.attempt(f"worker, {count}", partial(drain, run, project(), filled))
        await run.services.drop_topics([contender.topic, filled.topic])
    return rounds


async def _wait_filled(run: Run, filled: Filled) -> None:
    """The sink makes its table itself, with its first batch."""
    async with asyncio.timeout(_WARM_TIMEOUT_S), database(run.services) as connection:
        while not await connection.fetchval("SELECT to_regclass($1)", TABLE) or (
            await connection.fetchval(f"SELECT count(*) FROM {TABLE}") < filled.records
        ):
            await asyncio.sleep(0.5)
