"""Whole inputs around mutated bodies: requests for the receiver, consumed records for the worker."""

from aiokafka import ConsumerRecord
from msgspec import Struct

from tests.contract.http_cases import chunks
from tests.fuzz.mutation import Mutator
from tests.records import T0_US
from worker.batch import KafkaRecord

_TARGETS = (
    *("/?action={}&version=1",) * 60,
    *("/?action={}", "/?version=1", "/?action={0}&action={0}&version=1", "/?action={}&version=2", "/?%61ction={}&version=%31"),
    *("/x?action={}&version=1", "/?action={}%0d%0a&version=1", "/?action={}%ff&version=1", "/?action=%00&version=1", "//?action={}"),
    *("http://host/?action={}&version=1", "http://[/?action={}&version=1", "*", "/?" + "a=1&" * 500 + "action={}&version=1"),
)  # fmt: skip
_PUSH_IDS = ("u-{}",) * 6 + ("", "x" * 200, "x" * 201, "\udcff", "é", "a\x7f", "😀" * 60, "a\tb")
_KEYS = (b"",) * 1 + (
    None,
    b" ",
    b"\xff",
    b"a\0b",
    b"k" * 256,
    b"k" * 257,
    "中文".encode(),
    b"'; DROP TABLE tccc.push; --",
)
_HEADERS: tuple[tuple[str, bytes | None], ...] = (
    *(("action", value) for value in (b"", b"\xff", b"c\0dr", b"CDR", None, b"a" * 5000)),
    *(("push-id", value) for value in (b"", b"\xff", b"a\0b", None, b"u" * 5000, "😀".encode())),
    *(("received-at", value) for value in (b"", b"soon", b"-5", b"9" * 18, b"9" * 40, None, b"0", "１".encode())),
    *(("source", value) for value in (b"api", b"", b"\xff", None)),
    *(("dead-stage", b"store"), ("", b""), ("version", None), ("x" * 1000, b"\0" * 1000)),
)  # fmt: skip
# So few that rows are met again and again: duplicates, stale pushes, replaced rows, forgotten pushes.
SESSIONS, PUSHES_OF_ONE = 1500, 60


class Request(Struct, frozen=True):
    """What a push is decided on."""

    target: str
    push_id: str | None
    body: bytes


class Inputs(Mutator):
    """An endless supply of bad input, by one source of randomness."""

    def request(self) -> Request:
        action = self.action()
        target = self._random.choice(_TARGETS).format(action)
        push_id = self._random.choice(_PUSH_IDS).format(self._random.randint(0, 10**6))
        return Request(target, push_id or None, self.body(action))

    def record(self, offset: int) -> KafkaRecord:
        random = self._random
        action = self.action()
        session = f"s-{random.randint(0, SESSIONS)}"
        key: bytes | None = session.encode()
        at_us = T0_US + random.randint(0, 10**9)
        headers: list[tuple[str, bytes | None]] = [
            ("action", action.encode()),
            ("version", b"1"),
            ("push-id", b"u%d" % random.randint(0, PUSHES_OF_ONE)),
            ("received-at", b"%d" % at_us),
            ("source", b"push" if random.random() < 0.9 else b"api"),
        ]
        if random.random() < 0.1:
            headers.insert(random.randint(0, len(headers)), random.choice(_HEADERS))
            headers.append(random.choice(_HEADERS))
        if random.random() < 0.05:
            key = random.choice(_KEYS)
        value = self.body(action, session) if random.random() < 0.995 else None
        return _consumed(offset, key, value, headers)

    def wire(self) -> bytes:
        """A request as bytes, not all of them HTTP."""
        random = self._random
        sent = self.request()
        body, framing = sent.body, f"Content-Length: {len(sent.body)}"
        pick = random.randint(0, 19)
        if pick < 4:
            cut = random.randint(0, len(body))
            body, framing = chunks(*filter(None, (body[:cut], body[cut:]))), "Transfer-Encoding: chunked"
        elif pick < 6:
            framing = random.choice(_FRAMINGS)
        lines = [
            f"{random.choice(_METHODS)} {sent.target} HTTP/1.{random.choice('1111110')}",
            "Host: receiver",
        ]
        lines += [framing, f"X-TCCC-PUSH-UUID: {sent.push_id or ''}"]
        if random.random() < 0.3:
            lines.insert(random.randint(1, len(lines)), random.choice(_LINES))
        raw = "\r\n".join([*lines, "", ""]).encode(errors="surrogateescape") + body
        return self._bytes(raw) if random.random() < 0.3 else raw


_METHODS = ("POST",) * 12 + ("GET", "PATCH", "PUT", "post", "OPTIONS", "CONNECT", "P\x00ST")
_FRAMINGS = (
    *("Content-Length: 5", "Content-Length: 99999", "Content-Length: -1", "Content-Length: x", "Content-Length: 5\r\nContent-Length: 6"),
    *("Transfer-Encoding: gzip, chunked", "Transfer-Encoding: chunked\r\nContent-Length: 5", "Transfer-Encoding: x", "X: y"),
)  # fmt: skip
_LINES = (
    *("Content-Encoding: gzip", "Content-Encoding: identity", "Expect: 100-continue", "Connection: close", "Connection: upgrade"),
    *("Upgrade: h2c", "Authorization: Basic x", "X-Forwarded-For: 1.2.3.4, \udcff", "X: a\0b", "X: a\rb", "X", ": a", " folded"),
    *("X: " + "y" * 9000, "Host: other", "Trailer: X", "Content-Type: \udcff", "Cookie: " + "a=b;" * 1000),
)  # fmt: skip


def _consumed(
    offset: int, key: bytes | None, value: bytes | None, headers: list[tuple[str, bytes | None]]
) -> KafkaRecord:
    return ConsumerRecord(
        topic="tccc.push",
        partition=offset % 6,
        offset=offset,
        timestamp=T0_US // 1000,
        timestamp_type=0,
        key=key,
        value=value,
        checksum=None,
        serialized_key_size=0,
        serialized_value_size=0,
        headers=headers,  # type: ignore[arg-type] # the broker hands over headers without a value too
    )
