"""The contract's HTTP table: a request as bytes on the wire, and how it is to be answered."""

import gzip
import json
from typing import Any

from msgspec import Struct

SDK_APP_ID = 1400000001
MARK = "s3cr3t"  # stands where a request's content would show if it were echoed or logged
MAX_BODY_BYTES = 2048


def body(**fields: Any) -> bytes:
    return json.dumps({"SdkAppId": SDK_APP_ID, "SessionId": "s-1"} | fields, ensure_ascii=False).encode()


GOOD = body(Caller="0086138", CallerLocation="广东")
CHUNKED = {"Transfer-Encoding": "chunked"}


class Case(Struct, frozen=True, kw_only=True):
    """`status` None: the connection is closed without an answer. `reason`: why it is among the dead letters."""

    name: str
    request: bytes
    status: int | None
    code: int | None = None
    reason: str | None = None
    headers: dict[str, str] = {}
    closes: bool = False
    key: str | None = None
    published: bytes | None = None


def request(
    target: str = "/?action=cdr&version=1",
    sent: bytes = GOOD,
    *,
    method: str = "POST",
    http: str = "1.1",
    headers: dict[str, str] | None = None,
    framing: dict[str, str] | None = None,
) -> bytes:
    """A request with a Content-Length, unless `framing` says otherwise."""
    fields = {"Host": "receiver"} | ({"Content-Length": str(len(sent))} if framing is None else framing)
    lines = [f"{method} {target} HTTP/{http}", *(f"{k}: {v}" for k, v in (fields | (headers or {})).items())]
    return "\r\n".join([*lines, "", ""]).encode() + sent


def chunks(*parts: bytes) -> bytes:
    return b"".join(b"%x\r\n%s\r\n" % (len(part), part) for part in (*parts, b""))


def taken(name: str, sent: bytes, *, published: bytes | None = None, key: str | None = "s-1") -> Case:
    return Case(name=name, request=sent, status=200, code=0, published=published or GOOD, key=key)


def kept(name: str, sent: bytes, code: int, reason: str, key: str | None = None) -> Case:
    return Case(name=name, request=sent, status=400, code=code, reason=reason, key=key)


def malformed(name: str, sent: bytes) -> Case:
    return Case(name=name, request=sent, status=400, code=40000, closes=True)


_HEAD = b"POST /?action=cdr&version=1 HTTP/1.1\r\nHost: receiver\r\n"
_LENGTH = b"Content-Length: %d\r\n" % len(GOOD)
_COMMA = b'{"SdkAppId":1400000001,"SessionId":"s-1","a":[1,],}'
_FIT = body(Uui="x" * (MAX_BODY_BYTES - len(body(Uui=""))))

TAKEN = [
    taken("cdr", request()),
    taken("record", request("/?action=record&version=1")),
    taken("imcdr", request("/?action=imcdr&version=1")),
    taken("voicemail without a version", request("/?action=voicemail")),
    taken("parameters percent-encoded", request("/?%61ction=%63dr&version=%31")),
    taken("no content type", request(headers={"Content-Type": ""})),
    taken("other content type", request(headers={"Content-Type": "text/plain; charset=utf8"})),
    taken("absolute target", request("http://receiver/?action=cdr&version=1")),
    taken("chunked", request(sent=chunks(GOOD[:7], GOOD[7:]), framing=CHUNKED)),
    taken("encoding identity", request(headers={"Content-Encoding": "identity"})),
    taken("HTTP/1.0", request(http="1.0")),
    taken("upgrade not taken up", request(headers={"Connection": "upgrade", "Upgrade": "h2c"})),
    taken("empty lines before", b"\r\n\r\n" + request()),
    taken("as large as may be", request(sent=_FIT), published=_FIT),
    taken("lone surrogate", request(sent=b'{"SdkAppId":"1400000001","SessionId":"s-1","x":"\\ud800"}'),
          published=b'{"SdkAppId":"1400000001","SessionId":"s-1","x":"\\ud800"}'),
    taken("trailing commas", request(sent=_COMMA), published=b'{"SdkAppId":1400000001,"SessionId":"s-1","a":[1]}'),
]  # fmt: skip

KEPT = [
    kept("no body", request(sent=b""), 40001, "not-json"),
    kept("no length", request(sent=b"", framing={}), 40001, "not-json"),
    kept("not JSON", request(sent=MARK.encode()), 40001, "not-json"),
    kept("array", request(sent=b"[" + GOOD + b"]"), 40001, "not-json"),
    kept("BOM", request(sent=b"\xef\xbb\xbf" + GOOD), 40001, "not-json"),
    kept("bad UTF-8", request(sent=b'{"SessionId":"s-1","x":"\xff"}'), 40001, "not-json"),
    kept("too deep", request(sent=b'{"SessionId":"s-1","x":' + b"[" * 256 + b"]" * 256 + b"}"), 40001, "not-json"),
    kept("NaN", request(sent=b'{"SessionId":"s-1","x":NaN}'), 40001, "not-json"),
    kept("no SessionId", request(sent=b"{}"), 40002, "bad-session-id"),
    kept("SessionId a number", request(sent=body(SessionId=1)), 40002, "bad-session-id"),
    kept("SessionId blank", request(sent=body(SessionId=" ")), 40002, "bad-session-id"),
    kept("SessionId long", request(sent=body(SessionId="x" * 257)), 40002, "bad-session-id"),
    kept("SessionId with a control", request(sent=body(SessionId="a\r\nb")), 40002, "bad-session-id"),
    kept("SessionId with a surrogate", request(sent=b'{"SessionId":"\\udead"}'), 40002, "bad-session-id"),
    kept("no action", request("/?version=1"), 40003, "bad-action", "s-1"),
    kept("no query", request("/"), 40003, "bad-action", "s-1"),
    kept("unknown action", request(f"/?action={MARK}&version=1"), 40003, "bad-action", "s-1"),
    kept("CR LF in the action", request("/?action=cdr%0d%0aX:y&version=1"), 40003, "bad-action", "s-1"),
    kept("action repeated", request("/?action=cdr&action=cdr&version=1"), 40003, "bad-action", "s-1"),
    kept("no version", request("/?action=cdr"), 40003, "bad-action", "s-1"),
    kept("unknown version", request("/?action=cdr&version=2"), 40003, "bad-action", "s-1"),
    kept("action before JSON", request("/?action=x&version=1", b"{"), 40003, "bad-action"),
]  # fmt: skip

REFUSED = [
    Case(name="other contact centre", request=request(sent=body(SdkAppId=7)), status=403, code=40301),
    Case(name="no SdkAppId", request=request(sent=b'{"SessionId":"s-1"}'), status=403, code=40301),
    Case(name="wrong path", request=request("/x?action=cdr&version=1"), status=404, code=40401),
    Case(name="path before method", request=request("/x", method="PUT"), status=404, code=40401),
    Case(name="path before size", request=request("/x", b"x" * (MAX_BODY_BYTES + 1)), status=404, code=40401),
    Case(name="encoding before size", status=415, code=41501,
         request=request(sent=b"x" * (MAX_BODY_BYTES + 1), headers={"Content-Encoding": "gzip"})),
    Case(name="gzip", status=415, code=41501,
         request=request(sent=gzip.compress(GOOD), headers={"Content-Encoding": "gzip"})),
    Case(name="deflate", request=request(headers={"Content-Encoding": "deflate"}), status=415, code=41501),
    Case(name="gzip, chunked", status=415, code=41501,
         request=request(sent=chunks(GOOD), framing={"Transfer-Encoding": "gzip, chunked"})),
    *(Case(name=method, request=request(method=method), status=405, code=None if method == "HEAD" else 40501,
           headers={"allow": "POST"}) for method in ("GET", "HEAD", "PUT", "PATCH", "DELETE", "OPTIONS")),
    Case(name="too large", request=request(sent=b"x" * (MAX_BODY_BYTES + 1)), status=413, code=41301, closes=True),
    Case(name="announced too large", request=request(sent=b"", framing={"Content-Length": "9999999999"}),
         status=413, code=41301, closes=True),
    Case(name="chunks too large", status=413, code=41301, closes=True,
         request=request(sent=chunks(*[b"x" * 500] * 6), framing=CHUNKED)),
    Case(name="body never ends", request=request(sent=GOOD[:9], framing={"Content-Length": "99"}),
         status=408, code=40801, closes=True),
    Case(name="chunks never end", request=request(sent=b"2\r\n{}\r\n", framing=CHUNKED),
         status=408, code=40801, closes=True),
    Case(name="no head", request=b"", status=None, closes=True),
    Case(name="head never ends", request=_HEAD, status=None, closes=True),
    Case(name="endless empty lines", request=b"\r\n" * 20, status=None, closes=True),
]  # fmt: skip

MALFORMED = [
    malformed("chunked and a length", request(sent=chunks(GOOD), framing=CHUNKED | {"Content-Length": "5"})),
    malformed("two lengths", _HEAD + _LENGTH + _LENGTH + b"\r\n" + GOOD),
    malformed("two different lengths", _HEAD + _LENGTH + b"Content-Length: 1\r\n\r\n" + GOOD),
    malformed("length not a number", request(framing={"Content-Length": f"1{MARK}"})),
    malformed("length negative", request(framing={"Content-Length": "-1"})),
    malformed("length beyond 64 bits", request(framing={"Content-Length": "9" * 30})),
    malformed("broken chunk size", request(sent=MARK.encode() + b"\r\n", framing=CHUNKED)),
    malformed("broken later chunk", request(sent=b"2\r\n{}\r\n" + MARK.encode() + b"\r\n", framing=CHUNKED)),
    malformed("transfer encoding not chunked", request(framing={"Transfer-Encoding": "gzip"})),
    malformed("bare LF", request().replace(b"\r\n", b"\n")),
    malformed("NUL in a header", request(headers={"X": f"{MARK}\0"})),
    malformed("CR in a header", request(headers={"X": f"{MARK}\rx"})),
    malformed("folded header", request(headers={"X": f"{MARK}\r\n y"})),
    malformed("header line of 9 KB", request(headers={"Authorization": MARK * 1500})),
    malformed("URL of 9 KB", request(f"/?action=cdr&version=1&x={MARK * 1500}")),
    malformed("300 headers", request(headers={f"X-{n}": MARK for n in range(300)})),
    malformed("header without a colon", _HEAD + MARK.encode() + b"\r\n\r\n"),
    malformed("space before the colon", request(headers={"X ": MARK})),
    malformed("no Host", b"POST / HTTP/1.1\r\n" + _LENGTH + b"\r\n" + GOOD),
    malformed("two Hosts", _HEAD + b"Host: y\r\n" + _LENGTH + b"\r\n" + GOOD),
    malformed("unknown method", request(method=MARK.upper())),
    malformed("unknown version of HTTP", request(http="9.9")),
    malformed("bytes beyond ASCII in the URL", request(f"/?action={MARK}é")),
    malformed("space in the URL", request(f"/?action={MARK} x")),
    malformed("target without a slash", request(MARK)),
    malformed("HTTP/2", b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"),
    malformed("TLS", b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + MARK.encode()),
    malformed("noise", b"\x00\x01\xff" + MARK.encode() + b"\r\n\r\n"),
]

ALL = [*TAKEN, *KEPT, *REFUSED, *MALFORMED]
