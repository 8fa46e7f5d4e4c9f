"""Part `growth`: a worker's rate as the tables grow, with random SessionIds; one round for each size."""

from functools import partial

from tests.bench.base import Base
from tests.bench.lag import drain, project
from tests.bench.part_whole import TABLES
from tests.bench.rounds import Rounds
from tests.bench.run import Run
from tests.bench.services import database, empty

_TEMPLATE = 20_000


async def measure_growth(run: Run) -> Rounds:
    """Just after a checkpoint, when the most pages are written whole; the same for each size."""
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
            filled = await run.services.fill(run.options.records * 2, seed=101 + number)
            await connection.execute("CHECKPOINT")
            await rounds.attempt(f"{size:,} sessions", partial(drain, run, project(), filled, keep=True))
            await run.services.drop_topics([filled.topic])
    await empty(run.services, TABLES)
    await run.services.drop_topics([template.topic])
    return rounds
