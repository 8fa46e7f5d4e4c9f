"""The load generator for machines without Go: the same options, the same report; it costs more than it measures.

`python -m tests.bench.load_python -address=HOST:PORT -bodies=FILE -rate=0 …`
"""

import argparse
import asyncio
import random
import sys
import time
from collections.abc import AsyncIterator
from pathlib import Path

import msgspec
import uvloop

from tests.bench.bodies import session_id
from tests.bench.load import LATENESS_S, Load

_PATIENCE_S = 30.0
_SESSION = b'"SessionId":"'


class Tally:
    """What all connections have seen."""

    def __init__(self) -> None:
        self.latencies_s: list[float] = []
        self.refused = 0
        self.broken = 0
        self.unsent = 0

    def report(self, seconds: float) -> Load:
        seen = sorted(self.latencies_s) or [0.0]

        def quantile_ms(share: float) -> float:
            return round(seen[int(share * (len(seen) - 1))] * 1000, 3)

        return Load(
            ok=len(self.latencies_s),
            refused=self.refused,
            broken=self.broken,
            unsent=self.unsent,
            seconds=seconds,
            p50_ms=quantile_ms(0.5),
            p99_ms=quantile_ms(0.99),
            p999_ms=quantile_ms(0.999),
            max_ms=quantile_ms(1.0),
        )


class Requests:
    """Hands out what is due, and when it was."""

    def __init__(self, options: argparse.Namespace) -> None:
        self._bodies = Path(options.bodies).read_bytes().splitlines()
        self._dice = random.Random(options.seed)
        self._rate = options.rate
        self._seconds = options.seconds
        self._number = 0
        self._started = time.perf_counter()
        self.end = self._started + options.seconds + LATENESS_S
        lines = [
            f"POST {options.target} HTTP/1.1",
            "Host: bench",
            "Content-Type: application/json;charset=utf8",
        ]
        if options.authorization:
            lines.append(f"Authorization: {options.authorization}")
        self._head = "\r\n".join([*lines, "X-TCCC-PUSH-UUID: "]).encode()

    async def __aiter__(self) -> AsyncIterator[tuple[float, bytes]]:
        while True:
            number, now = self._number, time.perf_counter()
            if self._rate:
                due = self._started + number / self._rate
                if number >= self._rate * self._seconds:
                    return
            else:
                due = now
                if now > self._started + self._seconds:
                    return
            self._number += 1
            if due > now:
                await asyncio.sleep(due - now)
            yield due, self._render(number)

    def _render(self, number: int) -> bytes:
        body = self._bodies[number % len(self._bodies)]
        at = body.index(_SESSION) + len(_SESSION)
        ids = session_id(self._dice).encode(), session_id(self._dice).encode()
        return b"%s%s\r\nContent-Length: %d\r\n\r\n%s%s%s" % (
            *(self._head, ids[0], len(body)),
            *(body[:at], ids[1], body[at + len(ids[1]) :]),
        )


async def send(options: argparse.Namespace, requests: Requests, tally: Tally) -> None:
    """One connection; it is made anew after an error."""
    host, _, port = options.address.rpartition(":")
    streams = None
    async for due, request in requests:
        if time.perf_counter() > requests.end:
            tally.unsent += 1
            continue
        try:
            async with asyncio.timeout(_PATIENCE_S):
                streams = streams or await asyncio.open_connection(host, int(port))
                streams[1].write(request)
                status = await _read_answer(streams[0])
        except (OSError, TimeoutError, asyncio.IncompleteReadError):
            tally.broken += 1
            streams = None
            continue
        if status == 200:
            tally.latencies_s.append(time.perf_counter() - due)
        else:
            tally.refused += 1
    if streams is not None:
        streams[1].close()


async def _read_answer(reader: asyncio.StreamReader) -> int:
    head = await reader.readuntil(b"\r\n\r\n")
    length = head.lower().partition(b"content-length:")[2].partition(b"\r\n")[0]
    await reader.readexactly(int(length))
    return int(head[9:12])


async def run(options: argparse.Namespace) -> Load:
    tally, started = Tally(), time.perf_counter()
    requests = Requests(options)
    await asyncio.gather(*(send(options, requests, tally) for _ in range(options.connections)))
    return tally.report(time.perf_counter() - started)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("-address", required=True)
    parser.add_argument("-target", required=True)
    parser.add_argument("-authorization", default="")
    parser.add_argument("-bodies", required=True)
    parser.add_argument("-connections", type=int, default=64)
    parser.add_argument("-rate", type=float, default=0)
    parser.add_argument("-seconds", type=float, default=3)
    parser.add_argument("-seed", type=int, default=1)
    report = uvloop.run(run(parser.parse_args()))
    sys.stdout.buffer.write(msgspec.json.encode(report))


if __name__ == "__main__":
    main()
