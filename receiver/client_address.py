"""Tells the address that a client is counted under, seen through the proxies that the operator trusts."""

from collections.abc import Iterable
from functools import lru_cache
from ipaddress import IPv4Address, IPv6Address, IPv6Network, ip_address, ip_network

from aiohttp.web import BaseRequest

UNKNOWN = "unknown"  # all without an address share this one: who comes over a Unix socket, for instance
_HOME_PREFIX = 64  # bits of an IPv6 address that name a site; one client may use any of the addresses within

Address = IPv4Address | IPv6Address


class ClientAddresses:
    """`X-Forwarded-For` counts only from a trusted proxy, and of it only what trusted proxies have written."""

    def __init__(self, trusted_proxies: Iterable[str] = ()) -> None:
        """`trusted_proxies` are networks, `10.0.0.0/8`, or addresses."""
        self._trusted = tuple(ip_network(one) for one in trusted_proxies)

    def of_request(self, request: BaseRequest) -> str:
        """Give the address of the last hop that is not a trusted proxy, as `of_peer` spells it."""
        transport = request.transport
        peer = _peer(transport.get_extra_info("peername") if transport is not None else None)
        if not self._trusts(peer):
            return _counted_as(peer)
        # Each proxy appends whom it heard: what stands left of the last untrusted hop, that hop made up.
        for written in reversed(",".join(request.headers.getall("X-Forwarded-For", ())).split(",")):
            hop = _parse(written)
            if hop is None:
                break
            peer = hop
            if not self._trusts(hop):
                break
        return _counted_as(peer)

    def of_peer(self, peername: object) -> str:
        """Give the address of a connection's other end: an IPv4 address, or an IPv6 network of 64 bits."""
        return _counted_as(_peer(peername))

    def is_trusted(self, peername: object) -> bool:
        """Whether the other end of a connection is a trusted proxy, which carries many clients."""
        return self._trusts(_peer(peername))

    def _trusts(self, address: Address | None) -> bool:
        return address is not None and any(address in network for network in self._trusted)


def _peer(peername: object) -> Address | None:
    return _parse(peername[0]) if isinstance(peername, tuple) and isinstance(peername[0], str) else None


def _counted_as(address: Address | None) -> str:
    if isinstance(address, IPv6Address):
        return str(IPv6Network((int(address), _HOME_PREFIX), strict=False))
    return UNKNOWN if address is None else str(address)


@lru_cache(maxsize=1024)
def _parse(written: str) -> Address | None:
    """Read an address as peers and proxies write it: also `1.2.3.4:5`, `[::1]:5`, `::ffff:1.2.3.4`, `fe80::1%eth0`."""
    host = written.strip()
    if host.startswith("["):
        host = host[1:].partition("]")[0]
    elif host.count(":") == 1:
        host = host.partition(":")[0]
    try:
        address = ip_address(host.partition("%")[0])
    except ValueError:
        return None
    return address.ipv4_mapped or address if isinstance(address, IPv6Address) else address
