"""Fits an object that is not quite what the protocol says into a push, without dropping anything.

Numbers sent as strings, strings sent as numbers and milliseconds for seconds are understood. What no field
holds goes to `extra`, and a value that is not understood to `repairs`, both as sent and where they stood.
"""

import re
from collections.abc import Callable, Mapping
from decimal import Decimal
from typing import Any, Generic, TypeVar, cast

import msgspec
from msgspec import Raw, Struct, inspect

from schemas.push import MAX_INDEXED_BYTES, MAX_UNIX_S, PUSHES, Body

Json = dict[str, Any]
T = TypeVar("T", bound=Body)


class Fitted(Struct, Generic[T], frozen=True, gc=False):
    """A push with what did not fit it. `parts` stand for the Structs of a list, by the list's field name."""

    value: T
    extra: Json = {}
    repairs: Json = {}
    parts: "dict[str, list[Fitted[Any]]]" = {}


class NotUnderstood(Exception):  # noqa: N818 -- never leaves this module
    pass


def fit(kind: type[T], sent: Mapping[str, Any]) -> Fitted[T]:
    """Fit an object as sent into a push of this kind."""
    fields = _FIELDS[kind]
    values: Json = {}
    extra: Json = {}
    repairs: Json = {}
    parts: dict[str, list[Fitted[Any]]] = {}
    for spelled, raw in sent.items():
        known = fields.get(spelled)
        if known is None:
            _keep(extra, spelled, raw, repairs)
            continue
        name, shape = known
        if isinstance(shape, _Objects) and isinstance(raw, list):
            parts[name] = _fit_list(shape.kind, spelled, raw, repairs)
        elif isinstance(shape, _Object) and isinstance(raw, dict):
            nested = fit(shape.kind, raw)
            values[name] = nested.value
            _nest(extra, spelled, nested.extra)
            _nest(repairs, spelled, nested.repairs)
        elif isinstance(shape, _Json):
            understood = _understand(shape.understand, spelled, raw, repairs)
            if understood is not None:
                values[name] = Raw(JSON_ENCODER.encode(understood))
        else:
            values[name] = _understand(shape, spelled, raw, repairs)
    for name, items in parts.items():
        values[name] = [item.value for item in items]
    return Fitted(kind(**values), extra, repairs, parts)


def clean(value: Any) -> Any:
    """The value with what Postgres cannot store (NUL, lone surrogates) replaced by U+FFFD, at any depth."""
    if isinstance(value, str):
        return _UNSTORABLE.sub("\ufffd", value)
    if isinstance(value, list):
        return [clean(item) for item in value]
    if isinstance(value, dict):
        cleaned: Json = {}
        for key, item in value.items():
            name = clean(key)
            while name in cleaned:  # two names that differ only in what was replaced
                name += "\ufffd"
            cleaned[name] = clean(item)
        return cleaned
    return value


_UNSTORABLE = re.compile("[\x00\ud800-\udfff]")
_NUMBER = re.compile(r"[+-]?\d{1,20}(?:\.0*)?")
# From here on a number of seconds would lie beyond the year 17,000: it counts milliseconds (since 1985).
_MILLISECONDS_FROM = 500_000_000_000


class _Object(Struct, frozen=True):
    kind: type[Body]


class _Objects(Struct, frozen=True):
    kind: type[Body]


_Understand = Callable[[Any], Any]


class _Json(Struct, frozen=True):
    """A field that stays JSON."""

    understand: _Understand


def _understand(shape: Any, spelled: str, raw: Any, repairs: Json) -> Any:
    """The value of one field; None, with the value kept in repairs, where it is not understood."""
    if raw is None:
        return None
    if isinstance(shape, _Object | _Objects):
        _keep(repairs, spelled, raw, repairs)
        return None
    try:
        value = shape(raw)
    except NotUnderstood:
        _keep(repairs, spelled, raw, repairs)
        return None
    cleaned = clean(value)
    if cleaned != value:
        repairs[spelled] = cleaned
    return cleaned


def _keep(where: Json, spelled: str, raw: Any, repairs: Json) -> None:
    name, value = clean(spelled), clean(raw)
    while name in where:  # two names that differ only in what was replaced
        name += "\ufffd"
    where[name] = value
    if (name, value) != (spelled, raw):
        repairs[name] = value


def _nest(where: Json, spelled: str, nested: Json) -> None:
    if nested:
        where[spelled] = nested


def _fit_list(kind: type[Body], spelled: str, raw: list[Any], repairs: Json) -> list[Fitted[Any]]:
    fitted = []
    refused: Json = {}
    for position, item in enumerate(raw):
        if isinstance(item, dict):
            fitted.append(fit(kind, item))
        else:
            refused[str(position)] = clean(item)
    _nest(repairs, spelled, refused)
    return fitted


def _text(raw: Any) -> str:
    if isinstance(raw, str):
        return raw
    if isinstance(raw, int | Decimal) and not isinstance(raw, bool):
        return str(raw)
    raise NotUnderstood


def _indexed(raw: Any) -> str:
    text = _text(raw)
    if len(text) > MAX_INDEXED_BYTES // 4 and len(text.encode(errors="replace")) > MAX_INDEXED_BYTES:
        raise NotUnderstood
    return text


def _integer(low: int, high: int) -> _Understand:
    def understand(raw: Any) -> int | None:
        number = _whole(raw)
        if number is not None and not low <= number <= high:
            raise NotUnderstood
        return number

    return understand


def _time(raw: Any) -> int | None:
    number = _whole(raw)
    if number is None:
        return None
    if number >= _MILLISECONDS_FROM:
        number //= 1000
    if not 0 <= number <= MAX_UNIX_S:
        raise NotUnderstood
    return number


def _whole(raw: Any) -> int | None:
    if isinstance(raw, str):
        if not raw.strip():
            return None
        if not _NUMBER.fullmatch(raw.strip()):
            raise NotUnderstood
        return int(raw.strip().partition(".")[0])
    if isinstance(raw, Decimal) and raw.adjusted() < 20 and raw == raw.to_integral_value():
        return int(raw)
    if isinstance(raw, int) and not isinstance(raw, bool):
        return raw
    raise NotUnderstood


def _texts(raw: Any) -> list[str]:
    if not isinstance(raw, list):
        return [_text(raw)]
    return [_text(item) for item in raw]


def _list_of_any(raw: Any) -> list[Any]:
    if isinstance(raw, list):
        return raw
    if isinstance(raw, str | int | Decimal | dict) and not isinstance(raw, bool):
        return [raw] if raw != "" else []
    raise NotUnderstood


def _text_or_list(raw: Any) -> str | list[Any]:
    """A text stays one, so that it is kept as it was sent."""
    return raw if isinstance(raw, str) else _list_of_any(raw)


def _object_of_any(raw: Any) -> Json:
    if isinstance(raw, dict):
        return raw
    raise NotUnderstood


def _shape(kind: inspect.Type) -> Any:  # noqa: C901, PLR0911, PLR0912 -- one case a type
    """How to understand a field, read off its declared type; of a union the first member counts."""
    match kind:
        case inspect.Metadata(type=inspect.RawType(), extra_json_schema={"title": "text or list"}):
            return _Json(_text_or_list)
        case inspect.Metadata(type=inspect.RawType()):
            return _Json(_list_of_any)
        case inspect.UnionType(types=types):
            return _shape(types[0])
        case inspect.Metadata(type=inspect.IntType(), extra_json_schema={"title": "time"}):
            return _time
        case inspect.Metadata(type=inner):
            return _shape(inner)
        case inspect.StrType(max_length=None):
            return _text
        case inspect.StrType():
            return _indexed
        case inspect.IntType(ge=low, le=high):
            return _integer(cast("int", low), cast("int", high))
        case inspect.LiteralType(values=values):
            numbers = cast("tuple[int, ...]", values)
            return _integer(min(numbers), max(numbers))
        case inspect.StructType(cls=cls):
            return _Object(cast("type[Body]", cls))
        case inspect.ListType(item_type=inspect.StructType(cls=cls)):
            return _Objects(cast("type[Body]", cls))
        case inspect.ListType(item_type=inspect.StrType()):
            return _texts
        case inspect.DictType():
            return _object_of_any
    raise TypeError(f"no lenient reading of {kind}")


def _fields(kind: type[Body], found: dict[type[Body], dict[str, tuple[str, Any]]]) -> None:
    info = cast("inspect.StructType", inspect.type_info(kind))
    found[kind] = {field.encode_name: (field.name, _shape(field.type)) for field in info.fields}
    for _, shape in found[kind].values():
        if isinstance(shape, _Object | _Objects) and shape.kind not in found:
            _fields(shape.kind, found)


_FIELDS: dict[type[Body], dict[str, tuple[str, Any]]] = {}
for _kind in PUSHES.values():
    _fields(_kind, _FIELDS)

JSON_ENCODER = msgspec.json.Encoder(decimal_format="number")
