"""HTTP as bytes: what a well-behaved client library would never send, and what comes back."""

import asyncio
import json
import re
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from typing import Any, NamedTuple

DEADLINE_S = 30.0


class Answered(NamedTuple):
    """An answer off the wire; `body` is its JSON, or None where there is no body."""

    status: int
    headers: dict[str, str]
    body: Any


class Wire:
    """One connection to a receiver."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader = reader
        self._writer = writer

    async def send(self, raw: bytes) -> None:
        self._writer.write(raw)
        await self._writer.drain()

    async def answer(self, *, to_head: bool = False) -> Answered | None:
        """The next answer, or None if the connection is closed without one."""
        raw = await self.answer_bytes(to_head=to_head)
        if raw is None:
            return None
        head, _, content = raw.partition(b"\r\n\r\n")
        status_line, *lines = head.decode().split("\r\n")
        headers = {k.lower(): v for k, _, v in (line.partition(": ") for line in lines)}
        return Answered(int(status_line.split()[1]), headers, json.loads(content) if content else None)

    async def answer_bytes(self, *, to_head: bool = False) -> bytes | None:
        """The next answer as it is on the wire, or None if the connection is closed without one."""
        try:
            async with asyncio.timeout(DEADLINE_S):
                head = await self._reader.readuntil(b"\r\n\r\n")
                length = re.search(rb"(?i)\r\ncontent-length: (\d+)", head)
                size = 0 if to_head or length is None else int(length[1])
                return head + await self._reader.readexactly(size)
        except (asyncio.IncompleteReadError, ConnectionError):
            return None

    def extra(self, name: str) -> Any:
        """What the transport knows of itself, such as the other side's certificate."""
        return self._writer.get_extra_info(name)

    async def closed(self) -> bool:
        """Wait until the other side closes, having sent nothing more."""
        async with asyncio.timeout(DEADLINE_S):
            try:
                return await self._reader.read(1) == b""
            except ConnectionError:
                return True

    async def ask(self, raw: bytes) -> Answered | None:
        await self.send(raw)
        return await self.answer(to_head=raw.startswith(b"HEAD"))


@asynccontextmanager
async def connected(
    port: int, tls: ssl.SSLContext | None = None, *, source: str = "127.0.0.1"
) -> AsyncIterator[Wire]:
    """`source` is the address that the receiver sees: any of 127.0.0.0/8 on Linux."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port, ssl=tls, local_addr=(source, 0))
    try:
        yield Wire(reader, writer)
    finally:
        writer.close()
        with suppress(ConnectionError):
            await writer.wait_closed()
