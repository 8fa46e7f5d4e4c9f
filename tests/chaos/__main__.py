"""Chaos from the command line: `python -m tests.chaos [COMMAND] …`.

(none)         a seeded run of faults on three brokers: --seed --duration --faults --rate
--mutants      the four defects, each of which has to be caught
kill-receiver  kill -9 of a receiver at random instants: --times [--kafka-away]
kill-worker    kill -9 of a worker as it passes a point: --times --at POINT

Exit status: 0 all held, 1 an invariant broke (or a defect was not caught), 3 void: a fault did not happen.
"""

import argparse
import asyncio
import logging
import shutil
import sys
import tempfile
from pathlib import Path

from tests.chaos.audit import Report
from tests.chaos.drill import Drill, catch, kill_receivers, kill_workers
from tests.chaos.fault import FAULTS
from tests.chaos.mount import can_mount
from tests.chaos.mutants import EXPOSED
from tests.chaos.run import Options, Outcome, run
from tests.chaos.schedule import plan
from tests.chaos.seams import WORKER_POINTS
from tests.chaos.services import drill_settings

SHOWN_FINDINGS = 20
HELD, BROKE, VOID = 0, 1, 3


def main() -> int:
    logging.getLogger("aiokafka").setLevel(logging.CRITICAL)  # what it complains of is meant to be
    arguments = _parse(sys.argv[1:])
    home = arguments.home or Path(tempfile.mkdtemp(prefix="tccc-chaos-"))
    status = asyncio.run(_perform(arguments, home))
    if status == HELD and not arguments.home:
        shutil.rmtree(home)
    else:
        print(f"logs, journal and schedule are in {home}")
    return status


def _parse(argv: list[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m tests.chaos",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("command", nargs="?", choices=("run", "kill-receiver", "kill-worker"), default="run")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--rate", type=float, default=200.0, help="pushes a second")
    parser.add_argument("--home", type=Path, help="an empty folder to work in; else a temporary one")
    parser.add_argument("--duration", type=float, default=60.0, help="seconds of faults")
    parser.add_argument("--faults", default="all", help=f"all, or some of: {', '.join(FAULTS)}")
    parser.add_argument("--mutants", action="store_true")
    parser.add_argument("--times", type=int, default=20)
    parser.add_argument("--kafka-away", action="store_true")
    parser.add_argument("--at", choices=WORKER_POINTS, default="after-commit")
    arguments = parser.parse_args(argv)
    arguments.faults = _possible() if arguments.faults == "all" else arguments.faults.split(",")
    if unknown := set(arguments.faults) - FAULTS.keys():
        parser.error(f"no such fault: {', '.join(sorted(unknown))}")
    return arguments


def _possible() -> list[str]:
    """All faults that this machine lets us inject; says which it does not."""
    left_out = [] if can_mount() else [one.name for one in FAULTS.values() if one.needs_small_disk]
    if left_out:
        print(f"no file system can be mounted here; left out: {', '.join(left_out)}")
    return [name for name in FAULTS if name not in left_out]


async def _perform(arguments: argparse.Namespace, home: Path) -> int:
    if arguments.mutants:
        return await _catch_mutants(arguments, home)
    if arguments.command == "run":
        return await _run(arguments, home)
    async with drill_settings(home) as settings:
        drill = Drill(settings=settings, home=home, seed=arguments.seed, rate_per_s=arguments.rate)
        if arguments.command == "kill-receiver":
            killed, report = await kill_receivers(
                drill, times=arguments.times, kafka_away=arguments.kafka_away
            )
        else:
            killed, report = await kill_workers(drill, times=arguments.times, points=[arguments.at])
    print(f"killed {killed} times")
    _show_report(report)
    if report.findings:
        return BROKE
    return HELD if killed >= arguments.times else VOID


async def _run(arguments: argparse.Namespace, home: Path) -> int:
    schedule = plan(arguments.seed, arguments.duration, arguments.faults)
    outcome = await run(Options(home=home, seed=arguments.seed, schedule=schedule, rate_per_s=arguments.rate))
    _show(outcome)
    if outcome.report.findings or outcome.breaches:
        return BROKE
    return VOID if outcome.voids else HELD


async def _catch_mutants(arguments: argparse.Namespace, home: Path) -> int:
    status = HELD
    for mutant in EXPOSED:
        place = home / mutant
        place.mkdir(parents=True)
        async with drill_settings(place) as settings:
            drill = Drill(settings=settings, home=place, seed=arguments.seed, rate_per_s=arguments.rate)
            found = await catch(drill, mutant)
        print(f"{mutant:24} {f'caught, {found} breaches' if found else 'NOT CAUGHT'}", flush=True)
        status = status if found else BROKE
    return status


def _show(outcome: Outcome) -> None:
    _show_report(outcome.report)
    for breach in outcome.breaches:
        print(f"BROKEN   {breach}")
    for name in outcome.voids:
        print(f"VOID     {name} did not happen")


def _show_report(report: Report) -> None:
    for name, count in (report.figures | report.breaches).items():
        print(f"{name:32} {count}")
    for finding in report.findings[:SHOWN_FINDINGS]:
        print(f"BROKEN   {finding.breach}: push {finding.push_id}: {finding.detail}")


if __name__ == "__main__":
    sys.exit(main())
