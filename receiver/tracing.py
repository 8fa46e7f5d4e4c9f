"""The receiver's part of a trace: a span for the push, one for its record, one more if that leaves the spool later.

These classes take the place of the plain ones where tracing is on, so that it costs nothing where it is off.
"""

from collections.abc import Sequence
from http import HTTPStatus
from typing import TYPE_CHECKING, Any

from aiohttp.web import BaseRequest

from receiver.admission import ACTIONS, Route
from receiver.answers import Reply
from receiver.intake import Intake, Taken
from receiver.server import PushServer
from schemas.envelope import TRACEPARENT, Record
from schemas.settings import Settings

if TYPE_CHECKING:
    from opentelemetry.trace import Span

    from runtime.spans import Spans


class TracedServer(PushServer):
    """Begins a trace for each request that may push. A caller's own trace is linked, and decides nothing."""

    def __init__(self, spans: "Spans", settings: Settings, *parts: Any) -> None:
        super().__init__(settings, *parts)
        self._spans = spans
        self._route = settings.push_path

    async def _receive(self, request: BaseRequest, target: Route) -> Reply:
        if not self._spans.draw():
            return await super()._receive(request, target)
        attributes = {
            "http.request.method": "POST",
            "http.route": self._route,
            "url.path": self._route,
            "url.scheme": request.scheme,
            "tccc.action": target.action if target.action in ACTIONS else "unknown",
        }
        span = self._spans.begin(f"POST {self._route}", "server", attributes)
        with self._spans.running(span):
            self._link_caller(span, request)
            reply = await super()._receive(request, target)
            span.set_attribute("http.response.status_code", reply.status.value)
            span.set_attribute("tccc.outcome", reply.outcome)
            if reply.status >= HTTPStatus.INTERNAL_SERVER_ERROR:
                self._spans.fail(span, str(reply.status.value))
            return reply

    def _link_caller(self, span: "Span", request: BaseRequest) -> None:
        """Tell of the caller's trace, if it named one."""
        headers = request.headers.getall(TRACEPARENT, [])
        if len(headers) == 1 and (caller := self._spans.read(headers[0])):
            span.add_link(caller)


class TracedIntake(Intake):
    """Tells each record to which trace it belongs."""

    def __init__(self, spans: "Spans", *parts: Any) -> None:
        super().__init__(*parts)
        self._spans = spans

    async def take(self, record: Record) -> Taken:
        if not self._spans.is_recording():
            return await super().take(_marked(record, self._spans.untraced()))
        span = self._spans.begin(f"publish {record.topic}", "producer", _told(record, "publish", "send"))
        with self._spans.running(span):
            taken = await super().take(_marked(record, self._spans.traceparent(span)))
            span.set_attribute("tccc.outcome", taken.value)
            return taken

    async def publish_all(self, records: Sequence[Record]) -> list[Exception | None]:
        spans = [self._drained(record) for record in records]
        outcomes = await super().publish_all(records)
        for span, failure in zip(spans, outcomes, strict=True):
            if span is not None:
                if failure is not None:
                    self._spans.fail(span, type(failure).__name__)
                span.end()
        return outcomes

    def _drained(self, record: Record) -> "Span | None":
        """A span in the trace of a record that was spooled, maybe by a process before this one."""
        parent = self._spans.read_traced(_traceparent(record))
        if parent is None:
            return None
        return self._spans.begin(
            f"drain {record.topic}", "client", _told(record, "drain", "send"), parent=parent
        )


def _marked(record: Record, header: bytes) -> Record:
    """The record with its trace in a header. One that became a dead letter on its way has it already."""
    if _traceparent(record) is not None:
        return record
    return Record(record.topic, record.key, record.value, [*record.headers, (TRACEPARENT, header)])


def _traceparent(record: Record) -> bytes | None:
    return next((value for name, value in record.headers if name == TRACEPARENT), None)


def _told(record: Record, operation: str, kind: str) -> dict[str, str]:
    return {
        "messaging.system": "kafka",
        "messaging.destination.name": record.topic,
        "messaging.operation.name": operation,
        "messaging.operation.type": kind,
    }
