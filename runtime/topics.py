"""Creates the project's two topics where they are missing, and says where they differ from the settings."""

from typing import Any

from aiokafka.admin import AIOKafkaAdminClient, NewTopic
from aiokafka.admin.config_resource import ConfigResource, ConfigResourceType
from aiokafka.errors import KafkaError, TopicAlreadyExistsError, for_code
from msgspec import Struct

from runtime.kafka import MAX_DEAD_RECORD_BYTES, MAX_RECORD_BYTES, client_options
from schemas.errors import BrokerAway, OperatorError
from schemas.settings import Settings

REQUEST_TIMEOUT_MS = 15_000


class TopicState(Struct, frozen=True):
    """A topic as it is now. `differences` are sentences, empty where it is as the settings say."""

    name: str
    created: bool
    partitions: int
    differences: list[str]


async def ensure_topics(settings: Settings, *, create: bool = True) -> list[TopicState]:
    """Create what is missing and compare the rest; may be run twice, and by two at once.

    An existing topic is never altered. Raises BrokerAway, or OperatorError if a topic is missing and
    `create` is false, or if the brokers refuse to create it.
    """
    admin = AIOKafkaAdminClient(**client_options(settings), request_timeout_ms=REQUEST_TIMEOUT_MS)
    try:
        await admin.start()
        states = []
        for wanted in wanted_topics(settings):
            states.append(await _ensure(admin, wanted, create=create))
    except KafkaError as exc:
        raise BrokerAway(f"no answer from TCCC_KAFKA_BOOTSTRAP: {type(exc).__name__}") from exc
    else:
        return states
    finally:
        await admin.close()


def wanted_topics(settings: Settings) -> list[NewTopic]:
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


async def _ensure(admin: AIOKafkaAdminClient, wanted: NewTopic, *, create: bool) -> TopicState:
    created = wanted.name not in await admin.list_topics()
    if created and not create:
        raise OperatorError(f"topic {wanted.name} is missing: run 'tccc topics'")
    if created:
        created = await _create(admin, wanted)
    described = (await admin.describe_topics([wanted.name]))[0]
    differences = [] if created else await _differences(admin, wanted, described)
    return TopicState(wanted.name, created, len(described["partitions"]), differences)


async def _create(admin: AIOKafkaAdminClient, wanted: NewTopic) -> bool:
    response: Any = await admin.create_topics([wanted])
    for _name, code, message in response.topic_errors:
        error = for_code(code)
        if error is TopicAlreadyExistsError:  # another was quicker
            return False
        if code:
            raise OperatorError(f"topic {wanted.name} cannot be created: {message or error.__name__}")
    return True


async def _differences(admin: AIOKafkaAdminClient, wanted: NewTopic, described: dict[str, Any]) -> list[str]:
    found: list[str] = []
    partitions = described["partitions"]
    if len(partitions) != wanted.num_partitions:
        found.append(f"{len(partitions)} partitions, TCCC_TOPIC_PARTITIONS says {wanted.num_partitions}")
    replicas = min(len(partition["replicas"]) for partition in partitions)
    if replicas != wanted.replication_factor:
        found.append(f"{replicas} replicas, TCCC_TOPIC_REPLICATION says {wanted.replication_factor}")
    is_now = await _configs(admin, wanted.name)
    for name, value in wanted.topic_configs.items():
        if is_now.get(name) != value:
            found.append(f"{name} is {is_now.get(name)}, not {value}")
    return found


async def _configs(admin: AIOKafkaAdminClient, topic: str) -> dict[str, str]:
    responses: list[Any] = await admin.describe_configs([ConfigResource(ConfigResourceType.TOPIC, topic)])
    return {
        entry[0]: entry[1]
        for response in responses
        for resource in response.resources
        for entry in resource[4]
    }
