"""One client's connection: aiohttp's, made to answer malformed HTTP as the contract says and to be sweepable."""

import asyncio
from typing import Any, cast

import structlog
from aiohttp import web_protocol
from aiohttp.http_exceptions import LineTooLong
from aiohttp.web import BaseRequest, RequestHandler, StreamResponse

from receiver.answers import MALFORMED, UNAVAILABLE
from receiver.connections import Connections
from receiver.metrics import ReceiverMetrics

log = structlog.get_logger()


class BodyCutShort(Exception):  # noqa: N818 -- what happened to the body; never leaves the receiver
    """The rest of a body will not come: its framing is broken."""


class Connection(RequestHandler):
    """aiohttp's handler by itself answers bad requests in plain text and quotes them, also in its log."""

    __slots__ = ("_connections", "_head_bytes", "_max_head_bytes", "_metrics", "head_since")

    def __init__(
        self,
        *args: Any,
        connections: Connections,
        metrics: ReceiverMetrics,
        max_head_bytes: int,
        **kwargs: Any,
    ) -> None:
        super().__init__(*args, **kwargs)
        self._connections = connections
        self._metrics = metrics
        self._max_head_bytes = max_head_bytes
        self._head_bytes = 0  # of a head of which only a part is here
        # Since when (the loop's time) a request head is awaited of which a part, or on a new connection
        # nothing, is here; 0 while none is.
        self.head_since = 0.0

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        if self._connections.enter(self, cast("asyncio.Transport", transport)):
            self.head_since = self._loop.time()
            super().connection_made(transport)

    def connection_lost(self, exc: BaseException | None) -> None:
        self._connections.leave(self)
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        of_head = bool(self.head_since) or self._between_requests()
        if of_head and self._head_bytes + len(data) > self._max_head_bytes and self._head_is_too_large(data):
            self._refuse_head()
            return
        seen = self._request_count
        super().data_received(data)
        if self._request_count != seen:
            self.head_since = 0.0
            self._head_bytes = 0
            if isinstance(self._messages[-1][0], web_protocol._ErrInfo):  # noqa: SLF001 -- no public name
                self._cut_bodies_short()
        elif of_head and data:
            self.head_since = self.head_since or self._loop.time()
            self._head_bytes += len(data)

    def resume_reading(self, resume_parser: bool = True) -> None:
        """Each read of a body calls this; where nothing was paused, aiohttp would parse an empty buffer anew."""
        if self._reading_paused or self._buffer_paused:
            super().resume_reading(resume_parser)

    def close_if_head_is_late(self, deadline: float) -> None:
        """Close the connection if it has waited for a whole head since before the deadline."""
        if self.head_since and self.head_since < deadline and self._is_idle():
            self._metrics.limit_hit("head_timeout_s")
            self.force_close()

    def handle_error(
        self,
        request: BaseRequest,
        status: int = 500,
        exc: BaseException | None = None,
        message: str | None = None,  # noqa: ARG002 -- aiohttp's text, which quotes the request
    ) -> StreamResponse:
        """Answer what is not HTTP, silently, and a fault of our own, loudly."""
        if status < 500:
            if isinstance(exc, LineTooLong):
                self._metrics.limit_hit("max_line_bytes")
            self._metrics.answered("unknown", MALFORMED.outcome)
            return MALFORMED.answer(close=True)
        log.error("request_failed", exc_info=exc)
        if request.writer.output_size > 0:
            raise ConnectionError("an answer is already under way")
        return UNAVAILABLE.answer(close=True)

    def _head_is_too_large(self, data: bytes) -> bool:
        end = data.find(b"\r\n\r\n")
        return end < 0 or self._head_bytes + end > self._max_head_bytes

    def _refuse_head(self) -> None:
        self._metrics.limit_hit("max_head_bytes")
        self._metrics.answered("unknown", MALFORMED.outcome)
        if self.transport is not None and self._current_request is None and not self._messages:
            self.transport.write(MALFORMED.answer(close=True).raw)
            self.force_close()
        else:
            self.close()  # once what came before it is answered

    def _is_idle(self) -> bool:
        return self._waiter is not None and not self._waiter.done()

    def _between_requests(self) -> bool:
        """Whether what comes now belongs to a next request's head and not to a body."""
        current = self._current_request
        return self._is_idle() or (not self._messages and current is not None and current.content.is_eof())

    def _cut_bodies_short(self) -> None:
        """Tell who waits for a body that it is broken; aiohttp would let it wait, and then time out."""
        bodies = [payload for _, payload in self._messages]
        if self._current_request is not None:
            bodies.append(self._current_request.content)
        for body in bodies:
            if not body.is_eof():
                body.set_exception(BodyCutShort())
                body.feed_eof()
