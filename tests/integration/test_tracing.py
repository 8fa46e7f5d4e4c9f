"""Traces from the push to the row's transaction: real receiver, Kafka, worker and Postgres, and a collector."""

from typing import Any

from aiokafka import ConsumerRecord
from msgspec.structs import replace

from schemas.settings import Settings
from tests.collector import Collector
from tests.pipeline import Database, dead_letters, records_of, tccc
from tests.processes import running
from tests.records import body
from tests.services import execute
from tests.traced import NOWHERE, SOON, Until, below, pipeline, push, traceparents


async def pushed_once(settings: Settings, eventually: Until) -> ConsumerRecord[Any, Any]:
    """The record of a push that was settled; the spans of its pipeline are out."""
    database = Database(settings)
    async with pipeline(settings, eventually) as receiver:
        assert await push(receiver, "s-1") == 200
        await eventually(lambda: database.has_settled(1))
    (record,) = await records_of(settings, settings.kafka_topic)
    return record


async def test_one_trace_shows_push_publish_consume_and_transaction(
    traced: Settings, collector: Collector, eventually: Until
) -> None:
    record = await pushed_once(traced, eventually)
    topic = traced.kafka_topic
    (root,) = collector.named("POST /")
    spans = collector.trace(root.trace)
    assert below(list(spans.values())) == {
        "POST /": "",
        f"publish {topic}": "POST /",
        f"consume {topic}": f"publish {topic}",
        "transaction": f"consume {topic}",
    }
    assert [(span.service, span.kind) for span in spans.values()] == [
        ("tccc-receiver", "server"),
        ("tccc-receiver", "producer"),
        ("tccc-worker", "consumer"),
        ("tccc-worker", "client"),
    ]
    publish = spans[f"publish {topic}"]
    assert [value[:52].decode() for value in traceparents(record.headers)] == [
        f"00-{publish.trace}-{publish.id}"
    ]
    assert record.value == body(SessionId="s-1", Caller="caller-of-s-1")


async def test_spans_tell_the_way_of_a_push_and_nobody_whose_it_is(
    traced: Settings, collector: Collector, eventually: Until
) -> None:
    record = await pushed_once(traced, eventually)
    (root,) = collector.named("POST /")
    topic = {"messaging.system": "kafka", "messaging.destination.name": traced.kafka_topic}
    consumer = {
        **topic,
        "messaging.consumer.group.name": traced.kafka_group,
        "messaging.operation.type": "process",
    }
    transaction = {"db.system.name": "postgresql", "db.operation.name": "transaction"}
    assert {span.name: span.attributes for span in collector.spans if span.trace == root.trace} == {
        "POST /": {
            "http.request.method": "POST",
            "http.response.status_code": 200,
            "http.route": "/",
            "tccc.action": "cdr",
            "tccc.outcome": "taken",
            "url.path": "/",
            "url.scheme": "http",
        },
        f"publish {traced.kafka_topic}": {
            **topic,
            "messaging.operation.name": "publish",
            "messaging.operation.type": "send",
            "tccc.outcome": "taken",
        },
        f"consume {traced.kafka_topic}": {
            **consumer,
            "messaging.operation.name": "consume",
            "messaging.destination.partition.id": str(record.partition),
            "messaging.kafka.offset": record.offset,
            "tccc.action": "cdr",
        },
        "transaction": {**transaction, "tccc.outcome": "applied"},
    }
    assert {span.name: span.attributes for span in collector.spans if span.trace != root.trace} == {
        f"settle {traced.kafka_topic}": {
            **consumer,
            "messaging.operation.name": "settle",
            "messaging.batch.message_count": 1,
        },
        "transaction": {**transaction, "tccc.records": 1},
    }


async def test_each_push_of_a_batch_is_linked_to_the_one_transaction(
    traced: Settings, collector: Collector, eventually: Until
) -> None:
    database = Database(traced)
    async with running("receiver", traced, **SOON) as receiver:
        await eventually(receiver.ready)
        for n in range(30):
            assert await push(receiver, f"s-{n % 10}") == 200
    async with running("worker", replace(traced, topic_partitions=6), **SOON):
        await eventually(lambda: database.has_settled(30))
    roots = {span.trace for span in collector.named("POST /")}
    assert len(roots) == 30
    settled = [span for span in collector.named("transaction") if span.trace in roots]
    assert {span.trace for span in settled} == roots
    assert (
        sorted(span.attributes["tccc.outcome"] for span in settled) == ["applied"] * 10 + ["duplicate"] * 20
    )
    batches = {
        (span.trace, span.id): span for span in collector.named("transaction") if span.trace not in roots
    }
    assert {link for span in settled for link in span.links} <= batches.keys()
    assert sum(span.attributes["tccc.records"] for span in batches.values()) == 30
    linked = [link for span in collector.named(f"settle {traced.kafka_topic}") for link in span.links]
    assert sorted(trace for trace, _ in linked) == sorted(roots)


async def test_a_spooled_push_keeps_its_trace(
    traced: Settings, collector: Collector, eventually: Until
) -> None:
    """Taken by one process while Kafka is away, published by the next."""
    database, topic = Database(traced), traced.kafka_topic
    async with running("receiver", replace(traced, kafka_bootstrap=NOWHERE), **SOON) as receiver:
        await eventually(receiver.ready)
        assert await push(receiver, "s-1") == 200
    async with pipeline(traced, eventually):
        await eventually(lambda: database.has_settled(1))
    (root,) = collector.named("POST /")
    spans = collector.trace(root.trace)
    assert below(list(spans.values())) == {
        "POST /": "",
        f"publish {topic}": "POST /",
        f"drain {topic}": f"publish {topic}",
        f"consume {topic}": f"publish {topic}",
        "transaction": f"consume {topic}",
    }
    assert spans[f"publish {topic}"].attributes["tccc.outcome"] == "spooled"
    (record,) = await records_of(traced, topic)
    assert record.value == body(SessionId="s-1", Caller="caller-of-s-1")
    assert len(traceparents(record.headers)) == 1


async def test_tries_that_failed_are_in_the_trace_of_the_batch(
    traced: Settings, collector: Collector, postgres_url: str, eventually: Until
) -> None:
    database, name = Database(traced), traced.database_url.rpartition("/")[2]
    async with pipeline(traced, eventually) as receiver:
        await execute(postgres_url, f"ALTER DATABASE {name} ALLOW_CONNECTIONS false")
        await execute(
            postgres_url, f"SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = '{name}'"
        )
        assert await push(receiver, "s-1") == 200
        await eventually(lambda: collector.named("transaction"))
        await execute(postgres_url, f"ALTER DATABASE {name} ALLOW_CONNECTIONS true")
        await eventually(lambda: database.has_settled(1))
    (root,) = collector.named("POST /")
    (settled,) = [span for span in collector.named("transaction") if span.trace == root.trace]
    assert (settled.attributes["tccc.outcome"], settled.failed) == ("applied", False)
    (batch,) = collector.named(f"settle {traced.kafka_topic}")
    tries = [span for span in collector.named("transaction") if span.parent == batch.id]
    *failed, last = sorted(tries, key=lambda span: span.began_ns)
    assert {(span.attributes["error.type"], span.failed) for span in failed} == {("DatabaseAway", True)}
    assert settled.links == [(last.trace, last.id)]
    assert "error.type" not in last.attributes


async def test_a_replayed_dead_letter_goes_on_in_its_trace(
    traced: Settings, collector: Collector, eventually: Until
) -> None:
    database = Database(traced)
    traced = replace(traced, dead_max_ratio=1.0)
    await database.execute("ALTER TABLE tccc.call ADD CONSTRAINT c CHECK (caller <> 'caller-of-s-1')")
    async with pipeline(traced, eventually) as receiver:
        assert await push(receiver, "s-1") == 200
        await eventually(lambda: database.has_settled(1))
        await database.execute("ALTER TABLE tccc.call DROP CONSTRAINT c")
        assert (await tccc(traced, "dead", "replay", "--json")).result["replayed"] == 1
        await eventually(lambda: database.has_settled(2))
    (root,) = collector.named("POST /")
    shown = [span for span in collector.named("transaction") if span.trace == root.trace]
    assert [span.attributes["tccc.outcome"] for span in sorted(shown, key=lambda span: span.began_ns)] == [
        "dead",
        "applied",
    ]
    (letter,) = await dead_letters(traced)
    assert len(traceparents(letter.headers)) == 1
