"""The HTTP contract under bad input: whatever is sent to a running receiver, each answer is one of its table."""

import asyncio
import re
import uuid
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress

from msgspec.structs import replace

from runtime.topics import ensure_topics
from schemas.settings import Settings
from tests.contract.http_cases import request
from tests.contract.wire import Answered, Wire, connected
from tests.fuzz.laws import DEAD, REFUSED, STORED
from tests.processes import Role, running

_PROBE = request(method="PUT", sent=b"")
_TOO_MANY = 50
# No 500 and no 503: neither has a place in the answers to bad input.
_ENDS = {
    (200, 0): STORED,
    **dict.fromkeys([(400, 40001), (400, 40002), (400, 40003)], DEAD),
    **dict.fromkeys(
        [(400, 40000), (401, 40101), (403, 40301), (404, 40401), (405, 40501), (408, 40801), (413, 41301), (415, 41501)],
        REFUSED,
    ),
}  # fmt: skip


async def exchange(port: int, raw: bytes) -> tuple[str, str]:
    """Send it; returns the end of what it begins with. Raises where an answer is not in the table, or none comes."""
    async with connected(port) as wire:
        with suppress(ConnectionError):
            await wire.send(raw)
        first = await _answer(wire)
        if first is None:
            return REFUSED, "closed"
        end = _ENDS[_checked(first)]
        await _until_in_step(wire, first)
        return end, f"{first.status} {first.body['ErrCode']}"


async def exchange_all(port: int, raws: list[bytes]) -> list[tuple[str, str]]:
    """All at once, each on a connection of its own."""
    return await asyncio.gather(*[exchange(port, raw) for raw in raws])


async def _until_in_step(wire: Wire, answered: Answered) -> None:
    """Whatever else the bytes held is answered too, until a request of ours is, or the connection is closed."""
    with suppress(ConnectionError):
        await wire.send(_PROBE)
    for _ in range(_TOO_MANY):
        if answered.headers.get("connection") == "close":
            assert await wire.closed()
            return
        following = await _answer(wire)
        if following is None or _checked(following) == (405, 40501):
            return
        answered = following
    raise AssertionError("answers without end")


async def _answer(wire: Wire) -> Answered | None:
    answered = await wire.answer()
    while answered is not None and answered.status == 100:
        answered = await wire.answer()
    return answered


def _checked(answered: Answered) -> tuple[int, int]:
    assert set(answered.body) == {"ErrMsg", "ErrCode"}
    assert answered.headers["content-type"] == "application/json"
    seen = (answered.status, answered.body["ErrCode"])
    assert seen in _ENDS, f"answered {seen}"
    return seen


@asynccontextmanager
async def receiver(settings: Settings) -> AsyncIterator[tuple[Role, int]]:
    """One that runs as in production, with topics of its own, and is impatient with its clients."""
    unique = uuid.uuid4().hex
    own = replace(
        settings,
        kafka_topic=f"push-{unique}",
        kafka_dead_topic=f"dead-{unique}",
        listen="127.0.0.1:0",
        admin_listen="127.0.0.1:0",
        head_timeout_s=0.3,
        body_timeout_s=0.3,
        ack_timeout_s=20.0,
        drain_s=0,
        dead_per_minute=100_000,
    )
    await ensure_topics(own)
    async with running("receiver", own) as role:
        await role.event("kafka_connected")
        found = re.search(r":(\d+)/", (await role.event("started"))["push"])
        assert found is not None
        yield role, int(found[1])
