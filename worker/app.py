"""Assembles a worker and serves until it is asked to stop."""

import asyncio
import contextlib
import gc
import random
from collections.abc import Awaitable, Callable, Coroutine, Sequence
from contextlib import AsyncExitStack
from functools import partial
from typing import Any

import structlog

from runtime.admin import admin_server
from runtime.kafka_access import require_access
from runtime.signals import Stop, stop_on_signals
from runtime.tracing import tracing
from schemas.errors import AccessRefused, DependencyAway, TcccError
from schemas.settings import Settings
from worker import balance, ledger, migrate, rollup, store
from worker.beside import report
from worker.consumer import Consumer
from worker.database import Database
from worker.dead_letters import DeadLetters
from worker.dead_ratio import DeadRatio
from worker.drift import Drift
from worker.loop import Loop
from worker.metrics import Metrics
from worker.settler import Settler
from worker.tracing import TracedSettler

log = structlog.get_logger(__name__)

DEFAULT_ADMIN = "127.0.0.1:9465"
RETRY_S = 1.0
MAINTAIN_S = 3600.0
PROBE_TIMEOUT_S = 2.0
COLLECT_EVERY = 500_000  # objects more than before that could be in a circle: some batches' worth

Work = Coroutine[Any, Any, None]


async def serve(settings: Settings) -> None:
    """Work until SIGTERM or SIGINT.

    Raises OperatorError if the database and this program do not fit, or where Kafka or the database refuse us at
    the start; later that is waited out.
    """
    stop = stop_on_signals()
    metrics = Metrics()
    metrics.topic_retention.set(settings.topic_retention_ms / 1000)
    await require_access(settings)
    async with AsyncExitStack() as stack:
        spans = await stack.enter_async_context(tracing(settings, "worker"))
        database = Database(settings.database_url, timeout_s=settings.store_timeout_s, prepare=store.prepare)
        stack.callback(database.close)
        dead_letters = DeadLetters(settings)
        stack.push_async_callback(dead_letters.close)
        make_settler = partial(TracedSettler, spans, settings) if spans else Settler
        drift = Drift()
        settler = make_settler(database, dead_letters, metrics, DeadRatio(settings.dead_max_ratio), drift)
        loop = Loop(settler, metrics, revoke_grace_s=settings.revoke_grace_s, stuck_s=settings.stuck_s)
        consumer = Consumer(settings, on_revoked=loop.revoked, on_assigned=metrics.rebalances.inc)
        stack.push_async_callback(consumer.stop)

        async def ready() -> str | None:
            return await _unready(settings, consumer, settler, stop)

        url = await stack.enter_async_context(
            admin_server(settings.admin_listen or DEFAULT_ADMIN, ready=ready, registry=metrics.registry)
        )
        log.info("started", role="worker", admin=url, group=settings.kafka_group)
        if not await _persist(settler.probe, stop) or not await _persist(consumer.start, stop):
            return
        _tune_collector()
        beside = [loop.observe(consumer), _maintain(settings), report(settings, drift, metrics)]
        beside += [rollup.keep(settings), balance.watch(settings, consumer, metrics)]
        await _run(loop.run(consumer, stop.requested), beside, stop)
        log.info("stopping", role="worker")


def _tune_collector() -> None:
    """Nothing of a batch is in a circle: the collector would look through it, again and again, for nothing."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(COLLECT_EVERY, 10, 10)


async def _run(loop: Work, others: Sequence[Work], stop: Stop) -> None:
    """The loop with what goes on beside it; the first of them to fail ends them all."""
    beside = [asyncio.create_task(other) for other in others]
    work = asyncio.create_task(loop)
    hurry = asyncio.create_task(stop.again.wait())
    try:
        done, _ = await asyncio.wait({work, hurry, *beside}, return_when=asyncio.FIRST_COMPLETED)
        for task in done:
            task.result()
    finally:
        for task in (work, hurry, *beside):
            task.cancel()
        await asyncio.gather(work, hurry, *beside, return_exceptions=True)


async def _persist(attempt: Callable[[], Awaitable[None]], stop: Stop) -> bool:
    """Try until it succeeds (True) or we are asked to stop (False): an outage is no reason to die."""
    while not stop.requested.is_set():
        try:
            await attempt()
        except DependencyAway as exc:
            log.warning("waiting to start", reason=str(exc))
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(stop.wait(), random.uniform(RETRY_S / 2, RETRY_S))  # noqa: S311
        else:
            return True
    return False


async def _unready(settings: Settings, consumer: Consumer, settler: Settler, stop: Stop) -> str | None:
    if stop.requested.is_set():
        return "stopping"
    if settler.away is not None:
        return settler.away
    if not consumer.joined:
        return "not a member of the consumer group yet"
    return await _database_fault(settings)


async def _database_fault(settings: Settings) -> str | None:
    """Ask on a connection of its own: the worker's may be in the middle of a batch."""
    probe = Database(settings.database_url, timeout_s=PROBE_TIMEOUT_S, prepare=migrate.check)
    try:
        async with asyncio.timeout(PROBE_TIMEOUT_S), probe.connection() as connection:
            await connection.execute("SELECT 1")
    except (DependencyAway, AccessRefused, TimeoutError) as exc:
        return f"the database does not answer: {exc}"
    finally:
        probe.close()
    return None


async def _maintain(settings: Settings) -> None:
    """Keep the ledger's partitions; a failure waits for the next round, the default partition takes all."""
    database = Database(settings.database_url, timeout_s=settings.store_timeout_s, prepare=migrate.check)
    while True:
        try:
            async with database.connection() as connection:
                for line in await ledger.maintain(connection, ledger_days=settings.ledger_days):
                    log.info("ledger maintained", detail=line)
        except TcccError as exc:  # whatever it is, storing goes on
            log.warning("ledger not maintained", reason=str(exc))
        finally:
            database.close()
        await asyncio.sleep(random.uniform(MAINTAIN_S / 2, MAINTAIN_S))  # noqa: S311
