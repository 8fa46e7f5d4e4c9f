"""Which connections are let in, and which one makes way."""

import asyncio
import resource

import pytest
from prometheus_client import CollectorRegistry

from receiver.client_address import ClientAddresses
from receiver.connections import MAX_FAREWELLS, RESERVED_FILES, Connections, _possible
from receiver.metrics import ReceiverMetrics
from schemas.settings import Settings


class Guest:
    def __init__(self) -> None:
        self.closed = False

    def force_close(self) -> None:
        self.closed = True


class Pipe(asyncio.Transport):
    """A transport that remembers what was said through it."""

    def __init__(self, address: str = "192.0.2.1") -> None:
        super().__init__({"peername": (address, 1)})
        self.written = b""
        self.protocol: asyncio.BaseProtocol | None = None
        self.aborted = False

    def set_protocol(self, protocol: asyncio.BaseProtocol) -> None:
        self.protocol = protocol

    def write(self, data: bytes | bytearray | memoryview) -> None:
        self.written += data

    def can_write_eof(self) -> bool:
        return False

    def abort(self) -> None:
        self.aborted = True


class Door:
    """A receiver's connections, and what its metrics say."""

    def __init__(self, **settings: int) -> None:
        self.registry = CollectorRegistry()
        self.metrics = ReceiverMetrics(self.registry)
        made = Settings(trusted_proxies=("10.0.0.0/8",), **settings)  # type: ignore[arg-type]
        self.connections = Connections(made, self.metrics, ClientAddresses(made.trusted_proxies))

    def enter(self, address: str = "192.0.2.1") -> Guest | None:
        guest = Guest()
        return guest if self.connections.enter(guest, Pipe(address)) else None

    def entered(self) -> Guest:
        guest = self.enter()
        assert guest is not None
        return guest

    def hits(self, setting: str) -> float | None:
        return self.registry.get_sample_value("tccc_receiver_limit_hits_total", {"setting": setting})

    @property
    def open(self) -> float | None:
        return self.registry.get_sample_value("tccc_receiver_connections")


async def test_who_waits_longest_makes_way() -> None:
    door = Door(max_connections=3)
    busy, first, second = door.entered(), door.entered(), door.entered()
    door.connections.serving(busy)
    third = door.entered()
    assert [guest.closed for guest in (busy, first, second, third)] == [False, True, False, False]
    assert (door.open, door.hits("TCCC_MAX_CONNECTIONS")) == (3, 1)
    door.connections.leave(first)  # its transport says so later
    door.connections.waiting(first, taken=True)
    assert door.open == 3
    door.entered()
    assert second.closed


async def test_who_has_brought_a_push_makes_way_last() -> None:
    door = Door(max_connections=2)
    known, stranger = door.entered(), door.entered()
    for guest, taken in ((known, True), (stranger, False)):
        door.connections.serving(guest)
        door.connections.waiting(guest, taken=taken)
    newer = door.entered()
    assert (known.closed, stranger.closed) == (False, True)
    door.connections.serving(newer)
    door.entered()
    assert known.closed


async def test_the_newcomer_is_turned_away_where_all_are_being_served() -> None:
    door = Door(max_connections=1)
    busy = door.entered()
    door.connections.serving(busy)
    pipe = Pipe()
    assert not door.connections.enter(Guest(), pipe)
    assert pipe.written.startswith(b"HTTP/1.1 503 ")
    assert b'"ErrCode": 50301' in pipe.written
    assert b"Retry-After: " in pipe.written
    assert not busy.closed
    assert isinstance(pipe.protocol, asyncio.Protocol)
    pipe.protocol.connection_lost(None)


async def test_one_address_has_its_share_and_a_trusted_proxy_has_none() -> None:
    door = Door(max_connections_per_address=2)
    first = door.entered()
    door.entered()
    pipe = Pipe()
    assert not door.connections.enter(Guest(), pipe)
    assert pipe.written.startswith(b"HTTP/1.1 429 ")
    assert b'"ErrCode": 42901' in pipe.written
    assert door.enter("192.0.2.2") is not None
    assert all(door.enter("10.1.2.3") for _ in range(5))
    assert door.hits("TCCC_MAX_CONNECTIONS_PER_ADDRESS") == 1
    door.connections.leave(first)
    assert door.enter() is not None
    assert isinstance(pipe.protocol, asyncio.Protocol)
    pipe.protocol.connection_lost(None)


async def test_a_flood_of_those_turned_away_gets_no_answer() -> None:
    door = Door(max_connections_per_address=1)
    door.entered()
    pipes = [Pipe() for _ in range(MAX_FAREWELLS + 1)]
    for pipe in pipes:
        door.connections.enter(Guest(), pipe)
    assert [pipe.aborted for pipe in pipes] == [False] * MAX_FAREWELLS + [True]
    for pipe in pipes[:-1]:
        assert isinstance(pipe.protocol, asyncio.Protocol)
        pipe.protocol.connection_lost(None)
    door.connections.enter(Guest(), again := Pipe())
    assert again.written
    assert isinstance(again.protocol, asyncio.Protocol)
    again.protocol.connection_lost(None)


def test_no_more_connections_than_files(monkeypatch: pytest.MonkeyPatch) -> None:
    limits = {"now": (256, 1024)}
    monkeypatch.setattr(resource, "getrlimit", lambda _: limits["now"])
    monkeypatch.setattr(resource, "setrlimit", lambda _, pair: limits.update(now=pair))
    assert _possible(100) == 100
    assert limits["now"] == (100 + RESERVED_FILES, 1024)
    assert _possible(10_000) == 1024 - RESERVED_FILES
    assert limits["now"] == (1024, 1024)
    limits["now"] = (resource.RLIM_INFINITY, resource.RLIM_INFINITY)
    assert _possible(10_000) == 10_000
