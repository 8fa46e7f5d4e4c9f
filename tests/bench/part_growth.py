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
# Of the sessions that are there, so many more reach almost every page of the indexes that have random keys.
_ALL_PAGES = 1 / 10


async def measure_growth(run: Run) -> Rounds:
    """For each size twice: just after a checkpoint, and when each page has been written whole since then.

    Production passes from one to the other within a minute of the half hour between two checkpoints.
    """
    rounds = run.rounds("growth", 1, repeats=0)  # a second try would find the first one's rows
    await empty(run.services, TABLES)
    template = await run.services.fill(_TEMPLATE, seed=100)
    await drain(run, project(), template)
    async with database(run.services) as connection:
        # Postgres asks for them by itself; whether the system has any to give is the machine's.
        rounds.note(f"Huge pages for Postgres: {await connection.fetchval('SHOW huge_pages_status')}.")
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
            measures = [partial(drain, run, project(), filled, keep=True) for filled in topics]
            await connection.execute("CHECKPOINT")
            await rounds.attempt(f"{size:,} sessions{AFTER_CHECKPOINT}", measures[0])
            await base.add_in_place(round(size * _ALL_PAGES))
            await rounds.attempt(f"{size:,} sessions", measures[1])
            await run.services.drop_topics([filled.topic for filled in topics])
    await empty(run.services, TABLES)
    await run.services.drop_topics([template.topic])
    return rounds
