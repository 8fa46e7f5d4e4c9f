"""Receivers and workers with their failpoints, as processes that are started again when they die."""

import os
import re
import signal
import sys
from collections.abc import Mapping
from pathlib import Path

import aiohttp
from msgspec import Struct

from deploy.local.process import Child

ROOT = Path(__file__).parents[2]
HOST = "127.0.0.1"
PROBE_TIMEOUT_S = 3.0
_PAGE_BYTES = os.sysconf("SC_PAGE_SIZE")


class Use(Struct, frozen=True):
    """What a process holds: resident memory, open files."""

    rss_mib: float
    files: int


class Process:
    """One role, configured by the environment as an operator would."""

    def __init__(
        self, name: str, *, home: Path, environ: Mapping[str, str], admin_port: int, arguments: list[str]
    ) -> None:
        self.name = name
        self.kind = name.partition("-")[0]
        self.starts = 0
        self._admin_port = admin_port
        self._log = home / "logs" / f"{name}.log"
        self._argv = [sys.executable, "-m", "tests.chaos.entry", self.kind, *arguments]
        self._environ = {
            **environ,
            "PYTHONPATH": str(ROOT),
            "TCCC_ADMIN_LISTEN": f"{HOST}:{admin_port}",
            "TCCC_LOG_FORMAT": "json",
        }
        self.child = self._make_child()

    def configure(self, variable: str, value: str | None) -> None:
        """Change or, with None, unset a variable of its environment for its next start."""
        self._environ.pop(variable, None)
        if value is not None:
            self._environ[variable] = value

    def spawn(self) -> None:
        """Start it; the one before must have ended."""
        self.starts += 1
        self.child = self._make_child()
        self.child.start()

    def _make_child(self) -> Child:
        return Child(self.name, self._argv, log=self._log, env=self._environ)

    def send(self, number: signal.Signals) -> bool:
        """Send a signal; False if there was nobody to send it to."""
        if not self.child.running():
            return False
        self.child.signal(number)
        return True

    def kill(self) -> bool:
        return self.send(signal.SIGKILL)

    def stop(self) -> None:
        self.send(signal.SIGCONT)
        self.child.stop((signal.SIGTERM, 15.0))

    def state(self) -> str:
        """The kernel's letter for it: T is frozen."""
        try:
            stat = Path(f"/proc/{self.child.pid}/stat").read_text(encoding="utf-8")
        except OSError:
            return ""
        return stat.rpartition(")")[2].split()[0]

    def use(self) -> Use:
        pid = self.child.pid
        pages = int(Path(f"/proc/{pid}/statm").read_text(encoding="ascii").split()[1])
        return Use(pages * _PAGE_BYTES / 2**20, len(list(Path(f"/proc/{pid}/fd").iterdir())))

    async def get(self, path: str) -> tuple[int, str]:
        """Ask its admin address; (0, "") if it does not answer."""
        timeout = aiohttp.ClientTimeout(total=PROBE_TIMEOUT_S)
        try:
            async with (
                aiohttp.ClientSession(timeout=timeout) as session,
                session.get(f"http://{HOST}:{self._admin_port}{path}") as answer,
            ):
                return answer.status, await answer.text()
        except (aiohttp.ClientError, TimeoutError, OSError):
            return 0, ""

    async def ready(self) -> bool:
        return (await self.get("/readyz"))[0] == 200

    async def metric(self, name: str, **labels: str) -> float:
        """The sum of a metric's samples that carry these labels; 0 where it does not answer."""
        total = 0.0
        for found, given, value in _SAMPLE.findall((await self.get("/metrics"))[1]):
            if found == name and all(f'{label}="{text}"' in given for label, text in labels.items()):
                total += float(value)
        return total


_SAMPLE = re.compile(r"^(\w+)(?:\{(.*)\})? (\S+)$", re.MULTILINE)
