"""Fetches an issuer's keys (JWKS, RFC 7517) over TLS: a bounded answer, in a bounded time, from that URL alone."""

import ssl
from collections.abc import Mapping
from typing import Any

import aiohttp
import msgspec
from joserfc.errors import JoseError
from joserfc.jwk import ECKey, JWKRegistry, Key, RSAKey
from msgspec import Struct

from receiver.auth.jwks import Keys
from schemas.errors import IssuerAway, SettingsError

TIMEOUT_S = 5.0
MAX_BYTES = 256 * 1024
MIN_RSA_BITS = 2048


class _KeySet(Struct):
    keys: list[dict[str, Any]]


class JwksFetch:
    """Call it for the keys by their `kid`; a sole key is also there as None, for tokens that name none."""

    def __init__(self, url: str, cafile: str = "") -> None:
        self._url = url
        try:
            self._tls = ssl.create_default_context(cafile=cafile or None)
        except OSError as exc:
            raise SettingsError("TCCC_OAUTH2_CAFILE: no certificates can be read from it") from exc

    async def __call__(self) -> Keys:
        """Raises IssuerAway."""
        try:
            body = await self._get()
            keys = [key for one in msgspec.json.decode(body, type=_KeySet).keys if (key := _usable(one))]
        except TimeoutError as exc:
            raise IssuerAway(f"no answer within {TIMEOUT_S:.0f} s") from exc
        except aiohttp.ClientError as exc:
            raise IssuerAway(f"it cannot be reached ({type(exc).__name__})") from exc
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as exc:
            raise IssuerAway("what it answers is no JWKS") from exc
        if not keys:
            raise IssuerAway("none of its keys can be used")
        named: dict[str | None, Key] = {key.kid: key for key in keys if key.kid is not None}
        return named | ({None: keys[0]} if len(keys) == 1 else {})

    async def _get(self) -> bytes:
        async with (
            aiohttp.ClientSession(
                connector=aiohttp.TCPConnector(ssl=self._tls),
                timeout=aiohttp.ClientTimeout(total=TIMEOUT_S),
                auto_decompress=False,
            ) as session,
            session.get(
                self._url,
                allow_redirects=False,
                headers={"Accept": "application/json", "Accept-Encoding": "identity"},
            ) as answer,
        ):
            if answer.status != 200:
                raise IssuerAway(f"it answers with status {answer.status}")
            body = bytearray()
            async for part in answer.content.iter_any():
                body += part
                if len(body) > MAX_BYTES:
                    raise IssuerAway(f"its answer is larger than {MAX_BYTES} bytes")
            return bytes(body)


def _usable(described: Mapping[str, Any]) -> Key | None:
    """The key, if it is a public one for signatures and strong enough; RFC 7517 has others passed over."""
    if described.get("kty") not in ("RSA", "EC") or described.get("use", "sig") != "sig":
        return None
    try:
        key = JWKRegistry.import_key(dict(described))
    except (JoseError, ValueError, TypeError, LookupError):  # KeyError: a curve that is not known
        return None
    if isinstance(key, RSAKey):
        return key if key.public_key.key_size >= MIN_RSA_BITS else None
    return key if isinstance(key, ECKey) else None
