"""What a worker does beside its loop, seldom and on a connection of its own: writes drift, reads the watermark."""

import asyncio

import structlog

from schemas.errors import TcccError
from schemas.settings import Settings
from worker import migrate
from worker.database import Database, translated
from worker.drift import Drift
from worker.metrics import Metrics

log = structlog.get_logger(__name__)

EVERY_S = 3.0


async def report(settings: Settings, drift: Drift, metrics: Metrics) -> None:
    """For as long as the worker runs; while the database is away, what is to be written waits, bounded."""
    database = Database(settings.database_url, timeout_s=settings.store_timeout_s, prepare=migrate.check)
    try:
        while True:
            try:
                await report_once(database, drift, metrics)
            except TcccError as exc:  # whatever it is, storing goes on
                log.info("drift not written", reason=str(exc))
            await asyncio.sleep(EVERY_S)
    finally:
        database.close()


async def report_once(database: Database, drift: Drift, metrics: Metrics) -> None:
    """Raises DatabaseAway, or OperatorError."""
    async with database.connection() as connection:
        await drift.write(connection)
        with translated():
            until_s = await connection.fetchval(_RECONCILED)
    metrics.reconciled_until.set(until_s or 0)


# Of several contact centres, the one that is the furthest behind.
_RECONCILED = """
SELECT min(extract(epoch FROM complete_until))::float8 FROM tccc.reconciled WHERE complete_until > complete_from
"""
