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


async def keep(settings: Settings) -> None:
    """Refresh for ever; a failure waits for the next round: answers are right without it, only slower."""
    if not settings.rollup_s:
        await asyncio.Event().wait()
    database = Database(settings.database_url, timeout_s=settings.store_timeout_s, prepare=migrate.check)
    try:
        while True:
            try:
                async with database.connection() as connection:
                    done = await refresh(connection)
            except TcccError as exc:  # whatever it is, storing goes on
                log.warning("roll-up not refreshed", reason=str(exc))
                done = 0
            if done < QUARTERS_AT_ONCE:
                await asyncio.sleep(random.uniform(settings.rollup_s / 2, settings.rollup_s))  # noqa: S311
    finally:
        database.close()


async def refresh(connection: Connection) -> int:
    """How many quarters of an hour were brought up to date; 0 also where another worker is at it.

    One transaction, so that a long refresh holds nobody up. Raises DatabaseAway.
    """
    with translated():
        return int(await connection.fetchval("SELECT tccc.rollup_refresh($1)", QUARTERS_AT_ONCE))
