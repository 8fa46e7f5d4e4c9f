"""Chaos in short: a seeded run of faults on three brokers, drills, and the four defects that have to be caught."""

import asyncio
from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest

from tests.chaos.drill import Drill, catch, kill_receivers, kill_workers
from tests.chaos.mutants import EXPOSED
from tests.chaos.run import Options, run
from tests.chaos.schedule import plan
from tests.chaos.seams import WORKER_POINTS
from tests.chaos.services import make_settings
from tests.chaos.stack import Size

QUICK = (
    *("brokers-frozen", "kafka-connections-reset", "receiver-killed-kafka-away", "receiver-stopped"),
    *("postgres-killed", "postgres-commit-lost", "worker-killed-in-copy", "leader-killed"),
)
FAULTS_S = 40.0

MakeDrill = Callable[[str], Awaitable[Drill]]


@pytest.fixture
def make_drill(postgres_url: str, kafka_bootstrap: str, tmp_path: Path) -> MakeDrill:
    async def make(name: str) -> Drill:
        home = tmp_path / name
        home.mkdir()
        return Drill(settings=await make_settings(home, postgres_url, kafka_bootstrap), home=home)

    return make


@pytest.mark.own_services("kills and freezes brokers and the database")
@pytest.mark.timeout(300)
async def test_nothing_acknowledged_is_lost_whatever_happens(tmp_path: Path) -> None:
    options = Options(
        home=tmp_path,
        seed=7,
        schedule=plan(7, FAULTS_S, list(QUICK)),
        rate_per_s=120,
        size=Size(durable_postgres=False),
    )
    outcome = await run(options)
    assert outcome.voids == []
    assert outcome.breaches == []
    assert outcome.report.findings == []
    assert outcome.report.figures["acknowledged"] > 2000


@pytest.mark.timeout(240)
async def test_who_is_killed_loses_and_doubles_nothing(make_drill: MakeDrill) -> None:
    """The drills wait more than they work: all at once."""
    drills = [await make_drill(name) for name in ("kafka-up", "kafka-away", "workers")]
    up, away, workers = await asyncio.gather(
        kill_receivers(drills[0], times=5, kafka_away=False),
        kill_receivers(drills[1], times=5, kafka_away=True),
        kill_workers(drills[2], times=1, points=WORKER_POINTS),
    )
    assert (up[0], away[0], workers[0]) == (5, 5, len(WORKER_POINTS))
    assert [report.findings for _, report in (up, away, workers)] == [[], [], []]


@pytest.mark.timeout(240)
async def test_every_defect_is_caught(make_drill: MakeDrill) -> None:
    drills = {mutant: await make_drill(mutant) for mutant in EXPOSED}
    found = await asyncio.gather(*[catch(drill, mutant) for mutant, drill in drills.items()])
    assert [mutant for mutant, breaches in zip(EXPOSED, found, strict=True) if not breaches] == []
