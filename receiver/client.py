"""Makes Kafka clients that know the topics, and gets rid of those that are of no use, within bounded times."""

import asyncio

import structlog
from aiokafka import AIOKafkaClient
from aiokafka.errors import KafkaError

from runtime.kafka import client_options
from runtime.kafka_access import require_access, why_away
from schemas.errors import AccessRefused, BrokerAway
from schemas.settings import Settings

CONNECT_TIMEOUT_S = 5.0
CLOSE_TIMEOUT_S = 3.0
METADATA_MAX_AGE_MS = 30_000

log = structlog.get_logger()


async def connect(settings: Settings, topics: tuple[str, ...]) -> AIOKafkaClient:
    """A client that knows all the topics; raises BrokerAway, within CONNECT_TIMEOUT_S or so."""
    client = AIOKafkaClient(
        **client_options(settings),
        metadata_max_age_ms=METADATA_MAX_AGE_MS,
        # How long a request that we gave up at the ack time-out is waited for; no deadline of ours.
        request_timeout_ms=round(max(3.0, 4 * settings.ack_timeout_s) * 1000),
    )
    try:
        async with asyncio.timeout(CONNECT_TIMEOUT_S):
            await client.bootstrap()
            await client.set_topics(topics)
            missing = [name for name in topics if not client.cluster.partitions_for_topic(name)]
    except (KafkaError, OSError, TimeoutError) as exc:
        await close(client)
        raise BrokerAway(await why_away(settings, exc)) from exc
    except asyncio.CancelledError:
        await close(client)
        raise
    if missing:
        await close(client)
        try:  # aiokafka takes brokers that it cannot ask, beyond the first, for such that know no topic
            await require_access(settings)
        except AccessRefused as exc:
            raise BrokerAway(str(exc)) from exc
        raise BrokerAway(f"topics missing: {', '.join(missing)}; run 'tccc topics'")
    return client


async def close(client: AIOKafkaClient) -> None:
    """Close its connections, and thereby end what waits for their answers; not longer than a while. Never raises."""
    closing = asyncio.ensure_future(client.close())
    await asyncio.wait([closing], timeout=CLOSE_TIMEOUT_S)
    if not closing.done():
        log.warning("client_abandoned", timeout_s=CLOSE_TIMEOUT_S)
        closing.cancel()
        await asyncio.wait([closing], timeout=1.0)
    if closing.done() and not closing.cancelled() and (error := closing.exception()) is not None:
        log.warning("client_close_failed", error=type(error).__name__)
