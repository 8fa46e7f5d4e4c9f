"""Bad HTTP: framing, request lines, headers, methods, encodings, and clients that dawdle or leave."""

import gzip
import zlib

from tests.contract.http_cases import CHUNKED, chunks, request
from tests.hostile.case import ID, MALFORMED, NO_ANSWER, STORED, TAKEN, Case, cdr, post

_GOOD = cdr(Caller="0086138")
_HEAD = f"POST /?action=cdr&version=1 HTTP/1.1\r\nHost: receiver\r\nX-TCCC-PUSH-UUID: {ID}\r\n".encode()
_LENGTH = b"Content-Length: %d\r\n" % len(_GOOD)
_LIMIT = 2**20  # TCCC_MAX_BODY_BYTES
_BOMB = gzip.compress(b" " * 50 * 2**20)
_GOOD_CHUNKS = chunks(_GOOD[:9], _GOOD[9:])


def _malformed(group: str, name: str, sent: bytes) -> Case:
    return Case(group=group, name=name, sent=sent, answer=MALFORMED)


def _chunked(sent: bytes, **headers: str) -> bytes:
    return post(sent, framing=CHUNKED | headers)


def _with(**headers: str) -> bytes:
    return post(_GOOD, headers={name.replace("_", "-"): value for name, value in headers.items()})


def _of_size(size: int) -> bytes:
    return cdr(Uui="x" * (size - len(cdr(Uui=""))))


LENGTHS = [
    _malformed("Transfer-Encoding and Content-Length", "length of the whole",
               _chunked(_GOOD_CHUNKS, **{"Content-Length": str(len(_GOOD_CHUNKS))})),
    _malformed("Transfer-Encoding and Content-Length", "length of a part",
               _chunked(_GOOD_CHUNKS, **{"Content-Length": "5"})),
    _malformed("Transfer-Encoding and Content-Length", "length of nothing, a request smuggled after it",
               _chunked(b"0\r\n\r\n" + post(_GOOD), **{"Content-Length": "0"})),
    _malformed("two Content-Lengths", "the same", _HEAD + _LENGTH * 2 + b"\r\n" + _GOOD),
    _malformed("two Content-Lengths", "different", _HEAD + _LENGTH + b"Content-Length: 3\r\n\r\n" + _GOOD),
    _malformed("two Content-Lengths", "in one header", post(_GOOD, framing={"Content-Length": "5, 5"})),
    *(_malformed("Content-Length", f"of {length!r}", post(_GOOD, framing={"Content-Length": length}))
      for length in ("-1", "+5", "0x10", "1e2", "five", "9" * 30, "1 2", "５")),
    *(_malformed("broken chunk sizes", name, _chunked(sent)) for name, sent in (
        ("no number", b"xyz\r\n{}\r\n0\r\n\r\n"),
        ("negative", b"-2\r\n{}\r\n0\r\n\r\n"),
        ("beyond 64 bits", b"f" * 20 + b"\r\n{}\r\n0\r\n\r\n"),
        ("prefixed 0x", b"0x2\r\n{}\r\n0\r\n\r\n"),
        ("larger than announced", b"2\r\n{}{}{}\r\n0\r\n\r\n"),
        ("smaller than announced", b"5\r\n{}\r\n0\r\n\r\n" + b"x" * 9),
        ("ended by a bare LF", b"2\n{}\n0\n\n"),
        ("a broken one after a good one", b"2\r\n{}\r\nzz\r\n"),
    )),
    _malformed("Transfer-Encoding", "chunked twice", post(_GOOD_CHUNKS, framing={"Transfer-Encoding": "chunked, chunked"})),
    _malformed("Transfer-Encoding", "not chunked last", post(_GOOD, framing={"Transfer-Encoding": "chunked, gzip"})),
    _malformed("Transfer-Encoding", "misspelled", post(_GOOD_CHUNKS, framing={"Transfer-Encoding": "xchunked"})),
    Case(group="Transfer-Encoding", name="chunked, as it should be", sent=_chunked(_GOOD_CHUNKS),
         answer=TAKEN, ends=STORED, columns={"caller": "0086138"}),
    Case(group="Transfer-Encoding", name="a trailer after the chunks", answer=TAKEN, ends=STORED,
         sent=_chunked(_GOOD_CHUNKS[:-2] + b"X-After: 1\r\n\r\n")),
]  # fmt: skip

BYTES = [
    _malformed("bare LF, NUL or CR in headers", "LF ends every line", post(_GOOD).replace(b"\r\n", b"\n")),
    *(_malformed("bare LF, NUL or CR in headers", name, _with(X=value)) for name, value in (
        ("NUL in a value", "a\0b"), ("CR in a value", "a\rb"), ("LF in a value", "a\nb"),
        ("a folded line", "a\r\n b"), ("another control", "a\x01b"), ("DEL", "a\x7fb"),
    )),
    _malformed("bare LF, NUL or CR in headers", "NUL in a name", _with(**{"X\0": "a"})),
    _malformed("bare LF, NUL or CR in headers", "a space before the colon", _with(**{"X ": "a"})),
    _malformed("bare LF, NUL or CR in headers", "no colon", _HEAD + b"nothing\r\n" + _LENGTH + b"\r\n" + _GOOD),
    _malformed("bare LF, NUL or CR in headers", "an empty name", _HEAD + b": a\r\n" + _LENGTH + b"\r\n" + _GOOD),
    _malformed("header line or URL over 8 KiB", "header of 9 KB", _with(X="x" * 9000)),
    _malformed("header line or URL over 8 KiB", "header's name of 9 KB", _with(**{"x" * 9000: "1"})),
    _malformed("header line or URL over 8 KiB", "URL of 9 KB", post(_GOOD, target="/?action=cdr&version=1&x=" + "x" * 9000)),
    _malformed("header line or URL over 8 KiB", "URL of 100 KB", post(_GOOD, target="/" + "x" * 100_000)),
    _malformed("hundreds of headers", "300", post(_GOOD, headers={f"X-{n}": "1" for n in range(300)})),
    _malformed("hundreds of headers", "10,000", post(_GOOD, headers={f"X-{n}": "1" for n in range(10_000)})),
    _malformed("Host", "none", b"POST /?action=cdr&version=1 HTTP/1.1\r\n" + _LENGTH + b"\r\n" + _GOOD),
    _malformed("Host", "two", _HEAD + b"Host: other\r\n" + _LENGTH + b"\r\n" + _GOOD),
    _malformed("not HTTP/1", "TLS", b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + bytes(range(256))),
    _malformed("not HTTP/1", "HTTP/2", b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + bytes(40)),
    _malformed("not HTTP/1", "HTTP/9.9", post(_GOOD, http="9.9")),
    _malformed("not HTTP/1", "noise", bytes(range(1, 256)) + b"\r\n\r\n"),
    _malformed("not HTTP/1", "a method that there is not", post(_GOOD, method="PUSH")),
    _malformed("not HTTP/1", "the answer of a server", b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"),
]  # fmt: skip

CONNECTIONS = [
    Case(group="HTTP/1.0", name="a good push", sent=post(_GOOD, http="1.0"), answer="200 0 closed", ends=STORED),
    Case(group="HTTP/1.0", name="that asks to be kept", answer="200 0 closed", ends=STORED,
         sent=post(_GOOD, http="1.0", headers={"Connection": "keep-alive"})),
    Case(group="pipelined requests", name="twice the same", sent=post(_GOOD) * 2,
         answer="200 0, 200 0 kept", ends="stored, duplicate"),
    Case(group="pipelined requests", name="good, lost, bad, good", answer="200 0, 404 40401, 400 40003, 200 0 kept",
         sent=post(_GOOD) + request("/x") + post(_GOOD, target="/") + post(_GOOD),
         ends="stored, duplicate, dead receive bad-action"),
    # What came with it is dropped: not acknowledged, so that it is pushed again.
    _malformed("pipelined requests", "malformed after a good one", post(_GOOD) + b"noise\r\n\r\n"),
    Case(group="pipelined requests", name="a hundred", sent=post(_GOOD) * 100,
         answer=", ".join(["200 0"] * 100) + " kept", ends=", ".join([STORED] + ["duplicate"] * 99)),
    Case(group="slow headers", name="none at all", sent=b"", answer=NO_ANSWER),
    Case(group="slow headers", name="that never end", sent=_HEAD, answer=NO_ANSWER),
    Case(group="slow headers", name="nothing but empty lines", sent=b"\r\n" * 30, answer=NO_ANSWER),
    Case(group="slow body", name="that never ends", sent=post(_GOOD[:9], framing={"Content-Length": "99"}),
         answer="408 40801 closed"),
    Case(group="slow body", name="chunks that never end", sent=_chunked(b"2\r\n{}\r\n"), answer="408 40801 closed"),
    Case(group="slow body", name="announced and never begun", sent=post(b"", framing={"Content-Length": "99"}),
         answer="408 40801 closed"),
    Case(group="a body shorter than announced", name="the rest is another request", answer="400 40001 kept",
         sent=post(b"", framing={"Content-Length": str(len(post(_GOOD)))}) + post(_GOOD), ends="dead receive not-json"),
    Case(group="disconnect in mid-body", name="with a length", sent=post(_GOOD)[:-3], answer=NO_ANSWER, hangs_up=True),
    Case(group="disconnect in mid-body", name="in a chunk", sent=_chunked(_GOOD_CHUNKS[:20]), answer=NO_ANSWER, hangs_up=True),
    Case(group="disconnect in mid-body", name="before the last chunk", sent=_chunked(_GOOD_CHUNKS[:-5]),
         answer=NO_ANSWER, hangs_up=True),
    Case(group="disconnect in mid-body", name="in mid-head", sent=_HEAD, answer=NO_ANSWER, hangs_up=True),
]  # fmt: skip

SIZES = [
    Case(group="a body over the limit", name="as large as may be", sent=post(_of_size(_LIMIT)), answer=TAKEN, ends=STORED),
    Case(group="a body over the limit", name="a byte more", sent=post(_of_size(_LIMIT + 1)), answer="413 41301 closed"),
    Case(group="a body over the limit", name="announced as 9 GB", sent=post(b"", framing={"Content-Length": "9" * 10}),
         answer="413 41301 closed"),
    Case(group="a body over the limit", name="in chunks", sent=_chunked(chunks(*[b" " * 2**16] * 17)), answer="413 41301 closed"),
    Case(group="a body over the limit", name="announced, waiting for 100", answer="413 41301 closed",
         sent=post(b"", framing={"Content-Length": "9" * 10, "Expect": "100-continue"})),
]  # fmt: skip

METHODS = [
    Case(group="GET, HEAD, PUT", name=method, sent=post(_GOOD, method=method),
         answer=f"405 {'-' if method == 'HEAD' else '40501'} kept")
    for method in ("GET", "HEAD", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE")
] + [
    Case(group="GET, HEAD, PUT", name="CONNECT", sent=post(_GOOD, method="CONNECT", target="receiver:80"), answer="404 40401 closed"),
    Case(group="wrong path", name="another", sent=post(_GOOD, target="/x?action=cdr&version=1"), answer="404 40401 kept"),
    Case(group="wrong path", name="upwards", sent=post(_GOOD, target="/../etc/passwd?action=cdr&version=1"), answer="404 40401 kept"),
    Case(group="wrong path", name="with a NUL", sent=post(_GOOD, target="/%00?action=cdr&version=1"), answer="404 40401 kept"),
]  # fmt: skip

ENCODINGS = [
    Case(group="gzip, deflate, a bomb", name=name, sent=post(sent, headers={"Content-Encoding": coding}),
         answer="415 41501 kept")
    for name, coding, sent in (
        ("gzip", "gzip", gzip.compress(_GOOD)),
        ("deflate", "deflate", zlib.compress(_GOOD)),
        ("brotli", "br", b"\x0b\x02\x80{}\x03"),
        ("said to be gzip", "gzip", _GOOD),
        ("gzip over identity", "identity, gzip", gzip.compress(_GOOD)),
        ("a bomb of 50 MB", "gzip", _BOMB),
    )
] + [
    Case(group="gzip, deflate, a bomb", name="a bomb that does not say so", sent=post(_BOMB),
         answer="400 40001 kept", ends="dead receive not-json"),
    Case(group="gzip, deflate, a bomb", name="as transfer encoding", answer="415 41501 kept",
         sent=post(chunks(gzip.compress(_GOOD)), framing={"Transfer-Encoding": "gzip, chunked"})),
    Case(group="gzip, deflate, a bomb", name="identity", sent=_with(Content_Encoding="identity"), answer=TAKEN, ends=STORED),
]  # fmt: skip

ALL = [*LENGTHS, *BYTES, *CONNECTIONS, *SIZES, *METHODS, *ENCODINGS]
