"""The other side of tests.hostile.slow: clients that are idle, or slow with their heads and bodies, as a process.

`python -m tests.hostile.slow_attack PORT IDLE SLOW` runs until it is ended. Whoever is hung up on comes back.
"""

import asyncio
import random
import sys
from collections.abc import Awaitable, Callable

HOST = "127.0.0.1"
# Loopback has many addresses; the pushes come from another.
SOURCE = ("127.0.0.9", 0)
BYTE_EVERY_S = 1.0
AGAIN_S = 1.0
# A listener's queue is short; and so many new connections a second are an attack of another kind.
OPENING = 50

_HEAD = b"POST /?action=cdr&version=1 HTTP/1.1\r\nHost: receiver\r\n"
_REFUSED = b"GET / HTTP/1.1\r\nHost: receiver\r\n\r\n"

Behaviour = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]


async def silent(reader: asyncio.StreamReader, _writer: asyncio.StreamWriter) -> None:
    """Never says a word: the slowest of heads."""
    await reader.read()


async def idle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Has one request refused, and keeps the connection: it is closed after TCCC_KEEPALIVE_S."""
    writer.write(_REFUSED)
    await reader.read()


async def slow_head(_reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """A head that never ends."""
    writer.write(_HEAD + b"X-Slow: ")
    await _trickle(writer)


async def slow_body(_reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """A large part of a body at once, then a byte at a time."""
    writer.write(_HEAD + b"Content-Length: 1000000\r\n\r\n" + b"x" * 30_000)
    await _trickle(writer)


async def _trickle(writer: asyncio.StreamWriter) -> None:
    while not writer.is_closing():
        writer.write(b"x")
        await writer.drain()
        await asyncio.sleep(BYTE_EVERY_S * random.uniform(0.5, 1.5))


async def persist(port: int, behave: Behaviour, opening: asyncio.Semaphore) -> None:
    while True:
        try:
            async with opening:
                reader, writer = await asyncio.open_connection(HOST, port, local_addr=SOURCE)
            try:
                await behave(reader, writer)
            finally:
                writer.transport.abort()
        except OSError:
            pass
        await asyncio.sleep(AGAIN_S * random.random())


async def main(port: int, idle_count: int, slow_count: int) -> None:
    opening = asyncio.Semaphore(OPENING)
    slow: list[Behaviour] = [silent, slow_head, slow_body]
    kinds: list[Behaviour] = [*[idle] * idle_count, *slow * (slow_count // len(slow))]
    await asyncio.gather(*(persist(port, behave, opening) for behave in kinds))


if __name__ == "__main__":
    asyncio.run(main(*map(int, sys.argv[1:4])))
