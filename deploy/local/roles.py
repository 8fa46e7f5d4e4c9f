"""The receivers and workers of a local stack: their environment, their processes, and when they are ready."""

import http.client
import secrets
import signal
import sys
import time
from collections.abc import Mapping, Sequence
from pathlib import Path

from deploy.local.ports import HOST, free_port
from deploy.local.process import Child
from schemas.errors import OperatorError, SettingsError

_POLL_S = 0.05
_PROBE_TIMEOUT_S = 2.0
_SETTINGS_STATUS = 2  # how a role exits whose settings are wrong
_PUSH_PORT = 8080
_FIRST_ADMIN_PORTS = {"receiver": 9464, "worker": 9465}
_SIGNING_KEY = "TCCC_OAUTH2_SIGNING_KEY"

# What another Kafka or database would need must not reach the stack's own.
_OURS = (
    "TCCC_KAFKA_SECURITY_PROTOCOL",
    "TCCC_KAFKA_SASL_",
    "TCCC_KAFKA_SSL_",
    "TCCC_DATABASE_URL",
    "TCCC_LISTEN",
)


class Role:
    """One process: `python -m receiver` or `python -m worker`."""

    def __init__(
        self, kind: str, number: int, *, home: Path, environ: Mapping[str, str], admin_port: int
    ) -> None:
        self.name = f"{kind}-{number}"
        self.kind = kind
        self.admin_url = f"http://{HOST}:{admin_port}"
        self._admin_port = admin_port
        # -P: a folder of the user's that is named as one of ours must not be taken for it
        self.child = Child(
            self.name,
            [sys.executable, "-P", "-m", kind],
            log=home / "logs" / f"{self.name}.log",
            env={**environ, "TCCC_ADMIN_LISTEN": f"{HOST}:{admin_port}"},
        )

    def is_ready(self) -> bool:
        connection = http.client.HTTPConnection(HOST, self._admin_port, timeout=_PROBE_TIMEOUT_S)
        try:
            connection.request("GET", "/readyz")
            return connection.getresponse().status == http.HTTPStatus.OK
        except (OSError, http.client.HTTPException):
            return False
        finally:
            connection.close()

    def ask_to_stop(self) -> None:
        if self.child.running():
            self.child.signal(signal.SIGTERM)


def role_environ(
    environ: Mapping[str, str], *, home: Path, bootstrap: str, database_url: str, receivers: int, brokers: int
) -> dict[str, str]:
    """Give the environment handed on to every role: the caller's, with the stack's own addresses in it."""
    handed = {name: value for name, value in environ.items() if not name.startswith(_OURS)}
    handed.setdefault("TCCC_DRAIN_S", "0")
    if handed.get("TCCC_AUTH") == "oauth2" and f"{_SIGNING_KEY}_FILE" not in handed:
        # without one each receiver draws its own, and takes no other's tokens
        handed[_SIGNING_KEY] = handed.get(_SIGNING_KEY) or secrets.token_urlsafe(32)
    handed.setdefault("TCCC_TOPIC_REPLICATION", str(min(3, brokers)))
    return handed | {
        "TCCC_KAFKA_BOOTSTRAP": bootstrap,
        "TCCC_DATABASE_URL": database_url,
        "TCCC_LISTEN": f"{HOST}:{free_port(preferred=_PUSH_PORT)}",
        "TCCC_REUSE_PORT": "true" if receivers > 1 else "false",
        "TCCC_SPOOL_DIR": str(home / "spool"),
    }


def make_roles(receivers: int, workers: int, *, home: Path, environ: Mapping[str, str]) -> list[Role]:
    """Make all, each with an admin port of its own; the first of each kind gets the documented one if it is free."""
    numbered = [("receiver", i) for i in range(receivers)] + [("worker", i) for i in range(workers)]
    ports: dict[tuple[str, int], int] = {}
    for kind, number in numbered:
        preferred = _FIRST_ADMIN_PORTS[kind] if number == 0 else None
        ports[kind, number] = free_port(preferred=preferred, taken=ports.values())
    return [Role(k, n, home=home, environ=environ, admin_port=ports[k, n]) for k, n in numbered]


def wait_ready(roles: Sequence[Role], timeout_s: float) -> None:
    """Return when all are ready; OperatorError with what it said about one that ended or does not get ready."""
    give_up_at = time.monotonic() + timeout_s
    waiting = list(roles)
    while waiting:
        waiting = [role for role in waiting if not role.is_ready()]
        for role in waiting:
            _check(role, overdue=time.monotonic() > give_up_at)
        if waiting:
            time.sleep(_POLL_S)


def _check(role: Role, *, overdue: bool) -> None:
    status = role.child.exit_status()
    if status is None and not overdue:
        return
    ended = "is not ready" if status is None else f"ended with status {status}"
    message = f"{role.name} {ended}; it said (in {role.child.log}):\n{role.child.last_output()}"
    raise SettingsError(message) if status == _SETTINGS_STATUS else OperatorError(message)
