"""Asks a broker which brokers it knows to be alive: the sign that it serves, and not only listens.

A request of Kafka's own protocol on a plain socket, so that it works without an event loop and within one.
"""

import socket
import struct

from deploy.local.ports import HOST

_METADATA, _VERSION, _CORRELATION_ID = 3, 1, 7
_CLIENT = b"tccc-probe"
# Kafka protocol guide, Metadata request v1: the header, then an empty array: no topic.
_REQUEST = (
    struct.pack(">hhih", _METADATA, _VERSION, _CORRELATION_ID, len(_CLIENT)) + _CLIENT + struct.pack(">i", 0)
)


def live_brokers(port: int, timeout_s: float = 2.0) -> set[int]:
    """Return the node ids of the brokers that are alive by the word of this one; none if it does not answer."""
    try:
        with socket.create_connection((HOST, port), timeout=timeout_s) as connection:
            connection.sendall(struct.pack(">i", len(_REQUEST)) + _REQUEST)
            (size,) = struct.unpack(">i", _read(connection, 4))
            return _node_ids(_read(connection, size))
    except (OSError, struct.error, EOFError):
        return set()


def _read(connection: socket.socket, size: int) -> bytes:
    data = bytearray()
    while len(data) < size:
        chunk = connection.recv(size - len(data))
        if not chunk:
            raise EOFError("the broker closed the connection")
        data += chunk
    return bytes(data)


def _node_ids(answer: bytes) -> set[int]:
    """Read Metadata response v1: correlation id, then brokers of (id, host, port, rack or none)."""
    _, count = struct.unpack_from(">ii", answer)
    at, ids = 8, set()
    for _ in range(count):
        (node_id, host_size) = struct.unpack_from(">ih", answer, at)
        at += 6 + host_size + 4
        (rack_size,) = struct.unpack_from(">h", answer, at)
        at += 2 + max(0, rack_size)
        ids.add(node_id)
    return ids
