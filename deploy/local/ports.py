"""Loopback ports that are free, and stay the same over the restarts of one home."""

import json
import random
import socket
from collections.abc import Iterable
from pathlib import Path

from deploy.local.files import write_atomically

HOST = "127.0.0.1"

# Below the range that Linux gives to outgoing connections (from 32768): a port chosen here is not taken by
# some client while its broker is down.
_RANGE = range(20_000, 32_000)


def is_free(port: int) -> bool:
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as probe:
        # As servers do: a connection of the last run in TIME_WAIT does not count.
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((HOST, port))
        except OSError:
            return False
        return True


def free_port(*, preferred: int | None = None, taken: Iterable[int] = ()) -> int:
    """Find a port that nothing listens on and that is not among `taken`."""
    avoid = set(taken)
    if preferred is not None and preferred not in avoid and is_free(preferred):
        return preferred
    for port in random.sample(_RANGE, len(_RANGE)):
        if port not in avoid and is_free(port):
            return port
    raise OSError(f"no free port on {HOST} from {_RANGE.start} to {_RANGE.stop}")


def remembered_ports(file: Path, names: Iterable[str]) -> dict[str, int]:
    """Give each name a free port: the one that `file` remembers if nothing else took it, else another."""
    known = _read(file)
    chosen: dict[str, int] = {}
    for name in names:
        chosen[name] = free_port(preferred=known.get(name), taken=chosen.values())
    if chosen != known:
        write_atomically(file, json.dumps(known | chosen) + "\n")
    return chosen


def _read(file: Path) -> dict[str, int]:
    try:
        known = json.loads(file.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return known if isinstance(known, dict) else {}
