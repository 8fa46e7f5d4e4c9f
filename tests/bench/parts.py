"""The parts of a run, in the order in which they are taken."""

from collections.abc import Awaitable, Callable

from tests.bench.part_growth import measure_growth
from tests.bench.part_receiver import measure_receiver
from tests.bench.part_spool import measure_spool
from tests.bench.part_start import measure_start
from tests.bench.part_tracing import measure_tracing
from tests.bench.part_whole import measure_whole
from tests.bench.part_worker import measure_partitions, measure_worker, measure_workers
from tests.bench.rounds import Rounds
from tests.bench.run import Run

PARTS: dict[str, Callable[[Run], Awaitable[Rounds]]] = {
    "receiver": measure_receiver,
    "worker": measure_worker,
    "workers": measure_workers,
    "partitions": measure_partitions,
    "spool": measure_spool,
    "start": measure_start,
    "whole": measure_whole,
    "tracing": measure_tracing,
    "growth": measure_growth,
}
