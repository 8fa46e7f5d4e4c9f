"""How the console reaches Postgres: one short visit under a deadline, with its faults told in words."""

import asyncio
import socket
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from urllib.parse import parse_qs, urlsplit

from schemas.errors import DatabaseAway
from schemas.settings import Settings
from worker.database import Connection, connected, translated

DEADLINE_S = 5.0
# SQLSTATE -> what is the matter, as the end of a sentence that begins with the database.
_STATES = {
    "25006": "is read-only: is it a standby?",
    "3F000": "has not been migrated: run 'tccc migrate'",
    "42501": "does not allow this to its user: grant the privileges, or use the owner of the schema tccc",
    "42P01": "has not been migrated: run 'tccc migrate'",
    "42703": "is older than this program: run 'tccc migrate'",
    "53300": "has no connection left: raise max_connections, or stop what holds them",
    "57P01": "is shutting down",
    "57P03": "is starting or stopping: try again in a moment",
}


@asynccontextmanager
async def visiting(settings: Settings, *, deadline_s: float = DEADLINE_S) -> AsyncIterator[Connection]:
    """Connect for a block of at most so long; raises DatabaseAway or OperatorError, in words for an operator."""
    with told(settings.database_url, deadline_s=deadline_s):
        async with asyncio.timeout(deadline_s), connected(settings.database_url) as connection:
            with translated():
                yield connection


@contextmanager
def told(url: str, *, deadline_s: float) -> Iterator[None]:
    """Put what goes wrong with this database into words, which never hold the password."""
    try:
        yield
    except TimeoutError as exc:
        raise DatabaseAway(f"the database {where(url)} did not answer within {deadline_s:.0f} s") from exc
    except DatabaseAway as exc:
        raise DatabaseAway(f"the database {where(url)} {_matter(exc)}") from exc


def where(url: str) -> str:
    """Its name and address, without user and password."""
    try:
        parts = urlsplit(url)
        host = parts.hostname or parse_qs(parts.query).get("host", ["localhost"])[0]
        return (
            f"{parts.path.removeprefix('/') or parts.username or ''} at {host}:{parts.port or 5432}".strip()
        )
    except ValueError:
        return "of TCCC_DATABASE_URL"


def _matter(away: DatabaseAway) -> str:
    cause = away.__cause__
    state = _STATES.get(getattr(cause, "sqlstate", None) or "")
    if state:
        return state
    if isinstance(cause, TimeoutError):
        return "did not answer in time: is the address right, and not behind a firewall?"
    if isinstance(cause, socket.gaierror):
        return "has a host name that is not known here: check TCCC_DATABASE_URL and the DNS"
    if isinstance(cause, OSError):
        return "cannot be reached: is Postgres running there, and TCCC_DATABASE_URL right?"
    return f"cannot be used: {away}"
