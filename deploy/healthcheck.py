"""`python -m deploy.healthcheck`: asks the process of this container whether it is ready; the image's HEALTHCHECK.

Exits with 0 if it is, else with 1 and the reason, which `docker inspect` shows.
"""

import os
import sys
from http.client import HTTPConnection, HTTPException

from schemas.settings import host_port

TIMEOUT_S = 4.0
_EVERY_ADDRESS = {"0.0.0.0", "::", ""}  # noqa: S104 -- what a process listens on, which nobody can connect to


def check(admin_listen: str) -> str | None:
    """None if the process that listens there is ready, else the reason."""
    host, port = host_port(admin_listen)
    connection = HTTPConnection("localhost" if host in _EVERY_ADDRESS else host, port, timeout=TIMEOUT_S)
    try:
        connection.request("GET", "/readyz")
        answer = connection.getresponse()
        body = answer.read().decode(errors="replace")
    except (OSError, HTTPException) as exc:
        return f"nothing answers on {admin_listen}: {exc}"
    finally:
        connection.close()
    return None if answer.status == 200 else body


def main() -> int:
    reason = check(os.environ["TCCC_ADMIN_LISTEN"])
    if reason is not None:
        print(reason, file=sys.stderr)  # noqa: T201 -- its only output
    return 0 if reason is None else 1


if __name__ == "__main__":
    sys.exit(main())
