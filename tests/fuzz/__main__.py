"""Fuzzing from the command line: `python -m tests.fuzz [--count N] [--seed S] [--target …] [--guided]`.

Sends seeded mutations of good bodies through decode, normalise, store (a real Postgres) and http (a running
receiver), and prints how they ended. --guided lets atheris choose the bodies by the code that they reach (decode
and normalise only). Exit status 1 if any input ended as none may.
"""

import argparse
import asyncio
import logging
import subprocess
import sys
import tempfile
from collections.abc import Callable
from importlib.util import find_spec
from pathlib import Path
from random import Random
from typing import Any

import structlog

from schemas.settings import Settings
from tests import services
from tests.fuzz import laws, wire
from tests.fuzz.counting import OTHERWISE, Tally, shown
from tests.fuzz.inputs import Inputs
from tests.fuzz.storing import own_store

SHARES = {"decode": 0.4, "normalise": 0.3, "store": 0.3, "http": 0.003}
BATCH_RECORDS = 2000
AT_ONCE = 32


def main() -> int:
    arguments = _parse()
    if arguments.guided:
        words = ["--count", str(arguments.count), "--seed", str(arguments.seed)]
        return subprocess.run([sys.executable, "-m", "tests.fuzz.guided", *words], check=False).returncode
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.CRITICAL))
    logging.disable(logging.CRITICAL)
    tallies = [asyncio.run(_fuzz(target, arguments)) for target in arguments.target.split(",")]
    print(shown(tallies))
    return 1 if any(tally.ends[OTHERWISE] for tally in tallies) else 0


def _parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tests.fuzz", description=__doc__)
    parser.add_argument("--count", type=int, default=1_000_000, help="inputs in all; http gets 0.3 % on top")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--target", default="decode,normalise,store,http")
    parser.add_argument("--guided", action="store_true", help="coverage-guided, with atheris")
    arguments = parser.parse_args()
    if arguments.guided and find_spec("atheris") is None:
        parser.error("--guided needs atheris, of which there is no wheel for this system or this Python")
    return arguments


async def _fuzz(target: str, arguments: argparse.Namespace) -> Tally:
    inputs = Inputs(Random(f"{arguments.seed} {target}"))
    tally = Tally(target)
    count = max(1, round(arguments.count * SHARES[target]))
    match target:
        case "decode":
            _each(tally, count, lambda _: inputs.request(), laws.decode)
        case "normalise":
            _each(tally, count, inputs.record, lambda record: laws.normalised(record)[:2])
        case "store":
            await _store(tally, count, inputs)
        case _:
            await _exchange(tally, count, inputs)
    return tally


def _each(
    tally: Tally, count: int, make: Callable[[int], Any], law: Callable[[Any], tuple[str, str]]
) -> None:
    for number in range(count):
        sent = make(number)
        try:
            tally.note(*law(sent))
        except Exception as exc:  # whatever it is: it is what we look for
            tally.broke(number, exc, sent)


async def _store(tally: Tally, count: int, inputs: Inputs) -> None:
    with tempfile.TemporaryDirectory(prefix="tccc-fuzz-") as home, services.postgres(Path(home)) as url:
        async with own_store(url) as store:
            for start in range(0, count, BATCH_RECORDS):
                records = [
                    inputs.record(offset) for offset in range(start, min(count, start + BATCH_RECORDS))
                ]
                try:
                    for (end, reason), many in (await store.settle(records)).items():
                        tally.note(end, reason, many)
                except Exception as exc:
                    tally.broke(start, exc, f"a batch of {len(records)}")


async def _exchange(tally: Tally, count: int, inputs: Inputs) -> None:
    async def one(number: int, raw: bytes) -> None:
        try:
            tally.note(*await wire.exchange(port, raw))
        except Exception as exc:
            tally.broke(number, exc, raw)

    with tempfile.TemporaryDirectory(prefix="tccc-fuzz-") as home, services.kafka(Path(home)) as bootstrap:
        settings = Settings(kafka_bootstrap=bootstrap, spool_dir=f"{home}/spool")
        async with wire.receiver(settings) as (role, port):
            for start in range(0, count, AT_ONCE):
                some = [inputs.wire() for _ in range(min(AT_ONCE, count - start))]
                await asyncio.gather(*[one(start + number, raw) for number, raw in enumerate(some)])
            if any(line.get("event") == "request_failed" for line in role.log):
                tally.broke(count, AssertionError("the receiver logged request_failed"), "")


if __name__ == "__main__":
    sys.exit(main())
