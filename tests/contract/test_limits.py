"""Each limit through a socket: its answer, and the metric that counts how often it was met."""

import re
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack

import pytest
from msgspec.structs import replace

from schemas.settings import Settings
from tests.conftest import wait_until
from tests.contract.http_cases import body, request
from tests.contract.reading import read_topic
from tests.contract.wire import Answered, connected
from tests.processes import Role, port_of, running

Running = tuple[Role, int]


@pytest.fixture
async def small(topics: Settings) -> AsyncIterator[Running]:
    """A receiver that allows little of everything."""
    settings = replace(
        topics,
        max_connections=40,
        max_connections_per_address=4,
        trusted_proxies=("127.0.0.2",),
        max_line_bytes=300,
        max_head_bytes=600,
        max_body_bytes=2048,
        max_in_flight_bytes=4096,
        max_json_depth=8,
        head_timeout_s=1.0,
        body_timeout_s=1.0,
        sdk_app_ids=(7,),
        dead_per_minute=3,
        dead_bytes_per_minute=1024,
        ack_timeout_s=20.0,
    )
    async with running("receiver", settings) as role:
        await role.event("kafka_connected")
        yield role, await port_of(role)


async def hits(role: Role, setting: str) -> int:
    text = (await role.admin("/metrics"))[1]
    found = re.search(rf'tccc_receiver_limit_hits_total{{setting="TCCC_{setting}"}} (\d+)\.0', text)
    assert found is not None
    return int(found[1])


def said(answered: Answered | None) -> tuple[int, int]:
    assert answered is not None
    return answered.status, answered.body["ErrCode"]


DEEP = b'{"SessionId":"s","SdkAppId":7,"x":' + b"[" * 8 + b"]" * 8 + b"}"
CASES = {
    "MAX_LINE_BYTES": (request(headers={"X": "x" * 400}), (400, 40000)),
    "MAX_HEAD_BYTES": (request(headers={f"X-{n}": "x" * 200 for n in range(3)}), (400, 40000)),
    "MAX_BODY_BYTES": (request(sent=b"x" * 2049), (413, 41301)),
    "BODY_TIMEOUT_S": (request()[:-1], (408, 40801)),
    "SDK_APP_IDS": (request(), (403, 40301)),
    "MAX_JSON_DEPTH": (request(sent=DEEP), (400, 40001)),
}


async def test_each_limit_has_its_answer_and_is_counted(small: Running) -> None:
    role, port = small
    for setting, (raw, expected) in CASES.items():
        assert await hits(role, setting) == 0, setting
        async with connected(port) as wire:
            assert said(await wire.ask(raw)) == expected, setting
        assert await hits(role, setting) == 1, setting


async def test_a_head_in_many_parts_is_bounded_too(small: Running) -> None:
    role, port = small
    async with connected(port) as wire:
        await wire.send(b"POST /?action=cdr&version=1 HTTP/1.1\r\nHost: receiver\r\n")
        for n in range(4):
            await wire.send(b"X-%d: %s\r\n" % (n, b"x" * 180))
        assert said(await wire.answer()) == (400, 40000)
    assert await hits(role, "MAX_HEAD_BYTES") == 1
    async with connected(port) as wire:
        await wire.send(b"POST / HTTP/1.1\r\nHost:")
        assert await wire.answer() is None
    assert await hits(role, "HEAD_TIMEOUT_S") == 1


async def test_connections_of_one_address_are_bounded_but_not_a_proxys(small: Running) -> None:
    role, port = small
    async with AsyncExitStack() as stack:
        for _ in range(4):
            await stack.enter_async_context(connected(port))
        await wait_until(lambda: _shows(role, "tccc_receiver_connections 4.0"))
        async with connected(port) as one_more:
            assert said(await one_more.answer()) == (429, 42901)
            assert await one_more.closed()
        for _ in range(8):
            wire = await stack.enter_async_context(connected(port, source="127.0.0.2"))
        good = body(SdkAppId=7)
        assert said(await wire.ask(request(sent=good))) == (200, 0)
    assert await hits(role, "MAX_CONNECTIONS_PER_ADDRESS") == 1


async def test_idle_connections_make_way(small: Running) -> None:
    """Far more connections than may be, from a proxy; each newcomer is served, and the oldest are closed."""
    role, port = small
    good = request(sent=body(SdkAppId=7))
    async with AsyncExitStack() as stack:
        vendor = await stack.enter_async_context(connected(port))
        assert said(await vendor.ask(good)) == (200, 0)
        first = await stack.enter_async_context(connected(port, source="127.0.0.2"))
        for _ in range(60):
            await stack.enter_async_context(connected(port, source="127.0.0.2"))
        assert await first.closed()
        assert said(await vendor.ask(good)) == (200, 0)
        await wait_until(lambda: _hit(role, "MAX_CONNECTIONS", 22))


async def test_slow_bodies_leave_room_for_whole_ones(small: Running) -> None:
    """The slow ones would together hold more than may be in flight: the oldest is given up for the next."""
    role, port = small
    slow_one = request(sent=body(Uui="x" * 1500))
    async with AsyncExitStack() as stack:
        slow = []
        for _ in range(3):
            wire = await stack.enter_async_context(connected(port, source="127.0.0.2"))
            await wire.send(slow_one[:-1])
            slow.append(wire)
        assert said(await slow[0].answer()) == (503, 50301)
        async with connected(port) as wire:
            assert said(await wire.ask(request(sent=body(SdkAppId=7)))) == (200, 0)
    assert await hits(role, "MAX_IN_FLIGHT_BYTES") >= 1


@pytest.mark.parametrize(
    ("setting", "size", "kept"), [("DEAD_PER_MINUTE", 1, 3), ("DEAD_BYTES_PER_MINUTE", 500, 2)]
)
async def test_so_much_refused_input_is_kept_and_no_more(
    small: Running, topics: Settings, setting: str, size: int, kept: int
) -> None:
    role, port = small
    async with connected(port) as wire:
        for _ in range(kept + 1):
            assert said(await wire.ask(request(sent=b"x" * size))) == (400, 40001)
    assert await hits(role, setting) == 1
    assert len(await read_topic(topics, topics.kafka_dead_topic)) == kept


async def _hit(role: Role, setting: str, times: int) -> bool:
    return await hits(role, setting) >= times


async def _shows(role: Role, line: str) -> bool:
    return line in (await role.admin("/metrics"))[1]
