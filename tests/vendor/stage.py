"""Real services, a worker and the fake of the vendor's API, and `tccc` as a process that is killed on the way."""

import asyncio
import signal
import sys
import tempfile
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import msgspec
import psutil
from msgspec import Struct

from console.fake_vendor.server import FakeVendor, serving
from console.fake_vendor.store import Store
from console.simulator.centre import SDK_APP_ID
from runtime.topics import ensure_topics
from schemas.settings import Settings
from tests import services
from tests.processes import running
from tests.vendor.centre import environ
from worker.migrate import migrate

PAGE_SIZE = 100


class Stage(Struct):
    settings: Settings
    fake: FakeVendor
    environ: dict[str, str]
    worker_pid: int


class Ended(Struct, frozen=True):
    """How a `tccc` process ended; `requests` are those that the fake saw of it."""

    status: int
    out: bytes
    err: bytes
    requests: int

    @property
    def json(self) -> Any:
        assert self.out, self.err
        return msgspec.json.decode(self.out)


@asynccontextmanager
async def own_services(store: Store) -> AsyncIterator[Stage]:
    """For the commands outside the suite: services of their own, gone with the block."""
    with tempfile.TemporaryDirectory(prefix="tccc-vendor-") as name:
        folder = Path(name)
        with services.postgres(folder) as database_url, services.kafka(folder) as bootstrap:
            settings = Settings(
                kafka_bootstrap=bootstrap, database_url=database_url, admin_listen="127.0.0.1:0"
            )
            await migrate(database_url)
            await ensure_topics(settings)
            async with on_stage(settings, store) as stage:
                yield stage


@asynccontextmanager
async def on_stage(settings: Settings, store: Store) -> AsyncIterator[Stage]:
    fake = FakeVendor(store, SDK_APP_ID)
    async with running("worker", settings) as worker, serving(fake) as url:
        yield Stage(settings, fake, environ(settings, url), worker.process.pid)


async def run(
    stage: Stage,
    *words: str,
    kill_after: int | None = None,
    watch: Callable[[psutil.Process], None] | None = None,
) -> Ended:
    """Run `tccc`; killed (SIGKILL) once the fake has seen so many requests of it. `watch` is called once a second."""
    before = stage.fake.faults.requests
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "console", *words), env=stage.environ, stdout=-1, stderr=-1
    )
    told = asyncio.create_task(process.communicate())
    observed, ticks = psutil.Process(process.pid), 0
    while not told.done():
        await asyncio.wait({told}, timeout=0.02)
        ticks += 1
        if kill_after is not None and stage.fake.faults.requests - before >= kill_after and not told.done():
            process.send_signal(signal.SIGKILL)
            kill_after = None
        if watch is not None and ticks % 50 == 0 and not told.done():
            watch(observed)
    out, err = told.result()
    assert process.returncode is not None
    return Ended(process.returncode, out, err, stage.fake.faults.requests - before)
