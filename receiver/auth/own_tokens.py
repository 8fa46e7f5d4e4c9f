"""Tokens that receivers issue themselves: short-lived, and good at every receiver that has the same key."""

import secrets
import time
from collections.abc import Sequence

from joserfc import jwt
from joserfc.jwk import Key, OctKey

from receiver.auth.tokens import Judge, KeyUnknown

ISSUER = "tccc-ingest"
AUDIENCE = "tccc-push"
ALGORITHM = "HS256"


class OwnTokens:
    """The first key signs; tokens signed with any of them are good."""

    def __init__(self, keys: Sequence[str], lifetime_s: int) -> None:
        imported: list[Key] = [OctKey.import_key(key) for key in keys]
        self._keys = {key.thumbprint(): key for key in imported}
        self._signing = imported[0]
        self.lifetime_s = lifetime_s
        self._judge = Judge(algorithms=[ALGORITHM], issuer=ISSUER, audience=AUDIENCE)

    def issue(self, client_id: str) -> str:
        now_s = int(time.time())
        claims = {
            "iss": ISSUER,
            "aud": AUDIENCE,
            "sub": client_id,
            "iat": now_s,
            "exp": now_s + self.lifetime_s,
            "jti": secrets.token_urlsafe(12),
        }
        header = {"alg": ALGORITHM, "kid": self._signing.thumbprint()}
        return jwt.encode(header, claims, self._signing, algorithms=[ALGORITHM])

    def verify(self, token: bytes) -> float:
        """Give the time until which the token holds. Raises TokenRefused."""
        return self._judge.verify(token, self._find)

    def _find(self, kid: str | None) -> Key:
        try:
            return self._keys[kid or ""]
        except KeyError:
            raise KeyUnknown from None
