"""Records that no receiver of ours publishes: odd keys, headers and values, straight to the topic."""

from typing import Any

import msgspec

from tests.hostile.case import ID, STORED, Case, Produced, cdr, raw

_GOOD = Produced(cdr(Caller="a"))


def _record(name: str, ends: str, columns: dict[str, Any] | None = None, /, **changes: Any) -> Case:
    sent = msgspec.structs.replace(_GOOD, **changes)
    return Case(group="records of others", name=name, sent=sent, ends=ends, columns=columns or {})


def _with(**headers: bytes | None) -> tuple[tuple[str, bytes | None], ...]:
    """The good headers, some of them changed."""
    changed = dict(_GOOD.headers) | {name.replace("_", "-"): value for name, value in headers.items()}
    return tuple(changed.items())


_BAD_KEYS = {"no key": None, "an empty key": b"", "a blank key": b" ", "a key that is not UTF-8": b"\xff" + ID.encode(),
             "a key with a NUL": ID.encode() + b"\0", "a key of 257 bytes": ID.encode() + b"k" * 248}  # fmt: skip

ALL = [
    *(_record(name, "dead normalise no-key", key=key) for name, key in _BAD_KEYS.items()),
    _record("null for a value", "dead normalise not-json", value=None),
    _record("no headers", "dead normalise unknown-action", headers=()),
    _record("no action", "dead normalise unknown-action", headers=_with(action=None)),
    _record("an empty action", "dead normalise unknown-action", headers=_with(action=b"")),
    _record("an unknown action", "dead normalise unknown-action", headers=_with(action=b"cdrs")),
    _record("an action of 100 KB", "dead normalise unknown-action", headers=_with(action=b"a" * 100_000)),
    _record("an action that is not UTF-8", "dead normalise unknown-action", headers=_with(action=b"cdr\xff")),
    _record("an action with a NUL in it", "dead normalise unknown-action", headers=_with(action=b"c\0dr")),
    _record("two actions, the last counts", STORED, {"caller": "a"}, headers=(("action", b"x"), *_GOOD.headers)),
    _record("an unknown version", STORED, {"caller": "a"}, headers=_with(version=b"9")),
    _record("no push id", STORED, {"caller": "a"}, headers=_with(push_id=None)),
    _record("a push id of 10 KB", STORED, {"caller": "a"}, headers=_with(push_id=b"u" * 10_000)),
    _record("a push id that is not UTF-8", STORED, {"caller": "a"}, headers=_with(push_id=b"\xff")),
    _record("a push id with a NUL", STORED, {"caller": "a"}, headers=_with(push_id=ID.encode() + b"\0")),
    *(_record(f"received-at {at!r}", STORED, {"caller": "a"}, headers=_with(received_at=at))
      for at in (None, b"", b"soon", b"-5", b"0", b"9" * 18, b"9" * 100, b"1.5", "１".encode())),
    _record("an unknown source", STORED, {"source": "push"}, headers=_with(source=b"sms")),
    _record("from the API", STORED, {"source": "api"}, headers=_with(source=b"api")),
    _record("a thousand headers", STORED, {"caller": "a"}, headers=(*_GOOD.headers, *((f"h{n}", b"x") for n in range(1000)))),
    _record("headers of a dead letter", "dead normalise not-json", value=b"{",
            headers=(*_GOOD.headers, ("dead-stage", b"store"), ("dead-reason", b"x"), ("origin-offset", b"z"))),
    _record("the body of another session", STORED, {"repairs": {"SessionId": "other"}}, value=cdr(SessionId="other")),
    _record("a body without a session", STORED, {"caller": "a"}, value=b'{"Caller":"a"}'),
    _record("a session in the body that is no text", STORED, {"repairs": {"SessionId": [1]}}, value=cdr(SessionId=[1])),
    _record("a session in the body of 10 KB", STORED, {"repairs": {"SessionId": "s" * 10_000}}, value=cdr(SessionId="s" * 10_000)),
    _record("trailing commas", "dead normalise not-json", value=raw('"New":[1,]')),
    _record("2 MB of body", STORED, {"user_remark": "x" * 2_000_000}, value=cdr(UserRemark="x" * 2_000_000)),
]  # fmt: skip
