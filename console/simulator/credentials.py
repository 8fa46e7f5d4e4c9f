"""What a push says of who sends it: nothing, a password, a token, or tokens fetched as the vendor fetches them."""

import asyncio
import time
from base64 import b64encode
from ssl import SSLContext
from urllib.parse import urlencode

import msgspec
from msgspec import Struct
from yarl import URL

from console.simulator.connection import Connection

TOKEN_PATH = "/oauth2/token"  # noqa: S105 -- where a receiver issues its own
RENEW_AFTER = 0.8  # of a token's lifetime


class NoToken(ValueError):  # noqa: N818 -- what happened to a push; its message is counted in the summary
    """The token URL gives none; nothing of what it said is in the message but status and error code."""


class Credentials:
    """The same for every push: the value of the Authorization header, or nothing."""

    def __init__(self, value: str = "") -> None:
        self._line = f"Authorization: {value}\r\n".encode() if value else b""

    async def line(self) -> bytes:
        """Give the header's line. Raises NoToken, OSError or EOFError where one has to be fetched."""
        return self._line


class ClientCredentials(Credentials):
    """OAuth 2.0 client credentials (RFC 6749, section 4.4): a token is fetched, and again before it ends."""

    def __init__(self, token_url: URL, client: str, tls: SSLContext | None) -> None:
        """`client` is `id:secret`."""
        super().__init__()
        self._url, self._tls = token_url, tls
        client_id, _, secret = client.partition(":")
        self._form = urlencode(
            {"grant_type": "client_credentials", "client_id": client_id, "client_secret": secret}
        ).encode()
        self._renew_at_s = 0.0
        self._fetching = asyncio.Lock()

    async def line(self) -> bytes:
        if time.monotonic() >= self._renew_at_s:
            async with self._fetching:
                if time.monotonic() >= self._renew_at_s:
                    await self._fetch()
        return self._line

    async def _fetch(self) -> None:
        url = self._url
        head = (
            f"POST {url.raw_path_qs} HTTP/1.1\r\nHost: {url.host_port_subcomponent}\r\nUser-Agent: tccc-send\r\n"
            f"Content-Type: application/x-www-form-urlencoded\r\nContent-Length: {len(self._form)}\r\n\r\n"
        )
        connection = await Connection.open(url.raw_host or "", url.port or 80, self._tls)
        try:
            status, body = await connection.post(head.encode(), self._form)
        finally:
            connection.close()
        try:
            granted = msgspec.json.decode(body, type=_Granted)
        except (msgspec.DecodeError, UnicodeDecodeError) as exc:
            raise NoToken(f"no token: {status}") from exc
        self._line = f"Authorization: Bearer {granted.access_token}\r\n".encode()
        self._renew_at_s = time.monotonic() + RENEW_AFTER * granted.expires_in


class _Granted(Struct):
    access_token: str
    expires_in: float = 60.0


def basic(pair: str) -> Credentials:
    """`pair` is `user:password`."""
    return Credentials(f"Basic {b64encode(pair.encode()).decode()}")


def bearer(token: str) -> Credentials:
    return Credentials(f"Bearer {token}")
