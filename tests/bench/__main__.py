"""Measures the project beside its peers: `python -m tests.bench [PART…]`, all parts if none is named.

Writes docs/performance.md between its markers, and docs/performance/: the result as JSON, and plots. Parts that
are not measured this time keep what they had.
"""

import argparse
import asyncio
import logging
import sys
import tempfile
import traceback
from pathlib import Path

from tests.bench.part_profile import take_profiles
from tests.bench.parts import PARTS
from tests.bench.report import write_report
from tests.bench.roles import ROOT
from tests.bench.run import Options, prepare
from tests.bench.services import started

PROFILE = "profile"  # no part of a run: sampling costs what is measured


def main() -> int:
    arguments = _parse()
    logging.getLogger("aiokafka").setLevel(logging.CRITICAL)  # groups come and go here
    with tempfile.TemporaryDirectory(prefix="tccc-bench-", dir=arguments.home) as home:
        failed = asyncio.run(_measure(arguments, Path(home)))
    if failed:
        print(f"not measured: {', '.join(failed)}", file=sys.stderr)
    return 1 if failed else 0


def _parse() -> argparse.Namespace:
    defaults = Options()
    parser = argparse.ArgumentParser(
        prog="make bench", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("parts", nargs="*", metavar="PART", help=f"of {', '.join(PARTS)}; or {PROFILE}")
    parser.add_argument("--rounds", type=int, default=defaults.rounds)
    parser.add_argument("--repeats", type=int, default=defaults.repeats, help="of disturbed ones, in a part")
    parser.add_argument("--records", type=int, default=defaults.records, help="that a worker finds waiting")
    parser.add_argument(
        "--sustain-s", type=float, default=defaults.sustain_s, help="of the whole at full rate"
    )
    parser.add_argument("--bases", default=",".join(map(str, defaults.bases)), help="sessions, for growth")
    parser.add_argument("--docs", type=Path, default=ROOT / "docs", help="where the report is written")
    parser.add_argument("--home", type=Path, help="where data is kept meanwhile; 10 GB for growth")
    arguments = parser.parse_args()
    if unknown := set(arguments.parts) - PARTS.keys() - {PROFILE}:
        parser.error(f"no such part: {', '.join(sorted(unknown))}")
    return arguments


async def _measure(arguments: argparse.Namespace, home: Path) -> list[str]:
    options = Options(
        rounds=arguments.rounds,
        repeats=arguments.repeats,
        records=arguments.records,
        sustain_s=arguments.sustain_s,
        bases=tuple(map(int, arguments.bases.split(","))),
    )
    failed: list[str] = []
    async with started(home) as services:
        run = await prepare(options, services)
        for name in arguments.parts or PARTS:
            try:
                if name == PROFILE:
                    await take_profiles(run)
                    continue
                rounds = await PARTS[name](run)
            except Exception:  # outermost: what one part cannot measure must not cost the others
                failed.append(name)
                traceback.print_exc()
            else:
                write_report(arguments.docs, rounds.result())
    return failed


if __name__ == "__main__":
    sys.exit(main())
