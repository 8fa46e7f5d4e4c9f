"""Bodies that come slowly: what is counted of them, and given up."""

import asyncio
from collections.abc import Sequence
from types import SimpleNamespace
from typing import Any, cast

import pytest
from aiohttp.web import BaseRequest
from prometheus_client import CollectorRegistry

from receiver.bodies import Bodies, Held, NoRoom
from receiver.metrics import ReceiverMetrics
from schemas.settings import Settings


class Trickle:
    """A body of which a part comes each time `go` is set; whoever gives it up is too late for the part that is there."""

    def __init__(self, parts: Sequence[bytes]) -> None:
        self._parts = list(parts)
        self.go = asyncio.Event()

    async def readany(self) -> bytes:
        await self.go.wait()
        self.go.clear()
        return self._parts.pop(0) if self._parts else b""

    def set_exception(self, _error: Exception) -> None:
        pass


def request(body: Trickle) -> BaseRequest:
    return cast("BaseRequest", SimpleNamespace(content=body, transport=object(), headers={}))


async def test_a_body_that_was_given_up_counts_for_nothing_though_a_part_of_it_still_comes() -> None:
    metrics = ReceiverMetrics(CollectorRegistry())
    bodies = Bodies(Settings(max_in_flight_bytes=2000), metrics)
    for _ in range(5):  # what one round leaked the next one lacked
        first, second = Trickle([b"x" * 600, b"x" * 300]), Trickle([b"x" * 600])
        held = Held(), Held()
        older = asyncio.create_task(bodies.read(request(first), held[0]))
        newer = asyncio.create_task(bodies.read(request(second), held[1]))
        await step(first)
        second.go.set()  # more than there is room for: the older one is given up …
        first.go.set()  # … as its next part comes
        with pytest.raises(NoRoom):
            await older
        await step(second)
        assert await newer == b"x" * 600
        for one in held:
            bodies.release(one)
    assert metrics.in_flight_bytes == 0


async def step(body: Any) -> None:
    body.go.set()
    while body.go.is_set():
        await asyncio.sleep(0)
    await asyncio.sleep(0)
