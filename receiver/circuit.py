"""A circuit breaker: after a failure nothing is tried for a while, then one attempt, whose end decides."""

import random
from collections.abc import Callable


class Circuit:
    """Closed: all may try. Open: none, for a time that grows with each failure in a row, and jitters.

    After that time one attempt is let through; it closes the circuit or opens it for longer.
    """

    __slots__ = ("_clock", "_longest_s", "_retry_at", "_shortest_s", "failures")

    def __init__(self, clock: Callable[[], float], *, shortest_s: float, longest_s: float) -> None:
        self._clock = clock
        self._shortest_s = shortest_s
        self._longest_s = longest_s
        self._retry_at = 0.0
        self.failures = 0

    def admits(self) -> bool:
        """Whether to try now. A yes while the circuit is open is the one attempt: report how it ended."""
        if not self.failures:
            return True
        now = self._clock()
        if now < self._retry_at:
            return False
        # Until this attempt is reported the others wait; an attempt that never reports costs only one wait.
        self._retry_at = now + self._longest_s
        return True

    def succeeded(self) -> None:
        self.failures = 0

    def failed(self) -> None:
        self._retry_at = self._clock() + self.next_wait_s()
        self.failures += 1

    def next_wait_s(self) -> float:
        """How long the next failure would open the circuit for."""
        wait_s = min(self._shortest_s * float(1 << min(self.failures, 16)), self._longest_s)
        return wait_s * random.uniform(0.5, 1.0)  # noqa: S311 -- jitter, not a secret
