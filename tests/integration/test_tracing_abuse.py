"""What callers, other writers of the topic and bad collectors can do to tracing, and by it: nothing."""

import re

import pytest
from msgspec.structs import replace

from schemas.envelope import TRACEPARENT
from schemas.settings import Settings
from tests.collector import Collector
from tests.pipeline import Database, cdr, produce, records_of
from tests.processes import running
from tests.traced import NOWHERE, SOON, Until, pipeline, push, traceparents

THEIRS = "4bf92f3577b34da6a3ce929d0e0e4736"
SAMPLED = f"00-{THEIRS}-00f067aa0ba902b7-01"
NO_TRACEPARENTS = [
    "",
    "00",
    SAMPLED.upper(),
    SAMPLED + "-00",
    SAMPLED[:-1],
    SAMPLED.replace("00-4", "ff-4"),
    f"00-{'0' * 32}-00f067aa0ba902b7-01",
    f"00-{THEIRS}-{'0' * 16}-01",
    f"00-{'g' * 32}-00f067aa0ba902b7-01",
    "x" * 4000,
    "%0d%0a" * 9 + "0",
    "١" * 55,
]


async def test_off_no_record_has_the_header(settings: Settings, eventually: Until) -> None:
    database = Database(settings)
    async with pipeline(settings, eventually) as receiver:
        assert await push(receiver, "s-1", SAMPLED) == 200
        await eventually(lambda: database.has_settled(1))
    (record,) = await records_of(settings, settings.kafka_topic)
    assert traceparents(record.headers) == []


async def test_no_caller_decides_what_is_traced(
    traced: Settings, collector: Collector, eventually: Until
) -> None:
    database = Database(traced)
    async with pipeline(replace(traced, tracing_ratio=0.0), eventually) as receiver:
        assert await push(receiver, "s-1", SAMPLED) == 200
        await eventually(lambda: database.has_settled(1))
    (record,) = await records_of(traced, traced.kafka_topic)
    (header,) = traceparents(record.headers)
    found = re.fullmatch(rb"00-([0-9a-f]{32})-[0-9a-f]{16}-([0-9a-f]{2})", header)
    assert found is not None
    assert found[1] != THEIRS.encode()
    assert int(found[2], 16) & 1 == 0
    assert collector.spans == []


async def test_a_callers_trace_is_linked_if_it_is_one(
    traced: Settings, collector: Collector, eventually: Until
) -> None:
    async with running("receiver", traced, **SOON) as receiver:
        await eventually(receiver.ready)
        for n, header in enumerate(NO_TRACEPARENTS):
            assert await push(receiver, f"bad-{n}", header) == 200
        assert await push(receiver, "twice", SAMPLED, SAMPLED) == 200
        assert await push(receiver, "good", SAMPLED) == 200
    spans = collector.named("POST /")
    assert len(spans) == len(NO_TRACEPARENTS) + 2
    assert THEIRS not in {span.trace for span in spans}
    assert {span.parent for span in spans} == {""}
    assert [span.links for span in spans if span.links] == [[(THEIRS, SAMPLED[36:52])]]
    for record in await records_of(traced, traced.kafka_topic):
        (ours,) = traceparents(record.headers)
        assert THEIRS.encode() not in ours


async def test_a_record_with_any_header_becomes_a_row(
    traced: Settings, collector: Collector, eventually: Until
) -> None:
    """Whoever may write to the topic may write anything."""
    database = Database(traced)
    values = [*(text.encode() for text in NO_TRACEPARENTS), b"\xff" * 55, b"\0" * 55]
    sent = []
    for n, value in enumerate(values):
        session, headers, content = cdr(n)
        sent.append((session, [*headers, (TRACEPARENT, value), (TRACEPARENT, value)], content))
    await produce(traced, [*sent, cdr(len(values))])
    async with running("worker", traced, **SOON) as worker:
        await eventually(lambda: database.has_settled(len(values) + 1))
        assert await worker.stop() == 0
    assert await database.outcomes() == {"applied": len(values) + 1}
    assert collector.spans == []


@pytest.mark.parametrize("fault", ["away", "hangs"])
async def test_a_bad_collector_costs_spans_only(
    traced: Settings, collector: Collector, eventually: Until, fault: str
) -> None:
    """All pushes are taken and stored, and both processes end as they should."""
    database = Database(traced)
    collector.answering.clear()
    settings = traced if fault == "hangs" else replace(traced, tracing_endpoint=f"http://{NOWHERE}")
    async with pipeline(settings, eventually) as receiver:
        for n in range(100):
            assert await push(receiver, f"s-{n}") == 200
        await eventually(lambda: database.has_settled(100))
        if fault == "hangs":
            await eventually(lambda: collector.requests)
    assert await database.outcomes() == {"applied": 100}
    assert collector.spans == []
