"""Presents the keys that a caller pressed in one form of JSON, whatever case or form was sent.

Centres have few menus, so the same presses come again and again: what they become is remembered.
"""

from collections.abc import Callable
from decimal import Decimal
from functools import lru_cache
from typing import Any

import msgspec
from msgspec import Raw

from schemas.decoding import MAX_DEPTH, decode_object, nests_too_deep, number
from schemas.lenient import JSON_ENCODER, Json
from schemas.rows import JsonText

_MAX_REMEMBERED = 4096
_MAX_REMEMBERED_BYTES = 512


def presented(sent: Raw) -> JsonText | None:
    """`[{"key": …, "label": …, …}]`, or None where nothing was sent.

    Raises DecodeError or UnicodeDecodeError for what only the lenient reading of a body can make sense of, and
    RecordError for what nothing can.
    """
    return _presented(b"", bytes(sent))[0]


def both_presented(older: Raw, newer: Raw, extra: Json) -> tuple[JsonText | None, Json]:
    """The two forms that the vendor sends, as one; the older is kept in `extra` unless the newer says all of it.

    Raises as `presented` does.
    """
    text, kept = _presented(bytes(older), bytes(newer))
    return text, extra if kept is None else extra | {"IVRKeyPressed": kept}


def _presented(older: bytes, newer: bytes) -> tuple[JsonText | None, Any]:
    if len(older) + len(newer) <= _MAX_REMEMBERED_BYTES:
        return _remembered(older, newer)
    return _worked_out(older, newer)


def _worked_out(older: bytes, newer: bytes) -> tuple[JsonText | None, Any]:
    old, new = _read(older) or None, _read(newer)
    if isinstance(new, str):
        raise msgspec.ValidationError("only the older form may be a text")
    if not new or not old:
        sent = new or old or new
        return (None if sent is None else _encode(_presses(sent))), None
    was, now = _presses(old), _presses(new)
    same = len(was) == len(now) and all(o.items() <= n.items() for o, n in zip(was, now, strict=True))
    return _encode(now), None if same else old


_remembered = lru_cache(_MAX_REMEMBERED)(_worked_out)


def _read(raw: bytes) -> list[Any] | str | None:
    if not raw:
        return None
    if nests_too_deep(raw, MAX_DEPTH - 1):  # it stands within an object
        raise msgspec.ValidationError("nested too deep")
    try:
        return _decode(raw)
    except msgspec.DecodeError:  # an integer longer than msgspec takes, or of another kind
        value = decode_object(b'{"":%b}' % raw)[""]
        if not isinstance(value, list | str):
            raise
        return value


def _presses(sent: list[Any] | str) -> list[dict[str, Any]]:
    return [_press(press) for press in (sent if isinstance(sent, list) else [sent])]


def _press(press: Any) -> dict[str, Any]:
    """One pressed key, whatever was sent for it: an object in any spelling, or just the key."""
    if not isinstance(press, dict):
        is_number = isinstance(press, int | Decimal) and not isinstance(press, bool)
        return {"key": str(press) if is_number else press}
    renamed: dict[str, Any] = {}
    for name, value in press.items():
        lower = name.lower()
        plain = lower in _SPELLED_LOWER and lower not in press and lower not in renamed
        renamed[lower if plain else name] = value
    return renamed


def _encode(presses: list[dict[str, Any]]) -> JsonText:
    return JSON_ENCODER.encode(presses).decode()


_SPELLED_LOWER = frozenset({"key", "label"})
# Fractions stay decimal wherever any JSON is allowed, so that they are stored as they were sent.
_decode: Callable[[bytes], list[Any] | str | None] = msgspec.json.Decoder(
    list[Any] | str | None, float_hook=number
).decode
