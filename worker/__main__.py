"""`python -m worker`: one worker, configured by the environment."""

import asyncio
import os
import sys

import structlog
import uvloop

from runtime import crash, logs
from schemas.errors import OperatorError, SettingsError
from schemas.settings import load
from worker.app import serve
from worker.loop import StuckError


def main() -> int:
    crash.without_data()
    try:
        settings = load(os.environ)
        logs.configure(settings)
        with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
            runner.run(serve(settings))
    except OperatorError as exc:
        print(f"tccc work: {exc}", file=sys.stderr)
        return 2 if isinstance(exc, SettingsError) else 1
    except StuckError as exc:
        structlog.get_logger(__name__).error("stuck", detail=str(exc))
        return 1
    except Exception:  # outermost: what kills us is told as everything else is, without its data
        structlog.get_logger(__name__).critical("crashed", exc_info=True)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
