"""A kept-alive HTTP/1.1 connection that only posts, for a client that shares its machine with what it loads.

A general HTTP client costs five times as much CPU time a request, which would be taken from the server beside
it. This one does what a push needs: it writes a request made of bytes and reads the answer in full.
"""

import asyncio
from collections.abc import AsyncIterator
from ssl import SSLContext
from typing import Self

MAX_ANSWER_BYTES = 2**20


class Connection:
    """One request at a time. After any exception, and when not `reusable`, close it."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader, self._writer = reader, writer
        self._told_to_close = False

    @classmethod
    async def open(cls, host: str, port: int, tls: SSLContext | None) -> Self:
        return cls(*await asyncio.open_connection(host, port, ssl=tls, limit=MAX_ANSWER_BYTES))

    @property
    def reusable(self) -> bool:
        return not (self._told_to_close or self._reader.at_eof() or self._writer.is_closing())

    def close(self) -> None:
        self._writer.close()

    async def post(self, head: bytes, body: bytes) -> tuple[int, bytes]:
        """Send a request and return the answer's status and body.

        Raises OSError or EOFError if the connection breaks, ValueError if what comes back cannot be read as an
        answer. Cancelled, the request may have been sent or not.
        """
        self._writer.write(head + body)
        try:
            status, fields = await self._read_head()
            while status < 200:  # "100 Continue" and its kin come before the answer
                status, fields = await self._read_head()
            self._told_to_close = fields.get(b"connection", b"").lower() == b"close"
            return status, await self._read_body(status, fields)
        except asyncio.LimitOverrunError as exc:
            raise ValueError("a line or a head of the answer is too long") from exc

    async def _read_head(self) -> tuple[int, dict[bytes, bytes]]:
        status_line, *lines = (await self._reader.readuntil(b"\r\n\r\n")).split(b"\r\n")
        if not status_line.startswith(b"HTTP/1."):
            raise ValueError("the answer is too long, or its length is none")
        pairs = (line.partition(b":") for line in lines if line)
        return int(status_line.split(maxsplit=2)[1]), {
            name.lower(): value.strip() for name, _, value in pairs
        }

    async def _read_body(self, status: int, fields: dict[bytes, bytes]) -> bytes:
        if b"transfer-encoding" in fields:
            return b"".join([chunk async for chunk in self._chunks()])
        if (length := fields.get(b"content-length")) is not None:
            return await self._read_exactly(int(length))
        if status in {204, 304}:
            return b""
        self._told_to_close = True  # the end of such an answer is the end of its connection
        return await self._reader.read()

    async def _chunks(self) -> AsyncIterator[bytes]:
        while size := int((await self._reader.readuntil(b"\r\n")).partition(b";")[0], 16):
            yield await self._read_exactly(size)
            await self._reader.readexactly(2)
        while await self._reader.readuntil(b"\r\n") != b"\r\n":
            pass  # trailers

    async def _read_exactly(self, size: int) -> bytes:
        if not 0 <= size <= MAX_ANSWER_BYTES:
            raise ValueError("the answer is too long, or its length is none")
        return await self._reader.readexactly(size)
