"""Waits until the workers have consumed what was in the topic when the wait began."""

import asyncio
import time

from console.kafka import WorkerGroup, open_group, open_topic
from console.progress import Say
from schemas.errors import WorkersAway
from schemas.settings import Settings

POLL_S = 0.25


async def settled(settings: Settings, say: Say, *, patience_s: float) -> None:
    """Return when every record there is by now is settled: offsets are committed after the transaction.

    Bounded: records that come meanwhile do not count, and WorkersAway is raised when nothing has gone on for
    `patience_s`. Raises BrokerAway or OperatorError.
    """
    async with open_topic(settings, settings.kafka_topic) as topic:
        begins, ends = await topic.begins(), await topic.ends()
    async with open_group(settings) as group:
        lag, progress_at = sum(ends.values()) - sum(begins.values()), time.monotonic()
        while (left := await _left(group, begins, ends)) > 0:
            if left < lag:
                lag, progress_at = left, time.monotonic()
            elif time.monotonic() - progress_at > patience_s:
                raise WorkersAway(
                    f"{left} records wait in {settings.kafka_topic} and none was consumed for {patience_s:.0f} s: is a"
                    " worker running? See 'tccc status'"
                )
            say(f"waiting for the workers: {left:,} records")
            await asyncio.sleep(POLL_S)


async def _left(group: WorkerGroup, begins: dict[int, int], ends: dict[int, int]) -> int:
    committed = await group.committed(list(ends))
    return sum(max(0, end - max(committed[n] or 0, begins[n])) for n, end in ends.items())
