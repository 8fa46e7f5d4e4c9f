"""What a fault is: a name, how long it is held, what it excuses, and a coroutine that injects, holds and heals it.

The coroutine returns how often the fault really happened; 0 makes the run void.
"""

import asyncio
from collections.abc import Awaitable, Callable
from random import Random
from typing import Literal

from msgspec import Struct

from tests.chaos.journal import Journal
from tests.chaos.stack import Stack

Excuse = Literal["closed", "unanswered", "stopping"]


class Scene(Struct, frozen=True):
    """What a fault acts on, with chance of its own and the time to hold it; `journal` is for what it sends itself."""

    stack: Stack
    rng: Random
    hold_s: float
    journal: Journal

    async def hold(self) -> None:
        await asyncio.sleep(self.hold_s)

    async def answers(self, outcome: str) -> float:
        """How many pushes the receivers that run now have answered so, since they started."""
        counts = [
            await receiver.metric("tccc_receiver_pushes_total", outcome=outcome)
            for receiver in self.stack.receivers
        ]
        return sum(counts)


Act = Callable[[Scene], Awaitable[int]]


class Fault(Struct, frozen=True):
    name: str
    act: Act
    hold_s: tuple[float, float]
    excuses: tuple[Excuse, ...] = ()
    needs_small_disk: bool = False


FAULTS: dict[str, Fault] = {}


def fault(
    name: str,
    *,
    hold_s: tuple[float, float],
    excuses: tuple[Excuse, ...] = (),
    needs_small_disk: bool = False,
) -> Callable[[Act], Act]:
    """Enter a coroutine into the catalogue."""

    def enter(act: Act) -> Act:
        FAULTS[name] = Fault(name, act, hold_s, excuses, needs_small_disk)
        return act

    return enter
