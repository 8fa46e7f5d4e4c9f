"""Callers who call again: some inbound calls come from a number that has called not long before."""

from collections import deque

from console.simulator.dice import Dice
from console.simulator.session import INBOUND, Place, Truth

REMEMBERED = 300


class Regulars:
    """Remembers who called in; `share` of the inbound calls from then on are theirs."""

    def __init__(self, dice: Dice, share: float) -> None:
        self._dice = dice
        self._share = share
        self._callers: deque[tuple[str, Place]] = deque(maxlen=REMEMBERED)

    def meet(self, truth: Truth) -> None:
        """Put a regular's number in place of the caller's, by chance; else remember this caller."""
        if truth.direction != INBOUND or truth.place is None or not self._share:
            return
        if self._callers and self._dice.chance(self._share):
            truth.caller, truth.place = self._dice.one_of(tuple(self._callers))
        else:
            self._callers.append((truth.caller, truth.place))
