"""Reads the bodies of requests, within the time for one and the bound on the bytes of all."""

import asyncio

from aiohttp import StreamReader
from aiohttp.web import BaseRequest

from receiver.metrics import ReceiverMetrics
from schemas.settings import Settings

CONTINUE = b"HTTP/1.1 100 Continue\r\n\r\n"


class NoRoom(Exception):  # noqa: N818 -- a state of affairs; never leaves the receiver
    """More bytes of bodies are in memory than may be."""


class Held:
    """The bytes that are in memory because of one request."""

    __slots__ = ("bytes",)

    def __init__(self) -> None:
        self.bytes = 0


class Bodies:
    """Bodies that come slowly may have half of TCCC_MAX_IN_FLIGHT_BYTES together, so that whole ones find room.

    Where they need more, the one that began first is given up: it had the longest time to be in.
    """

    def __init__(self, settings: Settings, metrics: ReceiverMetrics) -> None:
        self._settings = settings
        self._metrics = metrics
        self._slow: dict[Held, StreamReader] = {}
        self._slow_bytes = 0

    def read_whole(self, request: BaseRequest, held: Held) -> bytes | None:
        """The body if it came with its head, as it as good as always does; else None. As `read` otherwise."""
        content = request.content
        if not content.is_eof():
            return None
        body = content.read_nowait()
        self._hold(len(body), held)
        return body

    async def read(self, request: BaseRequest, held: Held) -> bytes:
        """The body, or a little more of it than the limit; `release` what is held once it is answered.

        Raises TimeoutError, BodyCutShort, OSError, NoRoom.
        """
        content = request.content
        if request.transport is None:
            raise ConnectionResetError
        if request.headers.get("Expect", "").lower() == "100-continue":
            request.transport.write(CONTINUE)
        self._slow[held] = content
        try:
            return await self._read_slowly(content, held)
        finally:
            self._end_slow(held)

    def release(self, held: Held) -> None:
        self._metrics.in_flight_bytes -= held.bytes
        held.bytes = 0

    async def _read_slowly(self, content: StreamReader, held: Held) -> bytes:
        parts: list[bytes] = []
        async with asyncio.timeout(self._settings.body_timeout_s):
            while held.bytes <= self._settings.max_body_bytes and (part := await content.readany()):
                if held not in self._slow:  # given up after this part had come
                    raise NoRoom
                self._make_room(len(part), held)
                self._hold(len(part), held)
                self._slow_bytes += len(part)
                parts.append(part)
        return b"".join(parts)

    def _make_room(self, size: int, held: Held) -> None:
        while self._slow_bytes + size > self._settings.max_in_flight_bytes // 2:
            oldest, content = next(iter(self._slow.items()))
            if oldest is held:
                return
            self._end_slow(oldest)
            self.release(oldest)
            content.set_exception(NoRoom())

    def _end_slow(self, held: Held) -> None:
        if self._slow.pop(held, None) is not None:
            self._slow_bytes -= held.bytes

    def _hold(self, size: int, held: Held) -> None:
        if self._metrics.in_flight_bytes + size > self._settings.max_in_flight_bytes:
            raise NoRoom
        self._metrics.in_flight_bytes += size
        held.bytes += size
