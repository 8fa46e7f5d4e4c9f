"""Child processes that get no Ctrl-C of the terminal, and that do not outlive this process.

Each has a session of its own, so that the signals of the terminal reach only us and we stop our children in
order; and the kernel signals it when we die (see bound_exec). Its output goes to a log file.
"""

import contextlib
import os
import signal
import subprocess
import sys
from collections.abc import Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor, wait
from pathlib import Path

from deploy.local import bound_exec

StopStep = tuple[signal.Signals, float]  # what to send, and how long to wait for it in seconds

_MAX_LOG_BYTES = 8 * 2**20
# Linux ties "die with the parent" to the thread that made the child: so all are made by one that lives to the end.
_maker = ThreadPoolExecutor(max_workers=1, thread_name_prefix="child-maker")


class Child:
    """One child process, which may be started again after it ended."""

    def __init__(
        self,
        name: str,
        argv: Sequence[str],
        *,
        log: Path,
        env: Mapping[str, str] | None = None,
        user_mode: str = "same",
        death_signal: signal.Signals = signal.SIGKILL,
    ) -> None:
        self.name = name
        self.log = log
        self._argv = list(argv)
        self._env = dict(env) if env is not None else None
        self._user_mode = user_mode
        self._death_signal = death_signal
        self._process: subprocess.Popen[bytes] | None = None
        self._making: Future[None] | None = None
        self._log_offset = 0

    def start(self) -> None:
        """Start it; does nothing if it runs. May be called from any thread, also from one that ends soon."""
        if self.running():
            return
        self._making = _maker.submit(self._make)
        self._making.result()

    def _make(self) -> None:
        self.log.parent.mkdir(parents=True, exist_ok=True)
        if self.log.exists() and self.log.stat().st_size > _MAX_LOG_BYTES:
            self.log.replace(self.log.with_suffix(".1.log"))
        with self.log.open("ab") as output:
            self._log_offset = output.tell()
            self._process = subprocess.Popen(
                [*bound_command(self._user_mode, self._death_signal), *self._argv],
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                env=self._env,
                start_new_session=True,
            )

    @property
    def pid(self) -> int | None:
        return self._process.pid if self._process is not None else None

    def exit_status(self) -> int | None:
        """Tell how it ended (negative: by that signal); None while it runs or before it was started."""
        return self._process.poll() if self._process is not None else None

    def running(self) -> bool:
        return self._process is not None and self._process.poll() is None

    def wait(self, timeout_s: float) -> int | None:
        """Wait until it has ended and tell how; None if it still runs after the time."""
        if self._process is None:
            return None
        try:
            return self._process.wait(timeout_s)
        except subprocess.TimeoutExpired:
            return None

    def signal(self, number: signal.Signals) -> None:
        if self._process is not None:
            self._process.send_signal(number)

    def stop(self, *steps: StopStep) -> None:
        """Take each step until it has ended; at the end it is killed with all its group. Safe to repeat."""
        if self._making is not None:
            wait([self._making])  # an interrupt in start() must not leave a child behind that nobody knows
        process = self._process
        if process is None:
            return
        for number, wait_s in steps:
            if process.poll() is not None:
                return
            process.send_signal(number)
            self.wait(wait_s)
        if process.poll() is None:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            process.wait()

    def last_output(self, max_bytes: int = 4000) -> str:
        """Read the end of what it wrote since its last start."""
        try:
            with self.log.open("rb") as file:
                size = file.seek(0, os.SEEK_END)
                file.seek(max(self._log_offset, size - max_bytes))
                return file.read().decode(errors="replace").strip()
        except FileNotFoundError:
            return ""


def bound_command(user_mode: str = "same", death_signal: signal.Signals = signal.SIGKILL) -> list[str]:
    """Give the words to put before a program so that it is bound to this process."""
    script = str(Path(bound_exec.__file__))
    return [sys.executable, "-I", "-S", script, str(os.getpid()), str(int(death_signal)), user_mode]
