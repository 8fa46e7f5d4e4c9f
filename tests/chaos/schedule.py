"""The schedule of a run: which faults come when and for how long, settled by the seed before the run begins."""

from pathlib import Path
from random import Random

import msgspec
from msgspec import Struct

from tests.chaos import (
    faults_brokers,
    faults_disks,
    faults_operator,
    faults_poison,
    faults_postgres,
    faults_receivers,
    faults_workers,
)
from tests.chaos.fault import FAULTS

CATALOGUE = (
    faults_brokers,
    faults_receivers,
    faults_workers,
    faults_postgres,
    faults_operator,
    faults_disks,
    faults_poison,
)  # imported, they enter themselves
RECOVERY_S = 6.0  # planned for between a fault and the next; a fault waits for the recovery from the last one


class Planned(Struct, frozen=True):
    """A fault to come `at_s` after the start; `seed` is that of its own chance."""

    at_s: float
    name: str
    hold_s: float
    seed: int


def plan(seed: int, duration_s: float, names: list[str]) -> list[Planned]:
    """All of the names in an order of chance, again and again until the time is over."""
    rng = Random(f"schedule/{seed}")
    schedule: list[Planned] = []
    at_s = 0.0
    while at_s < duration_s and names:
        for name in rng.sample(names, len(names)):
            hold_s = round(rng.uniform(*FAULTS[name].hold_s), 1)
            if at_s + hold_s > duration_s:
                return schedule
            schedule.append(Planned(round(at_s, 1), name, hold_s, rng.getrandbits(32)))
            at_s += hold_s + RECOVERY_S
    return schedule


def write(schedule: list[Planned], path: Path) -> None:
    path.write_bytes(msgspec.json.format(msgspec.json.encode(schedule), indent=1))
