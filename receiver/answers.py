"""Every HTTP answer of the receiver, in one table, each written once as bytes and shared by all requests."""

import json
from collections.abc import Mapping
from http import HTTPStatus

from aiohttp.abc import AbstractStreamWriter
from aiohttp.web import BaseRequest, StreamResponse

RETRY_AFTER_S = 5


class Answer(StreamResponse):
    """A response that is nothing but bytes, so that one object answers any number of requests.

    aiohttp's own Response would build its headers anew each time, several microseconds a push.
    """

    def __init__(self, status: HTTPStatus, told: Mapping[str, object], headers: Mapping[str, str]) -> None:
        super().__init__(status=status)
        self._leaves_open = headers.get("Connection") != "close"
        body = json.dumps(told).encode()
        lines = [f"HTTP/1.1 {status.value} {status.phrase}"]
        lines += [f"{name}: {value}" for name, value in headers.items()]
        lines += ["Content-Type: application/json", f"Content-Length: {len(body)}", "", ""]
        self._head_bytes = "\r\n".join(lines).encode()
        self._all_bytes = self._head_bytes + body

    @property
    def raw(self) -> bytes:
        return self._all_bytes

    @property
    def keep_alive(self) -> bool:
        return self._leaves_open

    async def prepare(self, request: BaseRequest) -> AbstractStreamWriter | None:
        """Write it all; aiohttp calls this once a request. Raises ConnectionResetError if nobody listens."""
        protocol = request.protocol
        transport = protocol.transport
        if transport is None or transport.is_closing():
            raise ConnectionResetError
        transport.write(self._head_bytes if request.method == "HEAD" else self._all_bytes)
        if protocol.writing_paused:
            await request.writer.drain()
        return None

    async def write_eof(self, data: bytes = b"") -> None:
        """Nothing is left to write after `prepare`."""


class Reply:
    """One row of the table: an answer that leaves the connection open, and its twin that closes it.

    `limit` is the setting that was met, where it is one.
    """

    __slots__ = ("_close", "_keep", "is_ok", "limit", "outcome", "status")

    def __init__(
        self,
        outcome: str,
        status: HTTPStatus,
        code: int,
        message: str,
        *,
        limit: str | None = None,
        **headers: str,
    ) -> None:
        self.limit = limit
        self._write(outcome, status, {"ErrMsg": message, "ErrCode": code}, headers)

    def _write(
        self, outcome: str, status: HTTPStatus, told: Mapping[str, object], headers: Mapping[str, str]
    ) -> None:
        self.outcome = outcome
        self.status = status
        self.is_ok = status is HTTPStatus.OK
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        self._close = Answer(status, told, {**named, "Connection": "close"})
        self._keep = self._close if "Connection" in named else Answer(status, told, named)

    def answer(self, *, close: bool) -> Answer:
        return self._close if close else self._keep


class OwnReply(Reply):
    """A reply outside the table, whose body says something of its own."""

    __slots__ = ()

    def __init__(self, outcome: str, status: HTTPStatus, told: Mapping[str, object], **headers: str) -> None:
        self.limit = None
        self._write(outcome, status, told, headers)


_S = HTTPStatus
_RETRY = str(RETRY_AFTER_S)
_WRONG_CREDENTIALS = ("unauthorized", _S.UNAUTHORIZED, 40101, "credentials are missing or wrong")

TAKEN = Reply("taken", _S.OK, 0, "ok")
SPOOLED = Reply("spooled", _S.OK, 0, "ok")
DEAD = Reply("dead", _S.OK, 0, "ok")  # too large for the topic: kept as a dead letter, so it is not lost
MALFORMED = Reply("malformed", _S.BAD_REQUEST, 40000, "malformed HTTP", Connection="close")
NOT_JSON = Reply("not-json", _S.BAD_REQUEST, 40001, "the body is not a JSON object in UTF-8")
TOO_DEEP = Reply(
    "not-json", _S.BAD_REQUEST, 40001, "the body nests too deep to be taken for JSON", limit="max_json_depth"
)
BAD_SESSION_ID = Reply("bad-session-id", _S.BAD_REQUEST, 40002, "SessionId is missing or not a usable string")
BAD_ACTION = Reply("bad-action", _S.BAD_REQUEST, 40003, "action or version is missing, repeated or unknown")
UNAUTHORIZED_BASIC = Reply(*_WRONG_CREDENTIALS, WWW_Authenticate='Basic realm="tccc", charset="UTF-8"')
UNAUTHORIZED_BEARER = Reply(*_WRONG_CREDENTIALS, WWW_Authenticate='Bearer realm="tccc"')
FORBIDDEN = Reply(
    "forbidden", _S.FORBIDDEN, 40301, "SdkAppId is not one that may push here", limit="sdk_app_ids"
)
NOT_FOUND = Reply("not-found", _S.NOT_FOUND, 40401, "no such path")
NOT_ALLOWED = Reply("not-allowed", _S.METHOD_NOT_ALLOWED, 40501, "only POST is understood", Allow="POST")
TOO_SLOW = Reply(
    "too-slow",
    _S.REQUEST_TIMEOUT,
    40801,
    "the body came too slowly",
    limit="body_timeout_s",
    Connection="close",
)
TOO_LARGE = Reply(
    "too-large",
    _S.REQUEST_ENTITY_TOO_LARGE,
    41301,
    "the body is too large",
    limit="max_body_bytes",
    Connection="close",
)
ENCODED = Reply("encoded", _S.UNSUPPORTED_MEDIA_TYPE, 41501, "the body must not be encoded")
TOO_MANY = Reply(
    "too-many",
    _S.TOO_MANY_REQUESTS,
    42901,
    "too many requests",
    limit="auth_failures_per_minute",
    Retry_After=_RETRY,
)
CROWDED = Reply("too-many", _S.TOO_MANY_REQUESTS, 42901, "too many connections", Retry_After=_RETRY)
UNAVAILABLE = Reply(
    "unavailable", _S.SERVICE_UNAVAILABLE, 50301, "cannot take pushes now", Retry_After=_RETRY
)
NO_ROOM = Reply(
    "unavailable",
    _S.SERVICE_UNAVAILABLE,
    50301,
    "too much is in flight",
    limit="max_in_flight_bytes",
    Retry_After=_RETRY,
)
