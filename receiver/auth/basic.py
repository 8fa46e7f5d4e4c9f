"""HTTP Basic (RFC 7617): a user and a password, or one of two pairs while they are being changed."""

from base64 import b64encode
from collections.abc import Iterable
from hmac import compare_digest

from aiohttp.web import BaseRequest

from receiver.answers import UNAUTHORIZED_BASIC, Reply
from receiver.auth.header import credentials_of
from schemas.auth import Pair


class Basic:
    """What is sent is compared as it is: base64 has one spelling of each pair, and no other is taken."""

    def __init__(self, pairs: Iterable[Pair]) -> None:
        self._expected = tuple(b64encode(f"{pair.name}:{pair.secret}".encode()) for pair in pairs)

    def __call__(self, request: BaseRequest) -> Reply | None:
        sent = credentials_of(request, "basic")
        if sent is None:
            return UNAUTHORIZED_BASIC
        right = False
        for expected in self._expected:  # all of them: how long it takes tells nothing
            right |= compare_digest(expected, sent)
        return None if right else UNAUTHORIZED_BASIC
