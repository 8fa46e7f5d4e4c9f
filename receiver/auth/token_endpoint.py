"""`POST /oauth2/token`: gives a token for the right client credentials (RFC 6749, sections 2.3.1, 4.4 and 5)."""

import asyncio
from base64 import b64decode, b64encode
from collections.abc import Callable, Iterable
from hmac import compare_digest
from http import HTTPStatus
from typing import TYPE_CHECKING
from urllib.parse import parse_qsl, unquote_plus

from aiohttp.web import BaseRequest

from receiver import answers
from receiver.answers import OwnReply, Reply
from receiver.auth.header import credentials_of
from receiver.connection import BodyCutShort
from schemas.auth import Pair

if TYPE_CHECKING:
    from receiver.auth.own_tokens import OwnTokens

MAX_FORM_BYTES = 8192
_PRIVATE = {"Cache_Control": "no-store", "Pragma": "no-cache"}

Form = dict[str, str]


def _fault(status: HTTPStatus, error: str, code: int, message: str, **headers: str) -> Reply:
    told = {"error": error, "error_description": message, "ErrMsg": message, "ErrCode": code}
    return OwnReply("token-refused", status, told, **headers, **_PRIVATE)


INVALID_CLIENT = _fault(
    HTTPStatus.UNAUTHORIZED,
    "invalid_client",
    40101,
    "credentials are missing or wrong",
    WWW_Authenticate='Basic realm="tccc"',
)
INVALID_REQUEST = _fault(
    HTTPStatus.BAD_REQUEST, "invalid_request", 40000, "a form with each parameter once is expected"
)
UNSUPPORTED = _fault(
    HTTPStatus.BAD_REQUEST, "unsupported_grant_type", 40000, "only client_credentials is understood"
)


class TokenEndpoint:
    """`count` gives the answer to wrong credentials, and limits who fails too often."""

    def __init__(self, count: Callable[[BaseRequest, Reply], Reply], body_timeout_s: float) -> None:
        self._count = count
        self._body_timeout_s = body_timeout_s
        self.tokens: OwnTokens | None = None
        self.clients: tuple[Pair, ...] = ()

    async def __call__(self, request: BaseRequest) -> Reply:
        if request.method != "POST":
            return answers.NOT_ALLOWED
        if "Content-Encoding" in request.headers:
            return answers.ENCODED
        try:
            async with asyncio.timeout(self._body_timeout_s):
                body = await _read(request)
        except TimeoutError:
            return answers.TOO_SLOW
        except (BodyCutShort, OSError):
            return answers.MALFORMED
        return answers.TOO_LARGE if body is None else self._decide(request, _form(body))

    def _decide(self, request: BaseRequest, form: Form | None) -> Reply:
        in_header = "Authorization" in request.headers
        if form is None or (in_header and "client_secret" in form):
            return INVALID_REQUEST
        client_id = self._client_of(_in_header(request) if in_header else _in_form(form))
        if client_id is None:
            return self._count(request, INVALID_CLIENT)
        if (grant_type := form.get("grant_type")) != "client_credentials":
            return UNSUPPORTED if grant_type else INVALID_REQUEST
        assert self.tokens is not None
        granted = {
            "access_token": self.tokens.issue(client_id),
            "token_type": "Bearer",
            "expires_in": self.tokens.lifetime_s,
        }
        return OwnReply("token-issued", HTTPStatus.OK, granted, **_PRIVATE)

    def _client_of(self, sent: Iterable[Pair]) -> str | None:
        """Whose credentials these are; all are compared in full, whatever fits."""
        found = None
        for one in sent:
            for client in self.clients:
                same_id = compare_digest(client.name.encode(), one.name.encode())
                if compare_digest(client.secret.encode(), one.secret.encode()) and same_id:
                    found = client.name
        return found


async def _read(request: BaseRequest) -> bytes | None:
    """The body; None if it is too large. Raises BodyCutShort, OSError."""
    parts = bytearray()
    while part := await request.content.readany():
        parts += part
        if len(parts) > MAX_FORM_BYTES:
            return None
    return bytes(parts)


def _form(body: bytes) -> Form | None:
    """The form; None if it is none, or says something twice."""
    try:
        pairs = parse_qsl(body.decode(), keep_blank_values=True, errors="strict", max_num_fields=20)
    except ValueError:
        return None
    form = dict(pairs)
    return form if len(form) == len(pairs) else None


def _in_form(form: Form) -> list[Pair]:
    return [Pair(form.get("client_id", ""), form.get("client_secret", ""))]


def _in_header(request: BaseRequest) -> list[Pair]:
    """RFC 6749 has both parts percent-encoded first; many clients leave that out."""
    sent = credentials_of(request, "basic") or b""
    try:
        decoded = b64decode(sent, validate=True)
        name, colon, secret = decoded.decode().partition(":")
        if not colon or b64encode(decoded) != sent:
            return []
        return [
            Pair(name, secret),
            Pair(unquote_plus(name, errors="strict"), unquote_plus(secret, errors="strict")),
        ]
    except ValueError:
        return []
