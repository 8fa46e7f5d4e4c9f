"""`make dashboards`: runs each panel's query on a Prometheus and a Postgres that a pipeline has filled.

Needs `prometheus` in PATH. Exits with 1 if a query fails or gives nothing.
"""

import asyncio
import sys
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

import aiohttp

from tests.dashboards.asking import Asking, Fault
from tests.dashboards.filled import filled, pipeline, prometheus
from tests.observability import Panel, panels

DEADLINE_S = 120.0
EVERY_S = 3.0


async def main() -> int:
    asked = list(panels())
    async with _running() as asking:
        results = await _until_all_answer(asking, asked)
    for panel, result in zip(asked, results, strict=True):
        told = result if isinstance(result, Fault) else f"{result} rows"
        print(f"{panel.dashboard}: {panel.title}: {told}")
    answered = sum(isinstance(result, int) and result > 0 for result in results)
    print(f"{answered} of {len(asked)} queries give data")
    return 0 if answered == len(asked) else 1


@asynccontextmanager
async def _running() -> AsyncIterator[Asking]:
    async with AsyncExitStack() as stack:
        folder = Path(stack.enter_context(TemporaryDirectory(prefix="tccc-dashboards-")))
        state = await stack.enter_async_context(pipeline(folder / "home"))
        url = await stack.enter_async_context(prometheus(folder, state))
        session = await stack.enter_async_context(aiohttp.ClientSession())
        await filled(state, session)
        asking = Asking(session, prometheus_url=url, database_url=state.database_url)
        await stack.enter_async_context(asking)
        yield asking


async def _until_all_answer(asking: Asking, asked: list[Panel]) -> list[int | Fault]:
    """Rows become visible some seconds after they were sent: ask again until nothing is missing, bounded."""
    give_up_at = asyncio.get_running_loop().time() + DEADLINE_S
    while True:
        results = [await asking.rows(panel) for panel in asked]
        late = asyncio.get_running_loop().time() > give_up_at
        if late or all(isinstance(result, int) and result > 0 for result in results):
            return results
        await asyncio.sleep(EVERY_S)


if __name__ == "__main__":
    sys.exit(asyncio.run(main()))
