"""One TCP proxy between the product and what it leans on: passes bytes on, late, not at all, or breaks off.

Loopback only. What it did is counted, so that a fault is known to have happened.
"""

import asyncio
import contextlib
from collections import Counter
from collections.abc import Callable
from typing import Self

CHUNK_BYTES = 64 * 1024
HOST = "127.0.0.1"
# asyncpg commits by a simple query.
COMMIT = b"COMMIT;\x00"


class Proxy:
    """Set the public fields at any time. `counted` says how often each did something."""

    def __init__(self, target_port: int, port: int = 0) -> None:
        self.delay_s = 0.0  # before each chunk, either way
        self.swallows_answers = False  # what comes back is read and forgotten
        self.loses_commits = 0  # so many COMMITs get through, and their answers do not
        self.counted: Counter[str] = Counter()
        self.port = port
        self.target_port = target_port
        self._server: asyncio.Server | None = None
        self._writers: set[asyncio.StreamWriter] = set()
        self._tasks: set[asyncio.Task[None]] = set()

    async def __aenter__(self) -> Self:
        self._server = await asyncio.start_server(self._serve, HOST, self.port)
        self.port = self._server.sockets[0].getsockname()[1]
        return self

    async def __aexit__(self, *_exc: object) -> None:
        assert self._server is not None
        self._server.close()
        self.break_off()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    def break_off(self) -> int:
        """Reset every connection; returns how many."""
        broken = len(self._writers)
        for writer in self._writers:
            writer.transport.abort()
        self._writers.clear()
        self.counted["reset"] += broken
        return broken

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._tasks.add(task)
        try:
            # Cancelled only when the proxy closes; asyncio would call that an error of this callback.
            with contextlib.suppress(OSError, asyncio.CancelledError):
                await self._connect(reader, writer)
        finally:
            writer.transport.abort()
            self._tasks.discard(task)

    async def _connect(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        there, back = await asyncio.open_connection(HOST, self.target_port)
        ends = {writer, back}
        self._writers |= ends
        pair = _Pair()
        pumps = [
            asyncio.create_task(self._pump(reader, back, lambda chunk: self._request(pair, chunk))),
            asyncio.create_task(self._pump(there, writer, lambda chunk: self._answer(pair, chunk))),
        ]
        try:
            await asyncio.wait(pumps, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for pump in pumps:
                pump.cancel()
            await asyncio.gather(*pumps, return_exceptions=True)
            self._writers -= ends
            back.transport.abort()

    async def _pump(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, filtered: Callable[[bytes], bytes]
    ) -> None:
        while chunk := await reader.read(CHUNK_BYTES):
            if self.delay_s:
                self.counted["delayed"] += 1
                await asyncio.sleep(self.delay_s)
            if passed := filtered(chunk):
                writer.write(passed)
                await writer.drain()

    def _request(self, pair: "_Pair", chunk: bytes) -> bytes:
        if self.loses_commits and COMMIT in chunk:
            self.loses_commits -= 1
            pair.awaits_lost_answer = True
        return chunk

    def _answer(self, pair: "_Pair", chunk: bytes) -> bytes:
        if pair.awaits_lost_answer:
            self.counted["commit-lost"] += 1
            raise ConnectionResetError
        if self.swallows_answers:
            self.counted["swallowed"] += 1
            return b""
        return chunk


class _Pair:
    """What is known of one connection through the proxy."""

    __slots__ = ("awaits_lost_answer",)

    def __init__(self) -> None:
        self.awaits_lost_answer = False
