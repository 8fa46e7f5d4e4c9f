"""Part `growth`: a worker's rate as the tables grow, with random SessionIds; one round for each size."""

from functools import partial

from tests.bench.base import Base
from tests.bench.lag import drain, project
from tests.bench.part_whole import TABLES
from tests.bench.rounds import Rounds
from tests.bench.run import Run
from tests.bench.services import database, empty

AFTER_CHECKPOINT = ", just after a checkpoint"
_TEMPLATE = 20_000


async def measure_growth(run: Run) -> Rounds:
    """For each size twice: just after a checkpoint, when the most pages are written whole, and then once more."""
    rounds = run.rounds("growth", 1, repeats=0)  # a second try would find the first one's rows
    await empty(run.services, TABLES)
    template = await run.services.fill(_TEMPLATE, seed=100)
    await drain(run, project(), template)
    async with database(run.services) as connection:
        base = Base(connection)
        await base.take_template()
        held = 0
        for number, size in enumerate(run.options.bases):
            if size > held:
                await base.add(size - held)
                held = size
            topics = [
                await run.services.fill(run.options.records * 2, seed=101 + 2 * number + turn)
                for turn in (0, 1)
            ]
            await connection.execute("CHECKPOINT")
            for filled, when in zip(topics, (AFTER_CHECKPOINT, ""), strict=True):
                measure = partial(drain, run, project(), filled, keep=True)
                await rounds.attempt(f"{size:,} sessions{when}", measure)
            await run.services.drop_topics([filled.topic for filled in topics])
    await empty(run.services, TABLES)
    await run.services.drop_topics([template.topic])
    return rounds
