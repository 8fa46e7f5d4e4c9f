"""So many a minute and no more: for all together, or for each address."""

import time
from collections import OrderedDict
from collections.abc import Callable


class Allowance:
    """A token bucket: a minute's worth at once at the most, then as much as flows back."""

    __slots__ = ("_at", "_clock", "_left", "_per_minute")

    def __init__(self, per_minute: int, clock: Callable[[], float] = time.monotonic) -> None:
        self._per_minute = per_minute
        self._clock = clock
        self._left = float(per_minute)
        self._at = clock()

    def take(self, amount: int = 1) -> bool:
        now = self._clock()
        self._left = min(self._per_minute, self._left + (now - self._at) * self._per_minute / 60)
        self._at = now
        if self._left < amount:
            return False
        self._left -= amount
        return True


class AllowancePerAddress:
    """An allowance for each of the addresses seen last, so many of them that no flood of addresses fills memory.

    An address that is forgotten begins anew with a whole allowance.
    """

    max_addresses = 10_000

    def __init__(self, per_minute: int, clock: Callable[[], float] = time.monotonic) -> None:
        self._per_minute = per_minute
        self._clock = clock
        self._of: OrderedDict[str, Allowance] = OrderedDict()

    def __len__(self) -> int:
        return len(self._of)

    def take(self, address: str) -> bool:
        allowance = self._of.get(address)
        if allowance is None:
            allowance = self._of[address] = Allowance(self._per_minute, self._clock)
            if len(self._of) > self.max_addresses:
                self._of.popitem(last=False)
        self._of.move_to_end(address)
        return allowance.take()
