"""Decides whether a push is taken, from its URL and its body alone; no I/O, and nothing is ever raised."""

import re
from functools import lru_cache
from typing import Any, Literal, cast
from urllib.parse import parse_qsl, unquote, urlsplit

import msgspec
from msgspec import Struct

from receiver.answers import BAD_ACTION, BAD_SESSION_ID, FORBIDDEN, NOT_JSON, TOO_DEEP, Reply
from schemas.decoding import (
    MAX_DEPTH,
    decode_object,
    is_plain_session_id,
    nests_too_deep,
    session_id_fault,
    without_trailing_commas,
)
from schemas.envelope import MAX_PUSH_ID_BYTES, digest_push_id
from schemas.errors import RecordError

ACTIONS = frozenset({"cdr", "record", "voicemail", "imcdr"})
VERSIONS = frozenset({"1"})
# The vendor's documented voicemail URL has no version.
WITHOUT_VERSION = frozenset({"voicemail"})
TRAILING_COMMAS = b"trailing-commas"

_MAX_PARAMETER_CHARS = 64
_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f]")

Reason = Literal["not-json", "bad-session-id", "bad-action"]


class Route(Struct, frozen=True):
    """A request target, taken apart. `fault` says in words what is wrong with action or version, if anything.

    `action` and `version` are as sent where they are short and printable, else empty.
    """

    path: str
    action: str
    version: str
    fault: str | None


class Admitted(Struct, frozen=True, gc=False):
    """A push to be taken. `value` is the body, or what it is as strict JSON if `repaired` says how."""

    key: bytes
    value: bytes
    repaired: bytes | None = None


class Refused(Struct, frozen=True, gc=False):
    """A push that is not taken. With a reason its body is kept as a dead letter; `detail` holds none of it."""

    reply: Reply
    reason: Reason | None = None
    detail: str = ""
    key: bytes | None = None


class _Fields(Struct, gc=False):
    """All that is looked at of a push, whatever its action."""

    SessionId: str
    SdkAppId: Any = None


_decode = msgspec.json.Decoder(_Fields).decode


@lru_cache(maxsize=256)
def route(target: str) -> Route:
    """Take a request target apart; the vendor sends the same few always, hence the cache."""
    if not target.startswith("/"):
        target = _origin_form(target)
    path, _, query = target.partition("?")
    pairs = parse_qsl(query.partition("#")[0], keep_blank_values=True, errors="surrogateescape")
    actions = [value for name, value in pairs if name == "action"]
    versions = [value for name, value in pairs if name == "version"]
    return Route(
        path=unquote(path.partition("#")[0], errors="surrogateescape"),
        action=_presentable(actions),
        version=_presentable(versions),
        fault=_fault("action", actions, ACTIONS)
        or _fault("version", versions, VERSIONS, optional=actions[0] in WITHOUT_VERSION),
    )


def admit(
    target: Route, body: bytes, sdk_app_ids: frozenset[int] = frozenset(), max_depth: int = MAX_DEPTH
) -> Admitted | Refused:
    """Decide on a push; the checks come in the contract's order. No ids: every contact centre may push."""
    if target.fault is not None:
        return Refused(BAD_ACTION, "bad-action", target.fault, key_of(body))
    try:
        if not body.isascii():
            body.decode()  # msgspec lets bad UTF-8 pass in a field that it skips
        if nests_too_deep(body, max_depth):
            return Refused(TOO_DEEP, "not-json", "nested too deep")
        fields = _decode(body)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return _admit_slowly(body, sdk_app_ids)
    session_id = fields.SessionId
    if not is_plain_session_id(session_id) and (fault := session_id_fault(session_id)):
        return Refused(BAD_SESSION_ID, "bad-session-id", fault)
    if sdk_app_ids and not _may_push(fields.SdkAppId, sdk_app_ids):
        return Refused(FORBIDDEN)
    return Admitted(session_id.encode(), body)


def push_id_of(header: str | None, action: str, body: bytes) -> bytes:
    """The push id as it goes into the record: the header's, or a digest where that is missing or unusable."""
    if header:
        if header.isascii() and header.isprintable() and len(header) <= MAX_PUSH_ID_BYTES:
            return header.encode()
        # aiohttp gives bytes that are not UTF-8 as surrogates.
        raw = header.encode(errors="surrogateescape")
        if len(raw) <= MAX_PUSH_ID_BYTES and not _CONTROL.search(header) and _is_utf8(raw):
            return raw
    return digest_push_id(action, body).encode()


def key_of(body: bytes) -> bytes | None:
    """The record's key for a body that is kept though it was refused: its SessionId, if that is usable."""
    try:
        session_id = _decode_slowly(body)[0].get("SessionId")
    except RecordError:
        return None
    return None if session_id_fault(session_id) else cast("str", session_id).encode()


def _admit_slowly(body: bytes, sdk_app_ids: frozenset[int]) -> Admitted | Refused:
    try:
        fields, repaired = _decode_slowly(body)
    except RecordError as exc:
        return Refused(NOT_JSON, "not-json", exc.detail)
    session_id = fields.get("SessionId")
    if fault := session_id_fault(session_id):
        return Refused(BAD_SESSION_ID, "bad-session-id", fault)
    if sdk_app_ids and not _may_push(fields.get("SdkAppId"), sdk_app_ids):
        return Refused(FORBIDDEN)
    key = cast("str", session_id).encode()
    return Admitted(key, body) if repaired is None else Admitted(key, repaired, TRAILING_COMMAS)


def _decode_slowly(body: bytes) -> tuple[dict[str, Any], bytes | None]:
    """The object, and the body as strict JSON if it had to be repaired. Raises RecordError."""
    try:
        return decode_object(body), None
    except RecordError as exc:
        repaired = without_trailing_commas(body) if exc.reason == "not-json" else None
        if repaired is None:
            raise
        return decode_object(repaired), repaired


def _may_push(sdk_app_id: Any, allowed: frozenset[int]) -> bool:
    """Whether an SdkAppId, a number or a number sent as a string, is among those allowed."""
    if isinstance(sdk_app_id, str):
        sdk_app_id = sdk_app_id.strip()
        return any(sdk_app_id == str(one) for one in allowed)
    # 1.0 and Decimal("1.0") equal 1 and have its hash; true would too, and is no number.
    return not isinstance(sdk_app_id, bool | list | dict) and sdk_app_id in allowed


def _fault(name: str, values: list[str], known: frozenset[str], *, optional: bool = False) -> str | None:
    if len(values) > 1:
        return f"{name} is repeated"
    if not values or not values[0]:
        return None if optional else f"{name} is missing"
    return None if values[0] in known else f"{name} is unknown"


def _presentable(values: list[str]) -> str:
    """A parameter for a header: as sent if it is short printable text, else empty."""
    first = values[0] if values else ""
    return first if len(first) <= _MAX_PARAMETER_CHARS and first.isprintable() else ""


def _origin_form(target: str) -> str:
    """`http://host/path?query`, which RFC 9112 lets any client send, as `/path?query`."""
    try:
        parts = urlsplit(target)
    except ValueError:
        return target
    return f"{parts.path or '/'}?{parts.query}"


def _is_utf8(raw: bytes) -> bool:
    try:
        raw.decode()
    except UnicodeDecodeError:
        return False
    return True
