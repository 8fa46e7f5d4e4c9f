"""The limits that a worker cannot pass: decoding alone, and COPY of rows that are ready into tables with keys."""

import io
import time

from tests.bench.bodies import bodies
from tests.bench.figures import Sample
from tests.bench.peers import flat
from tests.bench.peers.flat import CALLS, TABLES
from tests.bench.run import Run
from tests.bench.services import database, empty

_BODIES = 10_000
_HELD = 500  # as many are alive at a time as in a batch


async def decode(_run: Run) -> Sample:
    """One msgspec Struct a push."""
    values = list(bodies(_BODIES))
    started = time.process_time()
    for first in range(0, _BODIES, _HELD):
        _ = [flat.decode(value) for value in values[first : first + _HELD]]
    return {"worker_us": (time.process_time() - started) / _BODIES * 1e6}


async def copy_finished_rows(run: Run) -> Sample:
    """Put back what a peer has left in its tables: one COPY for each, in a transaction of its own."""
    async with database(run.services) as connection:
        contents = {table.name: io.BytesIO() for table in TABLES}
        for name, content in contents.items():
            await connection.copy_from_table(name, output=content)
            content.seek(0)
        pushes = await connection.fetchval(f"SELECT count(*) FROM {CALLS.name}")
        await empty(run.services, list(contents))
        started, postgres_s = time.perf_counter(), run.services.postgres_cpu_s()
        for name, content in contents.items():
            await connection.copy_to_table(name, source=content)
        elapsed_s = time.perf_counter() - started
        postgres_s = run.services.postgres_cpu_s() - postgres_s
    return {"postgres_us": postgres_s / pushes * 1e6, "pushes_per_s": pushes / elapsed_s}
