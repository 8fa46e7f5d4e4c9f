"""The HTTP side: takes requests off the wire, checks what comes before the body, reads it, hands it on."""

import asyncio
import time
from collections.abc import Awaitable, Callable
from typing import Any, cast
from urllib.parse import unquote

from aiohttp.web import BaseRequest, Server
from msgspec import Struct

from receiver import answers
from receiver.admission import Route, route
from receiver.answers import Answer, Reply
from receiver.bodies import Bodies, Held, NoRoom
from receiver.client_address import ClientAddresses
from receiver.connection import BodyCutShort, Connection
from receiver.connections import Connections
from receiver.metrics import ReceiverMetrics
from schemas.settings import TOKEN_PATH, Settings

# How long the rest of a request that was refused early is read, so that its client sees the answer.
LINGER_S = 1.0
READ_BUFFER_BYTES = 64 * 1024
SWEEP_EVERY_S = 1.0


class Push(Struct, frozen=True, gc=False):
    """A whole request that passed all checks which need no body."""

    target: Route
    push_id: str | None
    body: bytes


Take = Callable[[Push], Awaitable[Reply]]
# An Awaitable only where a key has to be fetched before a token can be judged.
Authenticate = Callable[[BaseRequest], Reply | Awaitable[Reply | None] | None]
IssueToken = Callable[[BaseRequest], Awaitable[Reply]]


def no_authentication(_request: BaseRequest) -> Reply | None:
    """TCCC_AUTH=none: anybody may push."""
    return None


class PushServer(Server):
    """aiohttp's low-level server: no application, router or middleware on the way of a push."""

    def __init__(
        self,
        settings: Settings,
        metrics: ReceiverMetrics,
        take: Take,
        authenticate: Authenticate = no_authentication,
        issue_token: IssueToken | None = None,
    ) -> None:
        super().__init__(self._handle)
        self._path = unquote(settings.push_path)
        self._settings = settings
        self._metrics = metrics
        self._take = take
        self._authenticate = authenticate
        self._bodies = Bodies(settings, metrics)
        self._open = Connections(settings, metrics, ClientAddresses(settings.trusted_proxies))
        self._issue_token = issue_token
        self.draining = False  # answers ask their clients to connect anew, elsewhere
        self.refusing = False  # the drain time is over
        self._options: dict[str, Any] = {
            "access_log": None,
            "auto_decompress": False,
            "keepalive_timeout": settings.keepalive_s,
            "lingering_time": LINGER_S,
            "max_line_size": settings.max_line_bytes,
            "max_field_size": settings.max_line_bytes,
            "read_bufsize": READ_BUFFER_BYTES,
            "connections": self._open,
            "metrics": metrics,
            "max_head_bytes": settings.max_head_bytes,
        }

    def __call__(self) -> Connection:
        return Connection(self, loop=asyncio.get_running_loop(), **self._options)

    async def sweep(self) -> None:
        """Close connections whose request head is late; one timer for all of them. Runs until cancelled."""
        loop = asyncio.get_running_loop()
        while True:
            deadline = loop.time() - self._settings.head_timeout_s
            for connection in self.connections:
                if isinstance(connection, Connection):
                    connection.close_if_head_is_late(deadline)
            await asyncio.sleep(min(SWEEP_EVERY_S, self._settings.head_timeout_s / 4))

    async def _handle(self, request: BaseRequest) -> Answer:
        metrics = self._metrics
        metrics.in_flight += 1
        try:
            target = route(request.raw_path)
            reply = self._refuse_early(request, target)
            if reply is not None and not isinstance(reply, Reply):
                reply = await reply or self._refuse_by_headers(request)
            if reply is None:
                reply = await self._receive(request, target)
        finally:
            metrics.in_flight -= 1
        self._open.waiting(cast("Connection", request.protocol), taken=reply.is_ok)
        metrics.answered(target.action, reply.outcome)
        if reply.limit is not None:
            metrics.limit_hit(reply.limit)
        # HTTP/1.0 keeps no connection unless that is said in the answer: not worth a third kind of answer.
        # What follows a CONNECT is no HTTP.
        close = (
            self.draining
            or not request.keep_alive
            or request.version.minor == 0
            or request.method == "CONNECT"
        )
        return reply.answer(close=close)

    def _refuse_early(self, request: BaseRequest, target: Route) -> Reply | Awaitable[Reply | None] | None:
        """What is decided before the body is read, in the contract's order."""
        if target.path != self._path:
            issue = self._issue_token if target.path == TOKEN_PATH else None
            return answers.NOT_FOUND if issue is None else issue(request)
        if request.method != "POST":
            return answers.NOT_ALLOWED
        if self.refusing:
            return answers.UNAVAILABLE
        return self._authenticate(request) or self._refuse_by_headers(request)

    def _refuse_by_headers(self, request: BaseRequest) -> Reply | None:
        headers = request.headers
        if "Content-Encoding" in headers and any(
            coding.strip().lower() not in ("", "identity") for coding in headers.getall("Content-Encoding")
        ):
            return answers.ENCODED
        if headers.get("Transfer-Encoding", "chunked").strip().lower() != "chunked":
            return answers.ENCODED
        if int(headers.get("Content-Length") or 0) > self._settings.max_body_bytes:
            return answers.TOO_LARGE
        return None

    async def _receive(self, request: BaseRequest, target: Route) -> Reply:
        held = Held()
        try:
            body = self._bodies.read_whole(request, held)
            if body is None:
                body = await self._bodies.read(request, held)
            if len(body) > self._settings.max_body_bytes:
                return answers.TOO_LARGE
            self._open.serving(cast("Connection", request.protocol))
            started = time.perf_counter()
            reply = await self._take(Push(target, request.headers.get("X-TCCC-PUSH-UUID"), body))
            self._metrics.acknowledged(time.perf_counter() - started)
        except TimeoutError:
            return answers.TOO_SLOW
        except (BodyCutShort, OSError):
            return answers.MALFORMED
        except NoRoom:
            return answers.NO_ROOM
        finally:
            self._bodies.release(held)
        return reply
