"""Assembles a receiver, serves until asked to stop, and takes it apart in reverse."""

import asyncio
import sys
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from functools import partial
from pathlib import Path
from typing import Any

import structlog
from prometheus_client import CollectorRegistry, Gauge

from receiver.auth.assembly import Auth
from receiver.client_address import ClientAddresses
from receiver.clock import ReceiveClock
from receiver.intake import Intake
from receiver.metrics import ReceiverMetrics
from receiver.publisher import Publisher
from receiver.pushes import PushTaker
from receiver.reload import Reload
from receiver.server import PushServer, no_authentication
from receiver.spool.drainer import Drainer
from receiver.spool.metrics import SpoolMetrics
from receiver.spool.spool import Spool
from receiver.tls import ServerTls
from receiver.tracing import TracedIntake, TracedServer
from runtime.admin import admin_server
from runtime.kafka import client_options
from runtime.kafka_access import require_access
from runtime.signals import Stop, on_hangup, stop_on_signals
from runtime.tracing import tracing
from schemas.errors import SettingsError
from schemas.settings import Settings, host_port

DEFAULT_ADMIN_LISTEN = "127.0.0.1:9464"
BACKLOG = 1024
# How long a thread of the spool may run while the loop waits for the interpreter; Python's own 5 ms, met several
# times by one push, are felt.
SWITCH_INTERVAL_S = 0.0005
TLS_SHUTDOWN_S = 2.0

log = structlog.get_logger()


async def serve(settings: Settings, reread: Callable[[], Settings]) -> None:
    """Take pushes until SIGTERM or SIGINT, then drain; a second signal skips the drain time.

    At SIGHUP `reread` gives the settings with their secrets as they are now; others that differ change nothing.
    Raises OperatorError if it cannot start; Kafka being away is no reason not to, Kafka refusing us is one.
    """
    sys.setswitchinterval(SWITCH_INTERVAL_S)
    stop = stop_on_signals()
    client_options(settings)  # bad files of keys are found before a socket opens
    await require_access(settings)
    tls = ServerTls(settings) if settings.tls_cert or settings.tls_key else None
    registry = CollectorRegistry()
    auth = Auth(settings, ClientAddresses(settings.trusted_proxies), registry)
    _reread_at_hangup(registry, auth, tls, reread)
    metrics = ReceiverMetrics(registry)
    clock = ReceiveClock()
    async with AsyncExitStack() as stack:
        spans = await stack.enter_async_context(tracing(settings, "receiver"))
        topics = (settings.kafka_topic, settings.kafka_dead_topic)
        publisher = await stack.enter_async_context(Publisher(settings, topics))
        spool = await stack.enter_async_context(_opened(settings)) if settings.spool_dir else None
        make_intake = partial(TracedIntake, spans) if spans else Intake
        intake = make_intake(settings, publisher, spool, clock, metrics)
        metrics.kafka_connected = lambda: publisher.connected
        if spool is not None:
            registry.register(
                SpoolMetrics(spool, Path(settings.spool_dir), max_bytes=settings.spool_max_bytes)
            )
            await stack.enter_async_context(_draining(settings, spool, intake, publisher))
        await stack.enter_async_context(auth.kept_fresh())
        make_server = partial(TracedServer, spans) if spans else PushServer
        server = make_server(
            settings,
            metrics,
            PushTaker(settings, intake, clock, metrics),
            auth.gate or no_authentication,
            auth.token_endpoint,
        )
        ready = _readiness(publisher, spool, auth, stop)
        admin_url = await stack.enter_async_context(
            admin_server(settings.admin_listen or DEFAULT_ADMIN_LISTEN, ready=ready, registry=registry)
        )
        push_url = await stack.enter_async_context(_listening(settings, server, tls, stop, metrics))
        if settings.auth == "none":
            log.warning("anybody_may_push", why="TCCC_AUTH is none")
        log.info("started", role="receiver", push=push_url, admin=admin_url)
        await stop.wait()
        log.info("stopping", role="receiver", drain_s=settings.drain_s)
    log.info("stopped", role="receiver")


def _reread_at_hangup(
    registry: CollectorRegistry, auth: Auth, tls: ServerTls | None, reread: Callable[[], Settings]
) -> None:
    parts: dict[str, Callable[[], None]] = {"credentials": lambda: auth.adopt(reread())}
    if tls is not None:
        parts["certificate"] = tls.reload
        expiry = Gauge(
            "tccc_receiver_tls_not_after_seconds",
            "When the certificate that is served ends to be valid, since the epoch",
            registry=registry,
        )
        expiry.set_function(lambda: tls.not_after_s)
    on_hangup(Reload(parts, registry))


def _readiness(
    publisher: Publisher, spool: Spool | None, auth: Auth, stop: Stop
) -> Callable[[], Awaitable[str | None]]:
    async def ready() -> str | None:
        if stop.requested.is_set():
            return "stopping"
        if (reason := auth.unready()) is not None:
            return reason
        if publisher.connected or (spool is not None and not spool.status().full):
            return None
        return "Kafka is away" if spool is None else "Kafka is away and the spool takes nothing"

    return ready


@asynccontextmanager
async def _opened(settings: Settings) -> AsyncIterator[Spool]:
    spool = await Spool.open(Path(settings.spool_dir), max_bytes=settings.spool_max_bytes)
    try:
        yield spool
    finally:
        await spool.close()


@asynccontextmanager
async def _draining(
    settings: Settings, spool: Spool, intake: Intake, publisher: Publisher
) -> AsyncIterator[None]:
    drainer = Drainer(
        spool,
        intake.publish_all,
        kafka_ready=lambda: publisher.connected,
        rate_per_s=settings.spool_drain_per_s,
    )
    drainer.start()
    try:
        yield
    finally:
        await drainer.stop()


@asynccontextmanager
async def _listening(
    settings: Settings, server: PushServer, tls: ServerTls | None, stop: Stop, metrics: ReceiverMetrics
) -> AsyncIterator[str]:
    """Accept connections until the block ends; then go on for the drain time, and finish what is in flight."""
    loop = asyncio.get_running_loop()
    host, port = host_port(settings.listen)
    try:
        listener = await loop.create_server(
            server,
            host,
            port,
            reuse_port=settings.reuse_port or None,
            backlog=BACKLOG,
            **_tls_options(settings, tls),
        )
    except OSError as exc:
        raise SettingsError(f"TCCC_LISTEN: cannot listen on {settings.listen}: {exc.strerror}") from exc
    sweeper = asyncio.create_task(server.sweep())
    try:
        yield f"{'https' if tls else 'http'}://{host}:{listener.sockets[0].getsockname()[1]}{settings.push_path}"
        server.draining = True
        await _first(stop.again.wait(), asyncio.sleep(settings.drain_s))
    finally:
        server.refusing = server.draining = True
        listener.close()
        await _finish(settings, metrics)
        sweeper.cancel()
        await server.shutdown(timeout=1.0)


def _tls_options(settings: Settings, tls: ServerTls | None) -> dict[str, Any]:
    if tls is None:
        return {}
    return {
        "ssl": tls.context,
        "ssl_handshake_timeout": settings.head_timeout_s,
        "ssl_shutdown_timeout": TLS_SHUTDOWN_S,
    }


async def _finish(settings: Settings, metrics: ReceiverMetrics) -> None:
    """Wait for the requests in flight, each of which has its own time-outs."""
    loop = asyncio.get_running_loop()
    deadline = loop.time() + settings.body_timeout_s + 2 * settings.ack_timeout_s + 1
    while metrics.in_flight and loop.time() < deadline:
        await asyncio.sleep(0.01)
    if metrics.in_flight:
        log.warning("requests_given_up", requests=metrics.in_flight)


async def _first(*works: Awaitable[object]) -> None:
    tasks = [asyncio.ensure_future(work) for work in works]
    await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
    for task in tasks:
        task.cancel()
