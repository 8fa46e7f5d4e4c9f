"""A record that was passed without its row in the ledger shows in the worker's comparison."""

from collections.abc import Awaitable, Callable
from typing import Any

from schemas.settings import Settings
from tests.pipeline import Database, cdr, produce
from tests.processes import running
from worker.balance import missing_of
from worker.consumer import Consumer
from worker.database import connected

Until = Callable[..., Awaitable[Any]]
RECORDS = 60


async def test_a_row_that_the_ledger_lost_is_missed(settings: Settings, eventually: Until) -> None:
    database = Database(settings)
    await produce(settings, [cdr(n) for n in range(RECORDS)])
    async with running("worker", settings) as worker:
        await eventually(lambda: database.has_settled(RECORDS))
        _, metrics = await worker.admin("/metrics")
        assert await worker.stop() == 0
    assert f"tccc_topic_retention_seconds {settings.topic_retention_ms / 1000}" in metrics
    settled = await _settled(settings, eventually)
    assert sum(map(len, settled.values())) == RECORDS
    assert await _missing(settings, settled) == 0
    await database.execute("DELETE FROM tccc.push WHERE push_id = 'u7'")
    assert await _missing(settings, settled) == 1


async def _settled(settings: Settings, eventually: Until) -> dict[int, range]:
    """As a worker that takes the partitions over sees it."""

    async def nothing() -> None: ...

    consumer = Consumer(settings, on_revoked=nothing, on_assigned=lambda: None)
    await consumer.start()
    try:
        await eventually(lambda: consumer.joined)
        return await consumer.settled()
    finally:
        await consumer.stop()


async def _missing(settings: Settings, settled: dict[int, range]) -> int:
    async with connected(settings.database_url) as connection:
        return sum([await missing_of(connection, p, done) for p, done in settled.items()])
