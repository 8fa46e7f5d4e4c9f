"""Runs receivers and workers as processes of their own, configured as an operator would: by the environment."""

import asyncio
import json
import os
import re
import signal
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import aiohttp
import msgspec

from schemas.settings import Settings

DEADLINE_S = 30.0


class Role:
    """A running process and what it has logged."""

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        self.process = process
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
            self.process.send_signal(number)
        async with asyncio.timeout(DEADLINE_S):
            await self._reader
            return await self.process.wait()

    async def _read(self) -> None:
        assert self.process.stderr is not None
        async for line in self.process.stderr:
            try:
                event = json.loads(line)
            except ValueError:
                event = {"text": line.decode()}
            async with self._logged:
                self.log.append(event)
                self._logged.notify_all()
        async with self._logged:
            self._logged.notify_all()


@asynccontextmanager
async def running(module: str, settings: Settings, **extra: str) -> AsyncIterator[Role]:
    """`python -m receiver` or `python -m worker`; stopped at the end of the block, if it still runs."""
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", module, env=environment(settings) | extra, stderr=asyncio.subprocess.PIPE
    )
    role = Role(process)
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
