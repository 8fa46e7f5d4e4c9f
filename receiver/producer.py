"""Makes Kafka producers that are ready to be used, and gets rid of those that are not, within bounded times."""

import asyncio

import structlog
from aiokafka import AIOKafkaProducer
from aiokafka.errors import KafkaError

from runtime.kafka import client_options
from runtime.kafka_access import require_access, why_away
from schemas.errors import AccessRefused, BrokerAway
from schemas.settings import Settings

# A batch may hold more than one record up to this size. It stays well below the topics' max.message.bytes,
# and a larger one saves nothing: at 2 KB a record, 250 of them already share one request.
MAX_BATCH_BYTES = 512 * 1024
CONNECT_TIMEOUT_S = 5.0
STOP_TIMEOUT_S = 3.0
METADATA_MAX_AGE_MS = 30_000

log = structlog.get_logger()


async def connect(settings: Settings, topics: tuple[str, ...]) -> AIOKafkaProducer:
    """A started producer that knows all the topics; raises BrokerAway, within CONNECT_TIMEOUT_S or so.

    It is not idempotent: an idempotent aiokafka producer stays broken for a partition after one failed batch,
    and duplicates are settled at the row anyway.
    """
    producer = AIOKafkaProducer(
        **client_options(settings),
        acks="all",
        enable_idempotence=False,
        max_batch_size=MAX_BATCH_BYTES,
        metadata_max_age_ms=METADATA_MAX_AGE_MS,
        # How long aiokafka goes on with a batch that we gave up at the ack time-out; no deadline of ours.
        request_timeout_ms=round(max(3.0, 4 * settings.ack_timeout_s) * 1000),
    )
    try:
        async with asyncio.timeout(CONNECT_TIMEOUT_S):
            await producer.start()
            await producer.client.set_topics(topics)
            missing = [name for name in topics if not producer.client.cluster.partitions_for_topic(name)]
    except (KafkaError, OSError, TimeoutError) as exc:
        await retire(producer)
        raise BrokerAway(await why_away(settings, exc)) from exc
    except asyncio.CancelledError:
        await retire(producer)
        raise
    if missing:
        await retire(producer)
        try:  # aiokafka takes brokers that it cannot ask, beyond the first, for such that know no topic
            await require_access(settings)
        except AccessRefused as exc:
            raise BrokerAway(str(exc)) from exc
        raise BrokerAway(f"topics missing: {', '.join(missing)}; run 'tccc topics'")
    return producer


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
