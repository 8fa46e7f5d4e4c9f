"""Notices that too large a share of the records dies: then the fault is ours, and nothing more is given up.

Poison comes in ones and twos. A worker that would give up most of what it reads has lost a column, a right or
its mind, and would drain the whole topic into the dead letters. Pure: no I/O, no clock.
"""

from collections import deque

from schemas.errors import DependencyAway

WINDOW_RECORDS = 2000
# Fewer are no sign of a fault: two hundred bad records in a row are just that.
LEAST_DEAD = 200


class TooManyDead(DependencyAway):
    """Settling has to wait until a person has mended the cause, or raised the limit."""


class DeadRatio:
    """The share of dead letters among the last WINDOW_RECORDS or so; a `max_ratio` of 1 switches it off."""

    def __init__(self, max_ratio: float) -> None:
        self._max_ratio = max_ratio
        self._window: deque[tuple[int, int]] = deque()
        self._settled = 0
        self._dead = 0

    def check(self, records: int, dead: int) -> None:
        """Raise TooManyDead if giving up `dead` of `records` would exceed the limit; nothing is noted."""
        would_be = self._dead + dead
        share = would_be / max(1, self._settled + records)
        if dead and would_be >= LEAST_DEAD and share > self._max_ratio:
            raise TooManyDead(
                f"{share:.0%} of the last records would be dead letters, TCCC_DEAD_MAX_RATIO is"
                f" {self._max_ratio:.0%}: see 'tccc dead list' and mend the cause, or raise the limit to go on"
            )

    def note(self, records: int, dead: int) -> None:
        """So many records were settled, the dead among them included."""
        self._window.append((records, dead))
        self._settled += records
        self._dead += dead
        while self._settled - self._window[0][0] >= WINDOW_RECORDS:
            old_records, old_dead = self._window.popleft()
            self._settled -= old_records
            self._dead -= old_dead
