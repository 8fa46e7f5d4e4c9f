"""Receivers on one port and workers in one group, started again at once when they die."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from pathlib import Path

from msgspec.structs import replace

from deploy.local.ports import free_port
from schemas.settings import Settings
from tests.chaos.arms import Arms
from tests.chaos.processes import HOST, Process
from tests.chaos.waiting import until
from tests.processes import environment

RESTART_S = 0.2
READY_TIMEOUT_S = 60.0


class Roles:
    """`settings` are those of every process; where they listen is chosen here."""

    def __init__(
        self, home: Path, settings: Settings, *, receivers: int, workers: int, mutant: str | None = None
    ) -> None:
        self.arms = Arms(home / "arms")
        ports: list[int] = []
        for _ in range(1 + receivers + workers):
            ports.append(free_port(taken=ports))
        self.push_url = f"http://{HOST}:{ports[0]}/"
        environ = environment(replace(settings, listen=f"{HOST}:{ports[0]}", reuse_port=True, drain_s=0))
        arguments = ["--arms", str(self.arms.folder), *(["--mutant", mutant] if mutant else [])]
        names = [f"receiver-{n}" for n in range(receivers)] + [f"worker-{n}" for n in range(workers)]
        self.processes = [
            Process(name, home=home, environ=environ, admin_port=port, arguments=arguments)
            for name, port in zip(names, ports[1:], strict=True)
        ]
        self.receivers = [process for process in self.processes if process.kind == "receiver"]
        self.workers = [process for process in self.processes if process.kind == "worker"]

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """All started and ready; all stopped at the end of the block, whatever a fault has left of them."""
        supervising = asyncio.create_task(self._supervise())
        try:
            await self.wait_ready()
            yield
        finally:
            supervising.cancel()
            with suppress(asyncio.CancelledError):
                await supervising
            await asyncio.gather(*(asyncio.to_thread(process.stop) for process in self.processes))

    async def wait_ready(self) -> None:
        """Raises TimeoutError if one of the processes does not get ready."""
        for process in self.processes:
            if not await until(process.ready, timeout_s=READY_TIMEOUT_S):
                raise TimeoutError(f"{process.name} is not ready: {process.child.last_output()}")

    async def _supervise(self) -> None:
        """Start again what has died, at once: a fault is to be met by a stack that is there."""
        while True:
            for process in self.processes:
                if not process.child.running():
                    process.spawn()
            await asyncio.sleep(RESTART_S)
