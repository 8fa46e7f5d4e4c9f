"""The worker's consumer where it needs no Kafka."""

import asyncio
from collections.abc import AsyncIterator

import pytest

from schemas.settings import Settings
from worker.consumer import Consumer


async def nothing() -> None:
    pass


@pytest.fixture
async def consumer(monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Consumer]:
    """Its client waits for a task of its own that it has cancelled."""
    consumer = Consumer(Settings(), on_revoked=nothing, on_assigned=lambda: None)

    async def stop() -> None:
        fetch = asyncio.create_task(asyncio.sleep(60))
        await asyncio.sleep(0)
        fetch.cancel()
        await fetch

    with monkeypatch.context() as patched:
        patched.setattr(consumer._client, "stop", stop)
        yield consumer
    await consumer.stop()


async def test_a_fetch_that_the_client_cancels_does_not_end_the_worker(consumer: Consumer) -> None:
    await consumer.stop()


async def test_who_is_cancelled_while_it_stops_is_cancelled(consumer: Consumer) -> None:
    stopping = asyncio.create_task(consumer.stop())
    await asyncio.sleep(0)
    stopping.cancel()
    with pytest.raises(asyncio.CancelledError):
        await stopping
