"""The admin endpoint of a process: /livez, /readyz and /metrics, beside its work and on another address."""

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

from aiohttp import web
from prometheus_client import CollectorRegistry, generate_latest

from schemas.errors import SettingsError
from schemas.settings import host_port

Readiness = Callable[[], Awaitable[str | None]]


@asynccontextmanager
async def admin_server(address: str, *, ready: Readiness, registry: CollectorRegistry) -> AsyncIterator[str]:
    """Serve until the block ends; yields the URL. `ready` gives None, or the reason why not."""

    async def livez(_request: web.Request) -> web.Response:
        return web.json_response({"status": "alive"})

    async def readyz(_request: web.Request) -> web.Response:
        reason = await ready()
        if reason is None:
            return web.json_response({"status": "ready"})
        return web.json_response({"status": "unready", "reason": reason}, status=503)

    async def metrics(_request: web.Request) -> web.Response:
        return web.Response(
            body=generate_latest(registry),
            headers={"Content-Type": "text/plain; version=0.0.4; charset=utf-8"},
        )

    app = web.Application()
    app.router.add_get("/livez", livez)
    app.router.add_get("/readyz", readyz)
    app.router.add_get("/metrics", metrics)
    runner = web.AppRunner(app, access_log=None, shutdown_timeout=1)
    await runner.setup()
    try:
        host, port = host_port(address)
        site = web.TCPSite(runner, host, port)
        try:
            await site.start()
        except OSError as exc:
            raise SettingsError(f"TCCC_ADMIN_LISTEN: cannot listen on {address}: {exc.strerror}") from exc
        bound = runner.addresses[0]
        yield f"http://{host}:{bound[1]}"
    finally:
        await runner.cleanup()
