"""Runs receivers and workers as processes of their own, configured as an operator would: by the environment."""

import asyncio
import json
import os
import re
import signal
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from typing import Any

import aiohttp
import msgspec

from schemas.settings import Settings
from tests import leaks

DEADLINE_S = 30.0
PAGES_S = 1.0


class Role:
    """A running process and what it has logged."""

    def __init__(self, process: asyncio.subprocess.Process, name: str = "role") -> None:
        self.process = process
        self.name = name
        self.log: list[dict[str, Any]] = []
        self._logged = asyncio.Condition()
        self._reader = asyncio.create_task(self._read())

    async def event(self, name: str, **facts: Any) -> dict[str, Any]:
        """The first logged event of this name, and with these facts, waited for."""
        async with asyncio.timeout(DEADLINE_S), self._logged:
            while True:
                for line in self.log:
                    if line.get("event") == name and facts.items() <= line.items():
                        return line
                if self._reader.done():
                    raise AssertionError(f"ended without {name!r}: {self.log[-5:]}")
                await self._logged.wait()

    async def ready(self) -> bool:
        return (await self.admin("/readyz"))[0] == 200

    async def admin(self, path: str) -> tuple[int, str]:
        started = await self.event("started")
        async with aiohttp.ClientSession() as session, session.get(started["admin"] + path) as answer:
            return answer.status, await answer.text()

    async def stop(self, number: int = signal.SIGTERM) -> int:
        """Send a signal, unless it has ended already, and return its exit status."""
        if self.process.returncode is None:
            if number == signal.SIGTERM:
                await self._keep_pages()
            self.process.send_signal(number)
        async with asyncio.timeout(DEADLINE_S):
            await self._reader
            return await self.process.wait()

    async def _keep_pages(self) -> None:
        """What it shows to anybody, for the search at the end of the run."""
        admin = next((line["admin"] for line in self.log if line.get("event") == "started"), None)
        if admin is None:
            return
        with suppress(aiohttp.ClientError, TimeoutError):
            async with asyncio.timeout(PAGES_S), aiohttp.ClientSession() as session:
                for path in ("/metrics", "/readyz"):
                    async with session.get(admin + path) as answer:
                        leaks.keep(self.name, await answer.read())

    async def _read(self) -> None:
        assert self.process.stderr is not None
        raw = b""
        async for line in self.process.stderr:
            raw += line
            try:
                event = json.loads(line)
            except ValueError:
                event = {"text": line.decode()}
            async with self._logged:
                self.log.append(event)
                self._logged.notify_all()
        leaks.keep(self.name, raw)
        async with self._logged:
            self._logged.notify_all()


@asynccontextmanager
async def running(module: str, settings: Settings, **extra: str) -> AsyncIterator[Role]:
    """`python -m receiver` or `python -m worker`; stopped at the end of the block, if it still runs."""
    leaks.send(leaks.secrets_of(settings))
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", module, env=environment(settings) | extra, stderr=asyncio.subprocess.PIPE
    )
    role = Role(process, module)
    try:
        yield role
    finally:
        try:
            await role.stop()
        except TimeoutError:
            await role.stop(signal.SIGKILL)
            raise


async def port_of(role: Role) -> int:
    """The port on which a receiver takes pushes."""
    found = re.search(r":(\d+)/", (await role.event("started"))["push"])
    assert found is not None
    return int(found[1])


def environment(settings: Settings) -> dict[str, str]:
    """The environment that makes these settings."""
    given = {name: value for name, value in os.environ.items() if not name.startswith("TCCC_")}
    for field in msgspec.structs.fields(Settings):
        value = getattr(settings, field.name)
        if value != field.default:
            text = ",".join(map(str, value)) if isinstance(value, tuple) else str(value)
            given["TCCC_" + field.name.upper()] = text
    return given | {"TCCC_LOG_FORMAT": "json"}
