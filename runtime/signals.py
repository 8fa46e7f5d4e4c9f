"""SIGTERM and SIGINT as something to wait for: the first asks to stop, a second one to hurry."""

import asyncio
import signal


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
