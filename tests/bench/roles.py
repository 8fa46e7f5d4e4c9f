"""Starts the processes that are measured: receivers and workers of the project, and their peers."""

import asyncio
import contextlib
import os
import re
import signal
import sys
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path

import aiohttp
from msgspec.structs import replace

from deploy.local.ports import HOST, free_port
from deploy.local.process import Child
from schemas.settings import Settings
from tests.bench.services import Services
from tests.processes import environment

ROOT = Path(__file__).parents[2]
READY_TIMEOUT_S = 60.0
_STOP_TIMEOUT_S = 10.0
_POLL_S = 0.01
_SAMPLE = re.compile(r"^(\w+)(?:\{.*\})? (\S+)$", re.MULTILINE)


class Role:
    """A process of the project, with its admin address."""

    def __init__(self, child: Child, settings: Settings) -> None:
        self.child = child
        self.settings = settings

    @property
    def pid(self) -> int:
        assert self.child.pid is not None
        return self.child.pid

    async def ready(self) -> bool:
        return (await self._get("/readyz"))[0] == 200

    async def metric(self, name: str) -> float:
        """The sum of a metric over its labels."""
        return sum(
            float(v) for found, v in _SAMPLE.findall((await self._get("/metrics"))[1]) if found == name
        )

    async def wait_ready(self) -> None:
        async with asyncio.timeout(READY_TIMEOUT_S):
            while not await self.ready():
                if not self.child.running():
                    raise RuntimeError(f"{self.child.name} ended: {self.child.last_output()}")
                await asyncio.sleep(_POLL_S)

    async def _get(self, path: str) -> tuple[int, str]:
        try:
            async with (
                aiohttp.ClientSession() as session,
                session.get(f"http://{self.settings.admin_listen}{path}") as answer,
            ):
                return answer.status, await answer.text()
        except aiohttp.ClientError:
            return 0, ""


def spawn(services: Services, module: str, settings: Settings) -> Role:
    """Start `python -m receiver` or `worker`; it gets free ports unless the settings give one to listen on."""
    settings = replace(settings, admin_listen=f"{HOST}:{free_port()}")
    environ = environment(settings) | {"PYTHONPATH": str(ROOT)}
    name = f"{module}-{settings.admin_listen.rpartition(':')[2]}"
    child = Child(name, [sys.executable, "-m", module], log=services.home / f"{name}.log", env=environ)
    child.start()
    return Role(child, settings)


@asynccontextmanager
async def role(services: Services, module: str, settings: Settings) -> AsyncIterator[Role]:
    """One, ready; stopped at the end."""
    started = spawn(services, module, settings)
    try:
        await started.wait_ready()
        yield started
    finally:
        await stop(started.child)


@asynccontextmanager
async def receivers(services: Services, settings: Settings, count: int = 1) -> AsyncIterator[list[Role]]:
    """Receivers that share a port, all ready; it is in their settings' `listen`."""
    shared = replace(settings, listen=f"{HOST}:{free_port()}", reuse_port=count > 1)
    async with AsyncExitStack() as stack:
        yield [
            await stack.enter_async_context(
                role(services, "receiver", replace(shared, spool_dir=f"{shared.spool_dir}-{n}"))
            )
            for n in range(count)
        ]


@asynccontextmanager
async def peer(
    services: Services, name: str, command: Sequence[str], environ: Mapping[str, str], *, port: int = 0
) -> AsyncIterator[int]:
    """A process that is not ours, by its pid; listening, if a port is given."""
    child = Child(
        name,
        command,
        log=services.home / f"{name}.log",
        env={**os.environ, "PYTHONPATH": str(ROOT), **environ},
    )
    child.start()
    try:
        assert child.pid is not None
        if port:
            await _wait_port(child, port)
        yield child.pid
    finally:
        await stop(child)


async def stop(child: Child) -> None:
    await asyncio.to_thread(child.stop, (signal.SIGTERM, _STOP_TIMEOUT_S))


async def _wait_port(child: Child, port: int) -> None:
    async with asyncio.timeout(READY_TIMEOUT_S):
        while True:
            with contextlib.suppress(OSError):
                _, writer = await asyncio.open_connection(HOST, port)
                writer.close()
                return
            if not child.running():
                raise RuntimeError(f"{child.name} ended: {child.last_output()}")
            await asyncio.sleep(_POLL_S)
