from types import SimpleNamespace
from typing import cast

import pytest
from aiohttp.web import BaseRequest
from multidict import CIMultiDict

from receiver.client_address import UNKNOWN, ClientAddresses

PROXIES = ("10.0.0.0/8", "192.0.2.7", "fd00::/8")


def request(peer: str | None, *forwarded: str) -> BaseRequest:
    """All that is looked at of a request: who sent it, and its X-Forwarded-For lines."""
    peername = (peer, 4711) if peer else ""
    transport = SimpleNamespace(get_extra_info={"peername": peername}.get)
    headers = CIMultiDict([("x-forwarded-for", line) for line in forwarded])
    return cast("BaseRequest", SimpleNamespace(transport=transport, headers=headers))


@pytest.mark.parametrize(
    ("peer", "forwarded", "client"),
    [
        ("198.51.100.1", (), "198.51.100.1"),
        ("198.51.100.1", ("203.0.113.9",), "198.51.100.1"),  # nobody vouches for the header
        ("10.1.2.3", (), "10.1.2.3"),
        ("10.1.2.3", ("203.0.113.9",), "203.0.113.9"),
        ("192.0.2.7", ("203.0.113.9",), "203.0.113.9"),
        ("192.0.2.8", ("203.0.113.9",), "192.0.2.8"),
        ("10.1.2.3", ("1.1.1.1, 203.0.113.9",), "203.0.113.9"),  # the client wrote 1.1.1.1 itself
        ("10.1.2.3", ("1.1.1.1", "203.0.113.9"), "203.0.113.9"),
        ("10.1.2.3", ("1.1.1.1, 203.0.113.9, 10.9.9.9",), "203.0.113.9"),
        ("10.1.2.3", ("10.8.8.8, 10.9.9.9",), "10.8.8.8"),
        ("10.1.2.3", ("203.0.113.9:5000",), "203.0.113.9"),
        ("10.1.2.3", ("[2001:db8:1:2:3::4]:5000",), "2001:db8:1:2::/64"),
        ("10.1.2.3", ("203.0.113.9, unknown",), "10.1.2.3"),
        ("10.1.2.3", ("203.0.113.9, unknown, 10.9.9.9",), "10.9.9.9"),
        ("10.1.2.3", ("",), "10.1.2.3"),
        ("::ffff:10.1.2.3", ("203.0.113.9",), "203.0.113.9"),
        ("fd00::1", ("203.0.113.9",), "203.0.113.9"),
        ("2001:db8::1", (), "2001:db8::/64"),
        ("fe80::1%eth0", (), "fe80::/64"),
        (None, (), UNKNOWN),
    ],
)
def test_the_last_hop_that_is_no_trusted_proxy_counts(
    peer: str | None, forwarded: tuple[str, ...], client: str
) -> None:
    assert ClientAddresses(PROXIES).of_request(request(peer, *forwarded)) == client


def test_without_trusted_proxies_the_peer_counts() -> None:
    assert ClientAddresses().of_request(request("10.1.2.3", "203.0.113.9")) == "10.1.2.3"


def test_a_closed_connection_has_no_address() -> None:
    closed = cast("BaseRequest", SimpleNamespace(transport=None, headers={}))
    assert ClientAddresses(PROXIES).of_request(closed) == UNKNOWN


def test_a_peer_may_be_a_trusted_proxy() -> None:
    addresses = ClientAddresses(PROXIES)
    assert addresses.is_trusted(("10.1.2.3", 1))
    assert addresses.is_trusted(("::ffff:10.1.2.3", 1, 0, 0))
    assert not addresses.is_trusted(("11.1.2.3", 1))
    assert not addresses.is_trusted("")
    assert addresses.of_peer(("2001:db8::1", 1, 0, 0)) == "2001:db8::/64"
