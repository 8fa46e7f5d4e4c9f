"""Judges signed tokens (JWT, RFC 7519): one signature by an algorithm that is allowed, and each claim that matters."""

from collections.abc import Callable, Collection

from joserfc import jws, jwt
from joserfc.errors import JoseError
from joserfc.jwk import Key

# How far clocks may differ. Short: a token is used for minutes, and fetched anew before it ends.
LEEWAY_S = 5
# Headers by which a token would bring its own key, or ask for what is not done here. All others say nothing that
# a signature by a known key and an allowed algorithm does not.
REFUSED_HEADERS = frozenset({"crit", "jku", "jwk", "x5u", "x5c", "b64", "zip"})

FindKey = Callable[[str | None], Key]


class TokenRefused(Exception):  # noqa: N818 -- a judgement; never leaves receiver.auth
    """The token is not one that may be used here, now; why is nobody's business but ours."""


class KeyUnknown(TokenRefused):
    """No key of this name is known: the token may be good once the keys are fetched anew."""


class Judge:
    """What a token must be signed with, and what it must say; `exp` it must have, `nbf` and `iat` must hold."""

    def __init__(self, *, algorithms: Collection[str], issuer: str, audience: str) -> None:
        self._registry = jws.JWSRegistry(algorithms=algorithms, strict_check_header=False)
        self._claims = jwt.JWTClaimsRegistry(
            leeway=LEEWAY_S,
            iss={"essential": True, "value": issuer},
            aud={"essential": True, "value": audience},
            exp={"essential": True},
        )

    def verify(self, token: bytes, find: FindKey) -> float:
        """Give the time, since the epoch, until which the token holds. Raises TokenRefused, and what `find` does."""
        try:
            header = jws.extract_compact(token, registry=self._registry).headers()
            if not REFUSED_HEADERS.isdisjoint(header):
                raise TokenRefused
            key = find(header.get("kid"))
            claims = jwt.decode(token, key, registry=self._registry).claims
            self._claims.validate(claims)
            return float(claims["exp"])
        # Beside its own errors joserfc lets through what hostile JSON brings about: a list for the header, an `aud`
        # that cannot be compared, thousands of levels, an `exp` of 400 digits.
        except (
            JoseError,
            ValueError,
            TypeError,
            AttributeError,
            LookupError,
            RecursionError,
            OverflowError,
        ) as exc:
            raise TokenRefused from exc
