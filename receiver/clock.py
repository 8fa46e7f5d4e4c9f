"""The time at which a push was received, in µs since the epoch, never twice the same within a process."""

import time
from collections.abc import Callable


class ReceiveClock:
    """Strictly increasing, also when the system's clock is set back: order of arrival is order of time."""

    __slots__ = ("_last_us", "_now_ns")

    def __init__(self, now_ns: Callable[[], int] = time.time_ns) -> None:
        self._now_ns = now_ns
        self._last_us = 0

    def now_us(self) -> int:
        now_us = self._now_ns() // 1000
        self._last_us = now_us if now_us > self._last_us else self._last_us + 1
        return self._last_us
