"""Makes bad bodies out of good ones: first by their structure, then by their bytes.

All choices are taken from one source of randomness: a seeded one, Hypothesis's (which then shrinks what it
finds), or that of a coverage-guided fuzzer.
"""

import json
from functools import lru_cache
from random import Random
from typing import Any

from tests.conftest import PAYLOADS

SAMPLES: dict[str, list[bytes]] = {
    action: [path.read_bytes() for path in sorted(PAYLOADS.glob(f"{action}*.json"))]
    for action in ("cdr", "record", "voicemail", "imcdr")
}
# JSON texts that a field may be given instead of its own; some of them are no JSON.
_NUMBERS = (
    *("0", "-0", "-1", "1.0", "-0.0", "1.5", "1e2", "1E400", "1e999", "1e-999", "1e20000", "1e-20000", "1e131000"),
    *("1e9999999999999999999", "1e-9999999999999999999", str(2**15), str(2**31 - 1), str(2**31), str(-(2**31) - 1)),
    *(str(2**63 - 1), str(2**63), str(-(2**63)), str(2**64), str(10**30), "9" * 4000, "9" * 4001, "-" + "9" * 4000),
    *("0." + "1" * 200, "253402300799", "253402300800", "499999999999", "500000000000", "1677140068000"),
)  # fmt: skip
_STRINGS = (
    *('""', '" "', '"12"', '" 12 "', '"12.0"', '"1e2"', '"nan"', '"-5"', '"１２"', '"1677140068"', '"1677140068000"'),
    *(r'"\u0000"', r'"a\u0000b"', r'"\ud800"', r'"\udc00\ud800"', r'"\ud83d\ude00"', '"😀"', '"中文"', r'"\\N"', '"\u202e"'),
    *(f'"{"x" * 250}"', f'"{"x" * 251}"', f'"{"x" * 1001}"', f'"{"中" * 334}"', f'"{"x" * 20_000}"', '"\\\\u0000"'),
)  # fmt: skip
_OTHERS = (
    *("null", "true", "false", "[]", "{}", "[null]", '[1,"a",{},[]]', '{"Key":"1"}', '{"key":1,"KEY":2,"Label":null}'),
    *('{"a\\u0000":1,"a\\ufffd":2,"a\\ud800":3}', '{"":{"":[]}}', '[{"Sequence":0},{"Sequence":0},null,7,{}]', '{"Sequence":-1}'),
    *("[" * 50 + "]" * 50, "[" * 250 + "]" * 250, '{"a":' * 270 + "1" + "}" * 270, "NaN", "-Infinity", "01", "1.", "'a'", "tru"),
    *('"a\nb"', '"\x00"', '"\\x"', '"\\u12"', '"', "[1,]", '{"a":1,}', "/**/1", ""),
)  # fmt: skip
_TEXTS = (*_NUMBERS, *_STRINGS, *_OTHERS)
_NAMES = (
    *("New", "", "a\\u0000", "\\ud800", "sessionid", "caller", "KEY", "中文", "\\u0043aller", "__class__", "x" * 300),
    *("SessionId", "Caller", "Sequence", "SeatUser", "ServeParticipants", "Timestamp", "EndpointUser", "IVRKeyPressed"),
    *("IVRKeyPressedEx", "PostIVRKeyPressed", "Satisfaction", "Direction", "Duration", "SdkAppId", "RecordURL", "RecordId"),
)  # fmt: skip
_BYTES = (
    b"\xff",
    b"\0",
    b"\xef\xbb\xbf",
    b",",
    b'"',
    b"\\",
    b"{",
    b"}",
    b"[",
    b"]",
    b":",
    b"\xed\xa0\x80",
    b"\n",
    b"\xc3",
    b"e9",
)
_MAX_EDITS = 4

Pairs = list[tuple[str, Any]]  # an object: names as they stand in JSON text, so that one may come twice


class Text(str):
    """A value as JSON text."""

    __slots__ = ()


class Mutator:
    def __init__(self, random: Random) -> None:
        self._random = random
        self._edits = (
            *([self._replace] * 6),
            *(self._remove, self._add, self._add, self._repeat, self._wrap, self._swap, self._rename),
        )

    def action(self) -> str:
        return self._random.choice(("cdr", "cdr", "cdr", "record", "voicemail", "imcdr"))

    def body(self, action: str, session_id: str | None = None) -> bytes:
        """A mutation of one of the action's samples; with its own SessionId, if one is given, before that."""
        return self.changed(self._random.choice(SAMPLES[action]), session_id)

    def changed(self, sample: bytes, session_id: str | None = None) -> bytes:
        """A mutation of any body."""
        random = self._random
        tree = _copied(_tree(sample))
        if tree is not None:
            if session_id is not None:
                tree = [
                    (name, Text(json.dumps(session_id)) if name == "SessionId" else v) for name, v in tree
                ]
            for _ in range(random.randint(0, _MAX_EDITS)):
                random.choice(self._edits)(*self._place(tree))
            sample = _text(tree).encode(errors="surrogatepass")
        return self._bytes(sample) if tree is None or random.random() < 0.15 else sample

    def _bytes(self, body: bytes) -> bytes:
        """One to three changes of its bytes, whatever they mean."""
        random = self._random
        for _ in range(random.randint(1, 3)):
            at = random.randint(0, len(body))
            match random.randint(0, 5):
                case 0:
                    body = body[:at] + random.choice(_BYTES) + body[at:]
                case 1:
                    body = body[:at] + body[at + random.randint(1, 4) :]
                case 2:
                    body = body[:at] + bytes([random.randint(0, 255)]) + body[at + 1 :]
                case 3:
                    body = body[:at]
                case 4:
                    body = body[:at] + body[max(0, at - random.randint(1, 60)) :]
                case _:
                    body = body.decode(errors="replace").encode("utf-16") if at % 9 == 0 else body + body[at:]
        return body

    def _place(self, tree: Pairs) -> tuple[Any, int]:
        """Some container of the tree, the deeper ones less often, and a position in it."""
        container: Any = tree
        while True:
            inner = [value for value in _values(container) if isinstance(value, list) and value]
            if not inner or self._random.random() < 0.5:
                return container, self._random.randint(0, max(0, len(container) - 1))
            container = self._random.choice(inner)

    def _any(self) -> Text:
        pick = self._random.randint(0, 9)
        if pick == 0:
            return Text(self._random.randint(-(2**40), 2**40))
        if pick == 1:  # a text that nothing else in the body has: it is missed where it is lost
            return Text(f'"v{self._random.randint(0, 10**9)}"')
        return Text(self._random.choice(_TEXTS))

    def _set(self, container: Any, at: int, value: Any) -> None:
        if container:
            container[at] = (container[at][0], value) if _is_object(container) else value

    def _replace(self, container: Any, at: int) -> None:
        self._set(container, at, self._any())

    def _remove(self, container: Any, at: int) -> None:
        del container[at : at + 1]

    def _add(self, container: Any, at: int) -> None:
        value = self._any()
        container.insert(at, (self._random.choice(_NAMES), value) if _is_object(container) else value)

    def _repeat(self, container: Any, at: int) -> None:
        if container:
            name = container[at][0] if _is_object(container) else None
            container.append(container[at] if name is None or at % 2 else (name, self._any()))

    def _wrap(self, container: Any, at: int) -> None:
        if container:
            value = container[at][1] if _is_object(container) else container[at]
            self._set(container, at, [value] if self._random.random() < 0.5 else [("Inner", value)])

    def _swap(self, container: Any, at: int) -> None:
        if container:
            other = self._random.randint(0, len(container) - 1)
            values = list(_values(container))
            self._set(container, at, values[other])
            self._set(container, other, values[at])

    def _rename(self, container: Any, at: int) -> None:
        if container and _is_object(container):
            name, value = container[at]
            container[at] = (
                self._random.choice((name.lower(), name.upper(), self._random.choice(_NAMES))),
                value,
            )


def _is_object(container: list[Any]) -> bool:
    return bool(container) and isinstance(container[0], tuple)


def _values(container: list[Any]) -> list[Any]:
    return [item[1] for item in container] if _is_object(container) else container


def _copied(tree: Any) -> Any:
    if not isinstance(tree, list):
        return tree
    if _is_object(tree):
        return [(name, _copied(value)) for name, value in tree]
    return [_copied(value) for value in tree]


@lru_cache(maxsize=32)
def _tree(body: bytes) -> Pairs | None:
    """The body as lists and pairs whose leaves are JSON texts; None where it is no object. Not to be changed."""
    try:
        tree = _lenient(body.decode().replace(",\n]", "\n]"))
    except (ValueError, RecursionError):
        return None
    return tree if isinstance(tree, list) and _is_object(tree) else None


def _leaves(value: Any) -> Any:
    if isinstance(value, Text):
        return value
    if isinstance(value, list):
        return value if _is_object(value) else [_leaves(item) for item in value]
    return Text(json.dumps(value, ensure_ascii=False))


def _lenient(text: str) -> Any:
    def pairs(found: list[tuple[str, Any]]) -> Pairs:
        return [(json.dumps(name, ensure_ascii=False)[1:-1], _leaves(value)) for name, value in found]

    return json.loads(text, object_pairs_hook=pairs, parse_int=Text, parse_float=Text)


def _text(tree: Any) -> str:
    if not isinstance(tree, list):
        return str(tree)
    if _is_object(tree):
        return "{" + ",".join([f'"{name}":{_text(value)}' for name, value in tree]) + "}"
    return "[" + ",".join([_text(value) for value in tree]) + "]"
