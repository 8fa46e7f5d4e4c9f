"""Makes spans, and sends them to a collector from a thread of its own, which no push ever waits for.

What cannot be sent is dropped: the queue is bounded, a collector that is away, hangs or is slow costs spans only.
"""

import asyncio
import random
import threading
from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
from contextlib import asynccontextmanager, contextmanager
from importlib.metadata import PackageNotFoundError, version
from typing import Literal
from uuid import uuid4

from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor, SpanExportResult
from opentelemetry.sdk.trace.sampling import ALWAYS_ON, ParentBased
from opentelemetry.trace import (
    Link,
    NonRecordingSpan,
    Span,
    SpanContext,
    SpanKind,
    StatusCode,
    Tracer,
    get_current_span,
    set_span_in_context,
    use_span,
)
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

from schemas.envelope import TRACEPARENT

FLUSH_S = 2.0
_TRACES_PATH = "/v1/traces"
_TRACEPARENT_CHARS = 55
_SAMPLED = b"13579bdf"  # last digits of the flags, of which the lowest bit says so

Kind = Literal["server", "producer", "consumer", "client"]
Attributes = Mapping[str, str | int | bool]

_propagator = TraceContextTextMapPropagator()


class Spans:
    """What the roles know of OpenTelemetry. No attribute ever holds a session, a push id, a number or a client."""

    def __init__(self, tracer: Tracer, ratio: float) -> None:
        self._tracer = tracer
        self._ratio = ratio

    def draw(self) -> bool:
        """Whether the next push is traced. The SDK's sampler would cost those that are not as much as two of ours."""
        return random.random() < self._ratio  # noqa: S311 -- a sample, no secret

    def is_recording(self) -> bool:
        """Whether what runs now belongs to a push that is traced."""
        return get_current_span().is_recording()

    def begin(
        self,
        name: str,
        kind: Kind,
        attributes: Attributes,
        *,
        parent: SpanContext | None = None,
        links: Sequence[SpanContext] = (),
        start_ns: int | None = None,
    ) -> Span:
        """A span that whoever asked for it has to end. Without a parent it is a child of the current one, if any."""
        return self._tracer.start_span(
            name,
            context=None if parent is None else set_span_in_context(NonRecordingSpan(parent)),
            kind=SpanKind[kind.upper()],
            attributes=attributes,
            links=[Link(context) for context in links],
            start_time=start_ns,
        )

    @contextmanager
    def running(self, span: Span) -> Iterator[None]:
        """Make a span the current one for a block, and end it."""
        try:
            # By itself it would keep an exception's message, which may quote data.
            with use_span(span, record_exception=False, set_status_on_exception=False):
                yield
        except BaseException as exc:
            self.fail(span, type(exc).__name__)
            raise
        finally:
            span.end()

    def fail(self, span: Span, error_type: str) -> None:
        """Mark a span as failed; the type is one of a few, such as an exception's name."""
        span.set_attribute("error.type", error_type)
        span.set_status(StatusCode.ERROR)

    def traceparent(self, span: Span) -> bytes:
        """The header by which the trace of a span that is recording goes on elsewhere."""
        carrier: dict[str, str] = {}
        _propagator.inject(carrier, set_span_in_context(span))
        return carrier[TRACEPARENT].encode()

    def untraced(self) -> bytes:
        """The header of a push that was not drawn: whoever reads it traces nothing either."""
        return b"00-%032x-%016x-00" % (random.getrandbits(128), random.getrandbits(64))

    def read(self, header: str | bytes | None) -> SpanContext | None:
        """What a traceparent of whatever origin says; None for all that is not plainly one. Never raises."""
        if header is None or len(header) != _TRACEPARENT_CHARS:
            return None
        text = header.decode("latin-1") if isinstance(header, bytes) else header
        context = get_current_span(_propagator.extract({TRACEPARENT: text})).get_span_context()
        return context if context.is_valid else None

    def read_traced(self, header: bytes | None) -> SpanContext | None:
        """As `read`; None, at once, also for a push that was not drawn."""
        return self.read(header) if header and header[-1] in _SAMPLED else None


@asynccontextmanager
async def exporting(endpoint: str, service: str, ratio: float) -> AsyncIterator[Spans]:
    """Send the spans of a block; at its end what is left has FLUSH_S. Without an endpoint OTEL_… variables say it."""
    provider = TracerProvider(
        sampler=ParentBased(ALWAYS_ON),
        resource=Resource.create(
            {
                "service.name": service,
                "service.version": _version(),
                "service.instance.id": str(uuid4()),
            }
        ),
        shutdown_on_exit=False,
    )
    provider.add_span_processor(BatchSpanProcessor(OTLPSpanExporter(_url(endpoint))))
    try:
        yield Spans(provider.get_tracer("tccc-ingest", _version()), ratio)
    finally:
        # Its own shutdown waits for up to half a minute for a collector that hangs.
        flushing = threading.Thread(target=provider.shutdown, name="trace-flush", daemon=True)
        flushing.start()
        await asyncio.to_thread(flushing.join, FLUSH_S)


def takes_spans(endpoint: str, *, timeout_s: float) -> bool:
    """Whether there is a collector that takes spans; blocks for about the time-out at the most."""
    exporter = OTLPSpanExporter(_url(endpoint), timeout=timeout_s)
    try:
        return exporter.export(()) is SpanExportResult.SUCCESS
    finally:
        exporter.shutdown()


def _url(endpoint: str) -> str | None:
    return endpoint.removesuffix("/") + _TRACES_PATH if endpoint else None


def _version() -> str:
    try:
        return version("tccc-ingest")
    except PackageNotFoundError:  # run from a tree that was not installed
        return "unknown"
