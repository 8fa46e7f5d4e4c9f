"""The table of bad input from the command line: `python -m tests.hostile [--markdown FILE]`.

Prints each case with its expected and its seen outcome; ends `N cases, M differ`. Exit status 1 if any does,
or if a process logged what no input may cause.
"""

import argparse
import asyncio
import logging
import sys
import tempfile
from pathlib import Path

from msgspec.structs import replace

from tests.chaos.services import drill_settings
from tests.hostile.report import summary, table
from tests.hostile.running import Ran, run
from tests.hostile.tables import ALL


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.hostile", description=__doc__)
    parser.add_argument("--markdown", type=Path, help="write a summary of the run into this file")
    arguments = parser.parse_args()
    logging.getLogger("aiokafka").setLevel(logging.CRITICAL)
    with tempfile.TemporaryDirectory(prefix="tccc-hostile-") as home:
        ran = asyncio.run(_run(Path(home)))
    print(table(ran))
    if arguments.markdown:
        arguments.markdown.write_text(summary(ran), encoding="utf-8")
    return 1 if ran.differing or ran.defects else 0


async def _run(home: Path) -> Ran:
    async with drill_settings(home) as settings:
        return await run(ALL, replace(settings, listen="127.0.0.1:0", admin_listen="127.0.0.1:0", drain_s=0))


if __name__ == "__main__":
    sys.exit(main())
