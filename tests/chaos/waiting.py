"""Waits for a condition, bounded."""

import asyncio
import inspect
from collections.abc import Callable

POLL_S = 0.1


async def until(condition: Callable[[], object], *, timeout_s: float, poll_s: float = POLL_S) -> bool:
    """Poll a condition, plain or async, until it is truthy; False if the time was over first."""
    deadline_s = asyncio.get_running_loop().time() + timeout_s
    while True:
        result = condition()
        if inspect.isawaitable(result):
            result = await result
        if result:
            return True
        if asyncio.get_running_loop().time() >= deadline_s:
            return False
        await asyncio.sleep(poll_s)
