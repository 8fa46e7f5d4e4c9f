"""`python -m receiver`: one receiver, from the environment, until a signal."""

import os
import sys

import structlog
import uvloop

from receiver.app import serve
from runtime import crash
from runtime.logs import configure
from schemas.errors import OperatorError, SettingsError
from schemas.settings import load


def main() -> int:
    crash.without_data()
    try:
        settings = load(os.environ)
        configure(settings)
        uvloop.run(serve(settings, lambda: load(os.environ)))
    except SettingsError as exc:
        print(f"tccc: {exc}", file=sys.stderr)
        return 2
    except OperatorError as exc:
        print(f"tccc: {exc}", file=sys.stderr)
        return 1
    except Exception:  # outermost: what kills us is told as everything else is, without its data
        structlog.get_logger(__name__).critical("crashed", exc_info=True)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
