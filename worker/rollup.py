"""Keeps the roll-up that answers are read from: brings it up to date every so often, beside the worker's loop."""

import asyncio
import random

import structlog

from schemas.errors import TcccError
from schemas.settings import Settings
from worker import migrate
from worker.database import Connection, Database, translated

log = structlog.get_logger(__name__)

QUARTERS_AT_ONCE = 96  # a day: seconds of work even for a large centre
# A quarter that calls were written into a moment ago is left alone: the next batch would put it out of date again.
QUIET_S = 30.0
# How many times as long as a refresh took it rests: at most a twentieth of a core goes into roll-ups.
REST = 20


async def keep(settings: Settings) -> None:
    """Refresh for ever; a failure waits for the next round: answers are right without it, only slower."""
    clock = asyncio.get_running_loop().time
    if not settings.rollup_s:
        await asyncio.Event().wait()
    database = Database(settings.database_url, timeout_s=settings.store_timeout_s, prepare=migrate.check)
    try:
        while True:
            began = clock()
            try:
                async with database.connection() as connection:
                    done = await refresh(connection, quiet_s=QUIET_S)
            except TcccError as exc:  # whatever it is, storing goes on
                log.warning("roll-up not refreshed", reason=str(exc))
                done = 0
            wait_s = (clock() - began) * REST
            if done < QUARTERS_AT_ONCE:
                wait_s = max(wait_s, random.uniform(settings.rollup_s / 2, settings.rollup_s))  # noqa: S311
            await asyncio.sleep(wait_s)
    finally:
        database.close()


async def refresh(connection: Connection, *, quiet_s: float = 0.0) -> int:
    """How many quarters of an hour were brought up to date; 0 also where another worker is at it.

    Those that were marked less than `quiet_s` ago stay as they are.

    One transaction, so that a long refresh holds nobody up. Raises DatabaseAway.
    """
    with translated():
        return int(await connection.fetchval(_REFRESH, QUARTERS_AT_ONCE, quiet_s))


_REFRESH = "SELECT tccc.rollup_refresh($1, make_interval(secs => $2))"
