"""Spaces requests evenly, so that no second ever sees more of them than allowed."""

import asyncio


class Pace:
    def __init__(self, per_s: float) -> None:
        self._interval_s = 1 / per_s
        self._next_at = 0.0

    async def turn(self) -> None:
        """Return when the next request may leave; those who wait are served in order."""
        now = asyncio.get_running_loop().time()
        at = max(now, self._next_at)
        self._next_at = at + self._interval_s
        await asyncio.sleep(at - now)
