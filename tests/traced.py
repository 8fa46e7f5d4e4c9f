"""What tests of tracing do: push with any headers, run the pipeline with a collector, and look at spans."""

from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from typing import Any

import aiohttp

from schemas.envelope import TRACEPARENT
from schemas.settings import Settings
from tests.collector import Span
from tests.processes import Role, running
from tests.records import body

Until = Callable[..., Awaitable[Any]]

SOON = {"OTEL_BSP_SCHEDULE_DELAY": "100"}
NOWHERE = "127.0.0.1:1"


async def push(receiver: Role, session: str, *traceparents: str) -> int:
    """The status of the answer."""
    url = (await receiver.event("started"))["push"]
    headers = [("X-TCCC-PUSH-UUID", f"id-{session}"), *((TRACEPARENT, each) for each in traceparents)]
    async with (
        aiohttp.ClientSession() as client,
        client.post(
            url,
            params={"action": "cdr", "version": "1"},
            data=body(SessionId=session, Caller=f"caller-of-{session}"),
            headers=headers,
        ) as answer,
    ):
        return answer.status


@asynccontextmanager
async def pipeline(settings: Settings, eventually: Until, **environ: str) -> AsyncIterator[Role]:
    """The receiver of a pipeline that is ready; the spans are out when the block has ended."""
    async with AsyncExitStack() as stack:
        roles = [
            await stack.enter_async_context(running(module, settings, **SOON, **environ))
            for module in ("worker", "receiver")
        ]
        for role in roles:
            await eventually(role.ready)
        yield roles[1]
        for role in reversed(roles):
            assert await role.stop() == 0


def below(spans: Sequence[Span]) -> dict[str, str]:
    """Each span's name, and that of the span that it is a child of."""
    names = {span.id: span.name for span in spans}
    return {span.name: names.get(span.parent, "") for span in spans}


def traceparents(headers: Iterable[tuple[str, bytes]]) -> list[bytes]:
    return [value for name, value in headers if name == TRACEPARENT]
