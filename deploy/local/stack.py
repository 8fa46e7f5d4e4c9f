"""The whole pipeline on this machine, in one home: who holds it, what runs, in which order it starts and stops."""

import signal
import time
from collections.abc import Mapping
from pathlib import Path

from msgspec import Struct

from deploy.local.jars import Progress, no_progress
from deploy.local.kafka import LocalKafka
from deploy.local.postgres import LocalPostgres
from deploy.local.roles import Role, make_roles, role_environ, wait_ready
from deploy.local.state import Pids, StackState, clear_state, home_lock, write_state
from deploy.local.supervisor import Supervisor, Unit
from schemas.errors import OperatorError
from schemas.settings import Settings, load

_LOCK_WAIT_S = 1.0
_READY_TIMEOUT_S = 60.0
_ROLE_STOP_TIMEOUT_S = 20.0


class Size(Struct, frozen=True, kw_only=True):
    receivers: int = 1
    workers: int = 1
    brokers: int = 1


class Stack:
    """Call in this order: claim, start_services, (migrate, topics), start_roles, then step often; stop at the end.

    `stop` may be called at any time and any number of times, also after a start that was interrupted.
    """

    def __init__(
        self,
        home: Path,
        size: Size,
        environ: Mapping[str, str],
        progress: Progress = no_progress,
        *,
        vendor_endpoint: str | None = None,
    ) -> None:
        """`vendor_endpoint` is told to who asks for the stack's state; what listens there is another's."""
        self.home = home.resolve()
        self._size = size
        self._environ = environ
        self._vendor_endpoint = vendor_endpoint
        self._lock = home_lock(self.home)
        self._postgres = LocalPostgres(self.home / "postgres")
        self._kafka = LocalKafka(self.home / "kafka", size.brokers, progress=progress)
        self._roles: list[Role] = []
        self._settings: Settings | None = None
        self._supervisor = Supervisor()

    def claim(self) -> None:
        """Take the home; OperatorError says who has it."""
        if not self._lock.acquire(_LOCK_WAIT_S):
            raise OperatorError(
                f"a stack runs on {self.home} already (process {self._lock.holder()}): stop that one first, or use "
                "another home (--home)"
            )

    def start_services(self) -> Settings:
        """Start Postgres and Kafka side by side; returns the settings that every role of this stack gets."""
        self._postgres.spawn()
        self._kafka.spawn()
        self._postgres.wait_ready()
        self._kafka.wait_ready()
        environ = role_environ(
            self._environ,
            home=self.home,
            bootstrap=self._kafka.bootstrap,
            database_url=self._postgres.url,
            receivers=self._size.receivers,
            brokers=self._size.brokers,
        )
        self._settings = load(environ)
        self._roles = make_roles(self._size.receivers, self._size.workers, home=self.home, environ=environ)
        return self._settings

    def start_roles(self) -> StackState:
        """Start receivers and workers and wait until all are ready; from here on `step` keeps everything alive."""
        for role in self._roles:
            role.child.start()
        wait_ready(self._roles, _READY_TIMEOUT_S)
        for unit in self._units():
            self._supervisor.watch(unit)
        return self._publish()

    def step(self) -> None:
        """Start again what has died; never waits until it is ready."""
        if self._supervisor.step():
            self._publish()

    def stop(self) -> None:
        """Stop receivers, workers, Kafka, Postgres, in this order, each within its time, and give up the home."""
        if self._roles:  # else it is not ours to clear
            clear_state(self.home)
        for kind in ("receiver", "worker"):
            self._stop_roles([role for role in self._roles if role.kind == kind])
        self._kafka.stop()
        self._postgres.stop()
        self._lock.release()

    def _stop_roles(self, roles: list[Role]) -> None:
        for role in roles:
            role.ask_to_stop()
        drain_s = self._settings.drain_s if self._settings is not None else 0.0
        give_up_at = time.monotonic() + drain_s + _ROLE_STOP_TIMEOUT_S
        for role in roles:
            role.child.stop((signal.SIGTERM, max(0.0, give_up_at - time.monotonic())))

    def _units(self) -> list[Unit]:
        units = [Unit(name="postgres", running=self._postgres.running, spawn=self._postgres.spawn)]
        for broker in self._kafka.brokers:
            units.append(Unit(name=broker.home.name, running=broker.running, spawn=broker.spawn))
        for role in self._roles:
            units.append(Unit(name=role.name, running=role.child.running, spawn=role.child.start))
        return units

    def _publish(self) -> StackState:
        state = self._state()
        write_state(self.home, state)
        return state

    def _state(self) -> StackState:
        assert self._settings is not None
        scheme = "https" if self._settings.tls_cert else "http"
        of_kind = {
            kind: [role for role in self._roles if role.kind == kind] for kind in ("receiver", "worker")
        }
        pids = {kind: [r.child.pid for r in roles if r.child.pid] for kind, roles in of_kind.items()}
        return StackState(
            push_url=f"{scheme}://{self._settings.listen}{self._settings.push_path}",
            receiver_admin_urls=[role.admin_url for role in of_kind["receiver"]],
            worker_admin_urls=[role.admin_url for role in of_kind["worker"]],
            database_url=self._postgres.url,
            kafka_bootstrap=self._kafka.bootstrap,
            vendor_endpoint=self._vendor_endpoint,
            pids=Pids(
                receiver=pids["receiver"],
                worker=pids["worker"],
                kafka=self._kafka.pids,
                postgres=[self._postgres.pid] if self._postgres.pid is not None else [],
            ),
        )
