"""A pipeline, a Prometheus that watches it by the rules of deploy/, and a simulated contact centre that fills it."""

import asyncio
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import aiohttp
import msgspec
import yaml
from aiohttp.test_utils import unused_port

from deploy.local.state import StackState
from tests.deployment import ROOT
from tests.observability import RULES

START_S = 180.0
STOP_S = 60.0
PUSHES, PER_S = 1500, 75
DAY = "2026-03-04"


@asynccontextmanager
async def pipeline(home: Path) -> AsyncIterator[StackState]:
    async with _process(
        sys.executable, "-m", "console", "up", "--home", str(home), "--json", log=home.parent / "up.log"
    ) as up:
        assert up.stdout is not None
        async with asyncio.timeout(START_S):
            yield msgspec.json.decode(await up.stdout.readline(), type=StackState)


@asynccontextmanager
async def prometheus(folder: Path, state: StackState) -> AsyncIterator[str]:
    """Its URL; it looks every second."""
    jobs = {"tccc-receiver": state.receiver_admin_urls, "tccc-worker": state.worker_admin_urls}
    every = {"scrape_interval": "1s", "evaluation_interval": "1s"}
    scrapes = [
        {"job_name": name, "static_configs": [{"targets": [url.removeprefix("http://") for url in urls]}]}
        for name, urls in jobs.items()
    ]
    config = folder / "prometheus.yml"
    config.write_text(
        yaml.safe_dump({"global": every, "rule_files": [f"{RULES}/*.yml"], "scrape_configs": scrapes})
    )
    address = f"127.0.0.1:{unused_port()}"
    words = (
        f"--config.file={config}",
        f"--storage.tsdb.path={folder}/tsdb",
        f"--web.listen-address={address}",
    )
    async with _process("prometheus", *words, log=folder / "prometheus.log"):
        url = f"http://{address}"
        await _ready(f"{url}/-/ready")
        yield url


async def filled(state: StackState, session: aiohttp.ClientSession) -> None:
    """Pushes of a simulated day, and one that becomes a dead letter."""
    sender = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "console", "send", "--url", state.push_url, "--day", DAY),
        *(
            "--count",
            str(PUSHES),
            "--rate",
            str(PER_S),
            "--duplicates",
            "3%",
            "--sessions-a-day",
            "500",
            "--seed",
            "5",
            "--json",
        ),
        cwd=ROOT,
        stdout=asyncio.subprocess.DEVNULL,
    )
    assert await sender.wait() == 0
    async with session.post(
        state.push_url, params={"action": "cdr", "version": "1"}, data=b"no JSON"
    ) as answer:
        assert answer.status == 400


@asynccontextmanager
async def _process(*command: str, log: Path) -> AsyncIterator[asyncio.subprocess.Process]:
    with log.open("wb") as errors:
        process = await asyncio.create_subprocess_exec(
            *command, cwd=ROOT, stdout=asyncio.subprocess.PIPE, stderr=errors
        )
    try:
        yield process
    finally:
        if process.returncode is None:
            process.terminate()
        async with asyncio.timeout(STOP_S):
            await process.wait()


async def _ready(url: str) -> None:
    async with asyncio.timeout(START_S), aiohttp.ClientSession() as session:
        while True:
            try:
                async with session.get(url) as answer:
                    if answer.status == 200:
                        return
            except aiohttp.ClientError:
                pass
            await asyncio.sleep(0.1)
