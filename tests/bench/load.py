"""Runs the load generator: the Go one where Go is there, else the Python one."""

import asyncio
import base64
import itertools
import shutil
import sys
from pathlib import Path

import msgspec
from msgspec import Struct

GO_SOURCES = Path(__file__).with_name("go")
CONNECTIONS = 64
TARGET = "/?action=cdr&version=1"
_BUILD_TIMEOUT_S = 300.0
LATENESS_S = 10.0  # how long after the last one was due requests are still sent
_GRACE_S = 60.0


class Load(Struct, frozen=True):
    """What a generator saw: latencies of those that were taken; `unsent` is what it was too late to send."""

    ok: int
    refused: int
    broken: int
    unsent: int
    seconds: float
    p50_ms: float
    p99_ms: float
    p999_ms: float
    max_ms: float

    @property
    def failed(self) -> int:
        return self.refused + self.broken + self.unsent

    @property
    def rate(self) -> float:
        return self.ok / self.seconds


class Generator:
    """`command` takes the options that the Go program takes."""

    def __init__(self, command: list[str], bodies: Path, authorization: str) -> None:
        self._command = command
        self._bodies = bodies
        self._authorization = authorization
        self._seeds = itertools.count(1)

    async def run(
        self, port: int, *, seconds: float, rate: float = 0, connections: int = CONNECTIONS
    ) -> Load:
        """Push for so long, with SessionIds that no other call uses; a rate of 0 is a closed loop."""
        options = {
            "address": f"127.0.0.1:{port}",
            "target": TARGET,
            "authorization": self._authorization,
            "bodies": self._bodies,
            "connections": connections,
            "rate": rate,
            "seconds": seconds,
            "seed": next(self._seeds),
        }
        words = [f"-{name}={value}" for name, value in options.items()]
        process = await asyncio.create_subprocess_exec(*self._command, *words, stdout=asyncio.subprocess.PIPE)
        try:
            async with asyncio.timeout(seconds + _GRACE_S):
                out, _ = await process.communicate()
        except BaseException:
            if process.returncode is None:
                process.kill()
                await process.wait()
            raise
        if process.returncode != 0:
            raise RuntimeError(f"the load generator ended with {process.returncode}")
        return msgspec.json.decode(out, type=Load)


async def build_go(folder: Path) -> Path | None:
    """Build the Go programs; None where there is no Go, or it cannot build them."""
    go = shutil.which("go")
    if go is None:
        return None
    process = await asyncio.create_subprocess_exec(go, "build", "-o", f"{folder}/", "./...", cwd=GO_SOURCES)
    try:
        async with asyncio.timeout(_BUILD_TIMEOUT_S):
            status = await process.wait()
    except TimeoutError:
        process.kill()
        status = await process.wait()
    return folder if status == 0 else None


def generator_command(programs: Path | None) -> list[str]:
    return (
        [sys.executable, "-m", "tests.bench.load_python"] if programs is None else [str(programs / "loadgen")]
    )


def authorization(user: str, password: str) -> str:
    """The header of HTTP Basic authentication."""
    return "Basic " + base64.b64encode(f"{user}:{password}".encode()).decode()
