"""The fake of the vendor as a process beside a local stack: kept alive, and stopped with it."""

import signal
import socket
import sys
import time
from pathlib import Path

from deploy.local.ports import HOST, free_port
from deploy.local.process import Child
from deploy.local.supervisor import Supervisor, Unit
from schemas.errors import OperatorError

SESSIONS = 2000
WITHHOLD = 0.02
_PORT = 9480
_READY_TIMEOUT_S = 60.0
_STOP_TIMEOUT_S = 5.0


class FakeVendorProcess:
    """Its port is chosen at once, so that the stack can tell of it."""

    def __init__(self, home: Path) -> None:
        self._port = free_port(preferred=_PORT)
        self.endpoint = f"http://{HOST}:{self._port}"
        self._log = home.resolve() / "logs" / "fake-vendor.log"
        self._supervisor = Supervisor()
        self._child: Child | None = None

    def start(self, push_url: str) -> None:
        """Return when it listens; raises OperatorError if it does not."""
        options = {
            "--listen": f"{HOST}:{self._port}",
            "--push-url": push_url,
            "--sessions": str(SESSIONS),
            "--withhold": str(WITHHOLD),
        }
        words = [word for option in options.items() for word in option]
        child = Child(
            "fake-vendor", [sys.executable, "-P", "-m", "console.fake_vendor", *words], log=self._log
        )
        self._child = child
        child.start()
        give_up_at = time.monotonic() + _READY_TIMEOUT_S
        while not self._listens():
            if not child.running() or time.monotonic() > give_up_at:
                raise OperatorError(f"the fake vendor does not start; it said:\n{child.last_output()}")
            time.sleep(0.05)
        self._supervisor.watch(Unit(name=child.name, running=child.running, spawn=child.start))

    def step(self) -> None:
        self._supervisor.step()

    def stop(self) -> None:
        if self._child is not None:
            self._child.stop((signal.SIGTERM, _STOP_TIMEOUT_S))

    def _listens(self) -> bool:
        with socket.socket() as probe:
            return probe.connect_ex((HOST, self._port)) == 0
