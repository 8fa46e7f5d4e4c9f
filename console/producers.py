"""Gets rid of Kafka producers within a bounded time, whatever Kafka does."""

import asyncio

import structlog
from aiokafka import AIOKafkaProducer
from aiokafka.errors import KafkaError

STOP_TIMEOUT_S = 3.0

log = structlog.get_logger()


async def retire(producer: AIOKafkaProducer) -> None:
    """Stop a producer; what does not end in time is broken off. Never raises."""
    stopping = asyncio.ensure_future(producer.stop())
    done, _ = await asyncio.wait([stopping], timeout=STOP_TIMEOUT_S)
    if done:
        if not stopping.cancelled() and (error := stopping.exception()) is not None:
            log.warning("producer_stop_failed", error=type(error).__name__)
        return
    log.warning("producer_abandoned", timeout_s=STOP_TIMEOUT_S)
    await _break_off(producer, stopping)


async def _break_off(producer: AIOKafkaProducer, stopping: asyncio.Future[None]) -> None:
    """End what stop() waits for. aiokafka has no public way; without this its tasks would stay for ever."""
    batches = producer._message_accumulator  # noqa: SLF001 -- as the docstring says
    # A batch that waits for its next try is not among the pending ones, from which its end removes it.
    batches._pending_batches.update(*batches._batches.values())  # noqa: SLF001 -- as the docstring says
    batches.fail_all(KafkaError("given up"))
    tasks = [stopping, producer._sender.sender_task]  # noqa: SLF001 -- as the docstring says
    for _ in range(2):  # the first cancellation makes the sender wait for its requests, the second ends that
        pending = [task for task in tasks if task is not None and not task.done()]
        for task in pending:
            task.cancel()
        if pending:
            await asyncio.wait(pending, timeout=1.0)
    closing = asyncio.ensure_future(producer.client.close())
    await asyncio.wait([closing], timeout=1.0)
    for task in (*tasks, closing):
        if task is not None and task.done() and not task.cancelled():
            task.exception()  # seen, so that the loop does not complain of it
