"""The order in which pushes leave: some of them later than they should, some of them twice."""

from collections.abc import Iterable, Iterator
from heapq import heappop, heappush

from msgspec import Struct

from console.simulator.dice import Dice
from console.simulator.session import Push

FARTHEST = 1000  # places that a push may be displaced by


class Delivery(Struct, frozen=True, gc=False):
    """A push to be made; `again` if the same one was made before."""

    push: Push
    again: bool = False


def disturb(pushes: Iterable[Push], dice: Dice, *, duplicates: float, reorder: float) -> Iterator[Delivery]:
    """Yield each push once, and a share of them once more, later; a share of them displaced.

    Keeps at most about twice `FARTHEST` deliveries times the shares.
    """
    waiting: list[tuple[int, int, Delivery]] = []
    number = 0
    for place, push in enumerate(pushes):
        leaves = place + dice.between(1, FARTHEST) if dice.chance(reorder) else place
        heappush(waiting, (leaves, number, Delivery(push)))
        if dice.chance(duplicates):
            heappush(waiting, (leaves + dice.between(1, FARTHEST), number + 1, Delivery(push, again=True)))
        number += 2
        while waiting and waiting[0][0] <= place:
            yield heappop(waiting)[2]
    while waiting:
        yield heappop(waiting)[2]
