"""Part `tracing`: what spans cost a receiver and a worker, all pushes traced, some, and none."""

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from functools import partial
from typing import Any

from aiohttp import web
from msgspec.structs import replace

from tests.bench import lag
from tests.bench.part_receiver import CLOSED_S, project, push
from tests.bench.rounds import Measure, Rounds
from tests.bench.run import Run

_WARM_S = 1.0
_RATIOS = {"off": None, "1 of 100 traced": 0.01, "all traced": 1.0}


async def measure_tracing(run: Run) -> Rounds:
    """What a worker finds in its topic has the header in each case."""
    rounds = run.rounds("tracing")
    filled = await run.services.fill(run.options.records, traced=True)
    async with AsyncExitStack() as stack:
        collector = await stack.enter_async_context(_sink())
        cases: dict[str, Measure] = {}
        for name, ratio in _RATIOS.items():
            traced = replace(run, receiver_settings=run.receiver_settings | _settings(collector, ratio))
            contender = await stack.enter_async_context(project(traced, f"receiver, {name}"))
            await run.generator.run(contender.port, seconds=_WARM_S)
            cases[contender.name] = partial(push, run, contender, CLOSED_S, 0)
        for name, ratio in (("off", None), ("all traced", 1.0)):
            worker = lag.project(**_settings(collector, ratio))
            cases[f"worker, {name}"] = partial(lag.drain, run, worker, filled)
        await rounds.interleave(cases)
    await run.services.drop_topics([filled.topic])
    return rounds


def _settings(collector: str, ratio: float | None) -> dict[str, Any]:
    if ratio is None:
        return {}
    return {"tracing": "otlp", "tracing_endpoint": collector, "tracing_ratio": ratio}


@asynccontextmanager
async def _sink() -> AsyncIterator[str]:
    """A collector that throws away what it gets: it shares the machine with what is measured."""

    async def take(request: web.Request) -> web.Response:
        await request.read()
        return web.Response(content_type="application/x-protobuf")

    app = web.Application(client_max_size=2**26)
    app.router.add_post("/v1/traces", take)
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    try:
        yield f"http://127.0.0.1:{runner.addresses[0][1]}"
    finally:
        await runner.cleanup()
