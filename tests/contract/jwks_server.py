"""An issuer's server on loopback: gives its keys over TLS, and misbehaves when it is told to."""

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path

from aiohttp import web

from tests.certificates import Authority
from tests.contract.tokens import Issuer, Json

Answer = Callable[[web.BaseRequest], Awaitable[web.StreamResponse]]


class JwksServer:
    """`keys` are given out, unless `answer` does something else; `fetches` counts how often it was asked."""

    def __init__(self, folder: Path) -> None:
        self._authority = Authority(folder)
        self.ca_file = str(self._authority.ca_file)
        self.keys: list[Json] = []
        self.answer: Answer = self._give_keys
        self.fetches = 0
        self._port = 0

    @property
    def url(self) -> str:
        return f"https://127.0.0.1:{self._port}/keys"

    def give(self, *issuers: Issuer) -> None:
        self.keys = [issuer.jwk() for issuer in issuers]
        self.answer = self._give_keys

    @asynccontextmanager
    async def serving(self) -> AsyncIterator[None]:
        """Serve until the block ends; at the same port each time."""
        runner = web.ServerRunner(web.Server(self._handle), shutdown_timeout=0.1)
        await runner.setup()
        site = web.TCPSite(runner, "127.0.0.1", self._port, ssl_context=self._authority.server_context())
        await site.start()
        self._port = runner.addresses[0][1]
        try:
            yield
        finally:
            await runner.cleanup()

    async def _handle(self, request: web.BaseRequest) -> web.StreamResponse:
        self.fetches += 1
        return await self.answer(request)

    async def _give_keys(self, _request: web.BaseRequest) -> web.StreamResponse:
        return web.json_response({"keys": self.keys})
