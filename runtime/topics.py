"""Creates the project's two topics where they are missing."""

import asyncio
from typing import Any

from aiokafka.admin import AIOKafkaAdminClient, NewTopic
from aiokafka.errors import KafkaError, TopicAlreadyExistsError, for_code

from runtime.kafka import MAX_DEAD_RECORD_BYTES, MAX_RECORD_BYTES, client_options
from runtime.kafka_access import why_away
from schemas.errors import BrokerAway, OperatorError
from schemas.settings import Settings

REQUEST_TIMEOUT_MS = 15_000
VISIBLE_TIMEOUT_S = 15.0
_AGAIN_S = 0.05


async def ensure_topics(settings: Settings) -> list[str]:
    """Create what is missing; returns the names of what was, once its partitions are known to the brokers.

    May be run twice, and by two at once; a topic that exists is never altered. Raises BrokerAway, or
    OperatorError if the brokers refuse to create one.
    """
    admin = AIOKafkaAdminClient(**client_options(settings), request_timeout_ms=REQUEST_TIMEOUT_MS)
    try:
        await admin.start()
        existing = await admin.list_topics()
        missing = [topic for topic in wanted_topics(settings) if topic.name not in existing]
        created = [topic.name for topic in missing if await _create(admin, topic)]
        async with asyncio.timeout(VISIBLE_TIMEOUT_S):
            for topic in missing:
                while not await _visible(admin, topic.name):
                    await asyncio.sleep(_AGAIN_S)
    except (KafkaError, TimeoutError) as exc:
        raise BrokerAway(await why_away(settings, exc)) from exc
    else:
        return created
    finally:
        await admin.close()


def wanted_topics(settings: Settings) -> list[NewTopic]:
    """Both topics, as the settings would have them."""

    def topic(name: str, *, retention_ms: int, max_bytes: int) -> NewTopic:
        return NewTopic(
            name,
            settings.topic_partitions,
            settings.topic_replication,
            topic_configs={
                "cleanup.policy": "delete",
                "retention.ms": str(retention_ms),
                "max.message.bytes": str(max_bytes),
                "min.insync.replicas": str(settings.min_insync_replicas),
            },
        )

    return [
        topic(settings.kafka_topic, retention_ms=settings.topic_retention_ms, max_bytes=MAX_RECORD_BYTES),
        topic(
            settings.kafka_dead_topic,
            retention_ms=settings.dead_topic_retention_ms,
            max_bytes=MAX_DEAD_RECORD_BYTES,
        ),
    ]


async def _create(admin: AIOKafkaAdminClient, wanted: NewTopic) -> bool:
    """False if another was quicker."""
    response: Any = await admin.create_topics([wanted])
    for _name, code, message in response.topic_errors:
        error = for_code(code)
        if error is TopicAlreadyExistsError:
            return False
        if code:
            raise OperatorError(f"topic {wanted.name} cannot be created: {message or error.__name__}")
    return True


async def _visible(admin: AIOKafkaAdminClient, name: str) -> bool:
    """A broker may know of a topic later than the controller that made it."""
    described = (await admin.describe_topics([name]))[0]
    return not described["error_code"] and bool(described["partitions"])
