"""The slow path of decoding: where msgspec refuses a body, this decides, for the receiver and the worker alike.

It takes any object of strict JSON, and beyond that lone surrogates and repeated keys (the last wins); it
refuses bad UTF-8, NaN and Infinity, and nesting deeper than MAX_DEPTH. No number loses a digit.
"""

import json
import re
from decimal import Decimal, InvalidOperation
from typing import Any, NoReturn

from schemas.errors import RecordError

MAX_DEPTH = 256
MAX_SESSION_ID_BYTES = 256

_STRING = re.compile(rb'"(?:[^"\\]|\\.)*+"?', re.DOTALL)
_RUN = re.compile(rb"[\[{]+|[\]}]+")
_NOT_BRACKET = bytes(byte for byte in range(256) if byte not in b"[]{}")
# A comma before a closing bracket, unless it follows an opening one or another comma; strings are stepped over.
_TRAILING_COMMA = re.compile(r'("(?:[^"\\]|\\.)*+"|[\[{,:]\s*,\s*[\]}])|,(?=\s*[\]}])', re.DOTALL)
_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f]")


def number(text: str) -> Decimal | str:
    """A JSON number with a fraction or an exponent, every digit kept; its text where Postgres cannot hold it.

    The bounds are those of the type numeric: 131,072 digits before the point, 16,383 after it.
    """
    try:
        value = Decimal(text)
    except InvalidOperation:  # an exponent of more than 18 digits
        return text
    exponent = value.as_tuple().exponent
    assert isinstance(exponent, int)  # JSON has no NaN and no Infinity
    return value if exponent > -16_000 and value.adjusted() < 131_000 else text


def nests_too_deep(body: bytes, max_depth: int = MAX_DEPTH) -> bool:
    """Whether arrays and objects nest deeper; quick where the body has few brackets."""
    # What replacing takes away counts the brackets, four times as quickly as `count`, which looks at each byte.
    if 2 * len(body) - len(body.replace(b"[", b"")) - len(body.replace(b"{", b"")) <= max_depth:
        return False
    brackets = _STRING.sub(b"", body).translate(None, _NOT_BRACKET)
    depth = 0
    for run in _RUN.finditer(brackets):
        length = run.end() - run.start()
        depth += length if run.group()[0] in b"[{" else -length
        if depth > max_depth:
            return True
    return False


def decode_object(body: bytes) -> dict[str, Any]:
    """Decode a body into an object, or raise RecordError `not-json` or `too-deep`.

    Fractions come as Decimal, so that they are stored as they were sent.
    """
    try:
        text = body.decode()
    except UnicodeDecodeError as exc:
        raise RecordError("not-json", f"not UTF-8 at byte {exc.start}") from None
    if nests_too_deep(body):
        raise RecordError("too-deep", f"nested over {MAX_DEPTH} levels")
    return _object(text)


def without_trailing_commas(body: bytes) -> bytes | None:
    """The body as strict JSON, if trailing commas are all that strict JSON refuses in it; else None.

    The vendor's own documented sample has one, so that bodies of this kind have to be expected.
    """
    try:
        text = body.decode()
        repaired = _TRAILING_COMMA.sub(lambda match: match.group(1) or "", text)
        if repaired == text:
            return None
        _object(repaired)
    except (UnicodeDecodeError, RecordError):
        return None
    return repaired.encode()


def is_plain_session_id(session_id: str) -> bool:
    """A quick yes for what SessionIds look like; a no says nothing."""
    return (
        session_id.isascii()
        and session_id.isprintable()
        and len(session_id) <= MAX_SESSION_ID_BYTES
        and not session_id.isspace()
        and session_id != ""
    )


def session_id_fault(value: Any) -> str | None:
    """What is wrong with a SessionId, in words that do not hold it; None if nothing is."""
    if not isinstance(value, str):
        return "SessionId is missing or not a string"
    if not value.strip():
        return "SessionId is blank"
    try:
        size = len(value.encode())
    except UnicodeEncodeError:
        return "SessionId holds a lone surrogate"
    if size > MAX_SESSION_ID_BYTES:
        return f"SessionId is longer than {MAX_SESSION_ID_BYTES} bytes"
    if _CONTROL.search(value):
        return "SessionId holds a control character"
    return None


def _object(text: str) -> dict[str, Any]:
    try:
        value = json.loads(text, parse_float=number, parse_int=_integer, parse_constant=_refuse)
    except json.JSONDecodeError as exc:
        raise RecordError("not-json", f"{exc.msg} at character {exc.pos}") from None
    except RecursionError:
        raise RecordError("too-deep", f"nested over {MAX_DEPTH} levels") from None
    if not isinstance(value, dict):
        raise RecordError("not-json", "not an object")
    return value


def _integer(digits: str) -> int | str:
    """Its text where it has more digits than CPython converts (a limit against quadratic work, msgspec's too)."""
    try:
        return int(digits)
    except ValueError:
        return digits


def _refuse(constant: str) -> NoReturn:
    raise RecordError("not-json", f"{constant} is not JSON")
