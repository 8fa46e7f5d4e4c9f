import subprocess
import sys
from pathlib import Path

import pytest

from runtime.spans import exporting
from runtime.tracing import tracing
from schemas.errors import SettingsError
from schemas.settings import Settings, load
from tests.collector import collecting

ROOT = Path(__file__).parents[2]


async def test_off_makes_no_spans() -> None:
    async with tracing(Settings(), "here") as spans:
        assert spans is None


def test_off_loads_nothing_of_opentelemetry() -> None:
    look = "import sys, receiver.app, worker.app; print([name for name in sys.modules if 'opentelemetry' in name])"
    ran = subprocess.run([sys.executable, "-c", look], cwd=ROOT, capture_output=True, text=True, check=True)
    assert ran.stdout == "[]\n"


async def test_on_without_the_extra_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "runtime.spans", None)
    with pytest.raises(SettingsError, match=r"pip install 'tccc-ingest\[tracing\]'"):
        async with tracing(Settings(tracing="otlp"), "here"):
            pass


@pytest.mark.parametrize(
    "url", ["collector:4318", "http://", "http://user:pw@collector", "http://c/?k=v", "grpc://c:4317"]
)
def test_endpoints_that_are_none(url: str) -> None:
    with pytest.raises(SettingsError, match="TCCC_TRACING_ENDPOINT: http://HOST:PORT or https://HOST"):
        load({"TCCC_TRACING_ENDPOINT": url})


async def test_an_error_is_told_by_its_type_and_not_by_its_message() -> None:
    async with collecting() as collector, exporting(collector.url, "here", 1.0) as spans:
        span = spans.begin("works", "client", {})
        with pytest.raises(ValueError, match="8613800138000"), spans.running(span):
            raise ValueError("no such number: 8613800138000")
    (told,) = collector.spans
    assert (told.attributes, told.failed, told.events) == ({"error.type": "ValueError"}, True, 0)


async def test_a_trace_goes_on_by_its_header() -> None:
    async with collecting() as collector, exporting(collector.url + "/", "here", 1.0) as spans:
        parent = spans.begin("here", "producer", {})
        parent.end()
        header = spans.traceparent(parent)
        spans.begin("there", "consumer", {}, parent=spans.read_traced(header)).end()
    (here,), (there,) = collector.named("here"), collector.named("there")
    assert (there.trace, there.parent) == (here.trace, here.id)


async def test_nothing_follows_a_push_that_was_not_drawn() -> None:
    async with collecting() as collector, exporting(collector.url, "here", 0.0) as spans:
        assert not spans.draw()
        assert not spans.is_recording()
        assert spans.read_traced(spans.untraced()) is None
        parent = spans.read(spans.untraced())
        assert parent is not None
        spans.begin("there", "consumer", {}, parent=parent).end()
    assert collector.spans == []


async def test_as_many_are_drawn_as_the_ratio_says() -> None:
    async with exporting("", "here", 1.0) as spans:
        assert all(spans.draw() for _ in range(1000))


async def test_opentelemetrys_own_switch_records_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OTEL_SDK_DISABLED", "true")
    async with exporting("", "here", 1.0) as spans:
        with spans.running(spans.begin("here", "server", {})):
            assert not spans.is_recording()


async def test_a_collector_that_hangs_holds_up_nothing_and_fills_no_memory() -> None:
    """What the queue does not hold is dropped, and so is, at the end, what was not sent in time."""
    async with collecting() as collector:
        collector.answering.clear()
        async with exporting(collector.url, "here", 1.0) as spans:
            for n in range(10_000):
                spans.begin(f"span {n}", "client", {}).end()
            collector.answering.set()
    assert 0 < len(collector.spans) < 5_000
