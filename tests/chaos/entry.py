"""Runs a receiver or a worker with its failpoints: `python -m tests.chaos.entry ROLE --arms DIR [--mutant NAME]`."""

import argparse
import sys
from pathlib import Path

from tests.chaos import seams
from tests.chaos.arms import Arms
from tests.chaos.mutants import MUTANTS


def main() -> int:
    parser = argparse.ArgumentParser()
    parser.add_argument("role", choices=("receiver", "worker"))
    parser.add_argument("--arms", type=Path, required=True)
    parser.add_argument("--mutant", choices=tuple(MUTANTS))
    arguments = parser.parse_args()
    arms = Arms(arguments.arms)
    seams.install_clock(arms)  # first: modules may take the clock's functions for their own
    if arguments.mutant:
        MUTANTS[arguments.mutant]()
    if arguments.role == "receiver":
        seams.install_receiver(arms)
        from receiver.__main__ import main as run
    else:
        seams.install_worker(arms)
        from worker.__main__ import main as run
    return run()


if __name__ == "__main__":
    sys.exit(main())
