"""Compares the ledger with the offsets that were passed: a record without its row is what must never be.

Of each partition it looks at the newest records only, which costs milliseconds; `tccc audit` looks at all.
"""

import asyncio

import structlog

from schemas.errors import TcccError
from schemas.settings import Settings
from worker import migrate
from worker.consumer import Consumer
from worker.database import Connection, Database, translated
from worker.metrics import Metrics

log = structlog.get_logger(__name__)

EVERY_S = 60.0
NEWEST = 5000


async def watch(settings: Settings, consumer: Consumer, metrics: Metrics) -> None:
    """Keep the metric true for as long as the worker runs; with Kafka or the database away it stays as it was."""
    database = Database(settings.database_url, timeout_s=settings.store_timeout_s, prepare=migrate.check)
    while True:
        try:
            settled = await consumer.settled()
            async with database.connection() as connection:
                missing = {p: await missing_of(connection, p, done) for p, done in settled.items()}
        except TcccError as exc:  # whatever it is, storing goes on
            log.info("ledger not compared", reason=str(exc))
        else:
            metrics.ledger_missing.clear()
            for partition, records in missing.items():
                metrics.ledger_missing.labels(partition).set(records)
        finally:
            database.close()
        await asyncio.sleep(EVERY_S)


async def missing_of(connection: Connection, partition: int, settled: range) -> int:
    """How many of the newest settled offsets the ledger lacks. Raises DatabaseAway."""
    newest = settled[-NEWEST:]
    with translated():
        found: int = await connection.fetchval(_FOUND, partition, newest.start, newest.stop)
    return len(newest) - found


# Of a topic that was made anew the ledger may hold an offset twice.
_FOUND = """
SELECT count(DISTINCT kafka_offset) FROM tccc.push
WHERE kafka_partition = $1 AND kafka_offset >= $2 AND kafka_offset < $3
"""
