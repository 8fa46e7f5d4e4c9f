"""Decides which connections are let in, and which one makes way when there is no room for another."""

import asyncio
import resource
from collections import Counter
from collections.abc import Callable
from typing import Protocol

import structlog

from receiver import answers
from receiver.answers import Reply
from receiver.client_address import ClientAddresses
from receiver.metrics import ReceiverMetrics
from schemas.settings import Settings

# File descriptors for all else: Kafka, the spool, the admin port, connections that are being turned away.
RESERVED_FILES = 512
MAX_FAREWELLS = 128
FAREWELL_S = 1.0

log = structlog.get_logger()


class Guest(Protocol):
    """What is needed of a connection."""

    def force_close(self) -> None:
        """Close it without an answer."""


class Connections:
    """Where TCCC_MAX_CONNECTIONS are open, the one that keeps us waiting longest makes way for the next.

    Waiting is who has not brought a whole request since the last answer: idle, or slow with its head or body.
    Those go first that never brought a push that was taken; whose request is being answered never goes.
    """

    def __init__(self, settings: Settings, metrics: ReceiverMetrics, clients: ClientAddresses) -> None:
        self._most = _possible(settings.max_connections)
        self._most_per_address = settings.max_connections_per_address
        self._clients = clients
        self._metrics = metrics
        self._addresses: dict[Guest, str] = {}
        self._by_address: Counter[str] = Counter()
        # In the order in which they began to wait.
        self._strangers: dict[Guest, None] = {}
        self._known: dict[Guest, None] = {}
        self._farewells = 0

    def enter(self, guest: Guest, transport: asyncio.Transport) -> bool:
        """Let a new connection in, or turn it away; False says that the transport is no longer its own."""
        peer = transport.get_extra_info("peername")
        address = self._clients.of_peer(peer)
        reply = self._refusal(address, peer)
        if reply is not None:
            self._turn_away(transport, reply)
            return False
        self._addresses[guest] = address
        self._by_address[address] += 1
        self._strangers[guest] = None
        self._metrics.connections = len(self._addresses)
        return True

    def leave(self, guest: Guest) -> None:
        """The connection is closed; may be said twice."""
        address = self._addresses.pop(guest, None)
        if address is None:
            return
        self._by_address[address] -= 1
        if not self._by_address[address]:
            del self._by_address[address]
        self._served(guest)
        self._metrics.connections = len(self._addresses)

    def serving(self, guest: Guest) -> None:
        """Its request is whole: from now on it waits for us."""
        self._served(guest)

    def waiting(self, guest: Guest, *, taken: bool) -> None:
        """Its request was answered; `taken` if it was a push that is now durable."""
        if guest in self._addresses:
            self._served(guest)
            (self._known if taken else self._strangers)[guest] = None

    def _served(self, guest: Guest) -> None:
        self._strangers.pop(guest, None)
        self._known.pop(guest, None)

    def _refusal(self, address: str, peer: object) -> Reply | None:
        # A trusted proxy is no sender: many stand behind it.
        if 0 < self._most_per_address <= self._by_address[address] and not self._clients.is_trusted(peer):
            self._metrics.limit_hit("max_connections_per_address")
            return answers.CROWDED
        if len(self._addresses) < self._most:
            return None
        self._metrics.limit_hit("max_connections")
        return None if self._make_way() else answers.UNAVAILABLE

    def _make_way(self) -> bool:
        longest = next(iter(self._strangers or self._known), None)
        if longest is None:
            return False
        self.leave(longest)
        longest.force_close()
        return True

    def _turn_away(self, transport: asyncio.Transport, reply: Reply) -> None:
        """Answer without having read a request. The answer is given time to arrive: a flood is not."""
        if self._farewells >= MAX_FAREWELLS:
            transport.abort()
            return
        self._farewells += 1
        transport.set_protocol(_Farewell(transport, reply, self._said_farewell))

    def _said_farewell(self) -> None:
        self._farewells -= 1


class _Farewell(asyncio.Protocol):
    """Says one answer and hangs up; what the client sends is read, for closing upon it would undo the answer."""

    def __init__(self, transport: asyncio.Transport, reply: Reply, done: Callable[[], None]) -> None:
        self._done = done
        self._timer = asyncio.get_running_loop().call_later(FAREWELL_S, transport.abort)
        transport.write(reply.answer(close=True).raw)
        if transport.can_write_eof():
            transport.write_eof()

    def connection_lost(self, exc: Exception | None) -> None:  # noqa: ARG002 -- asyncio's signature
        self._timer.cancel()
        self._done()


def _possible(wanted: int) -> int:
    """As many of the wanted connections as this process may have files for, after raising its soft limit."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    needed = wanted + RESERVED_FILES
    if soft != resource.RLIM_INFINITY and soft < needed:
        soft = needed if hard == resource.RLIM_INFINITY else min(needed, hard)
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
    if soft == resource.RLIM_INFINITY or soft >= needed:
        return wanted
    most = max(1, soft - RESERVED_FILES)
    log.warning("fewer_connections", most=most, why="RLIMIT_NOFILE (ulimit -n)", wanted=wanted)
    return most
