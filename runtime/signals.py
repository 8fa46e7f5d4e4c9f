"""Signals: SIGTERM and SIGINT to wait for, the first asks to stop, a second one to hurry; SIGHUP to read anew."""

import asyncio
import signal
from collections.abc import Callable


class Stop:
    """Set by signals, or by `request()`."""

    def __init__(self) -> None:
        self.requested = asyncio.Event()
        self.again = asyncio.Event()

    def request(self) -> None:
        (self.again if self.requested.is_set() else self.requested).set()

    async def wait(self) -> None:
        await self.requested.wait()


def stop_on_signals() -> Stop:
    """To be called in the running loop's thread, once a process."""
    stop = Stop()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.request)
    return stop


def on_hangup(act: Callable[[], None]) -> None:
    """To be called in the running loop's thread; `act` is then called there at each SIGHUP, and must not raise."""
    asyncio.get_running_loop().add_signal_handler(signal.SIGHUP, act)
