"""Bearer tokens (RFC 6750): each is judged once, and then believed until it ends."""

import time
from collections.abc import Awaitable, Callable
from hashlib import sha256

from aiohttp.web import BaseRequest

from receiver.answers import UNAUTHORIZED_BEARER, UNAVAILABLE, Reply
from receiver.auth.header import credentials_of
from receiver.auth.tokens import KeyUnknown, TokenRefused
from schemas.errors import IssuerAway

MAX_REMEMBERED = 10_000

Verify = Callable[[bytes], float]
Refresh = Callable[[], Awaitable[None] | None]


class Bearer:
    """A push does not pay for a signature, only for a digest: tokens themselves are not kept."""

    def __init__(self, verify: Verify, refresh: Refresh = lambda: None) -> None:
        """`verify` gives until when (since the epoch) a token holds; `refresh`, if keys may be fetched, what to await."""
        self._verify = verify
        self._refresh = refresh
        self._until: dict[bytes, float] = {}

    def __call__(self, request: BaseRequest) -> Reply | Awaitable[Reply | None] | None:
        token = credentials_of(request, "bearer")
        if token is None:
            return UNAUTHORIZED_BEARER
        digest = sha256(token).digest()
        if self._until.get(digest, 0.0) > time.time():
            return None
        try:
            return self._judge(token, digest)
        except KeyUnknown:
            refresh = self._refresh()
            return UNAUTHORIZED_BEARER if refresh is None else self._judge_later(token, digest, refresh)

    def forget(self) -> None:
        """Judge all tokens anew: keys have changed."""
        self._until.clear()

    def _judge(self, token: bytes, digest: bytes) -> Reply | None:
        """Raises KeyUnknown."""
        self._until.pop(digest, None)
        try:
            until_s = self._verify(token)
        except KeyUnknown:
            raise
        except TokenRefused:
            return UNAUTHORIZED_BEARER
        except IssuerAway:
            return UNAVAILABLE
        if len(self._until) >= MAX_REMEMBERED:
            del self._until[next(iter(self._until))]
        self._until[digest] = until_s
        return None

    async def _judge_later(self, token: bytes, digest: bytes, refresh: Awaitable[None]) -> Reply | None:
        await refresh
        try:
            return self._judge(token, digest)
        except KeyUnknown:
            return UNAUTHORIZED_BEARER
