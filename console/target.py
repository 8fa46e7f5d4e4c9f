"""Which Kafka, database and processes a command is about: those of the environment, or of a local stack."""

import os
from pathlib import Path
from typing import Any

import click
from click.core import ParameterSource
from msgspec import Struct

from deploy.local.state import StackState, read_state
from schemas.errors import OperatorError
from schemas.settings import Settings, load

DEFAULT_RECEIVERS = ("http://127.0.0.1:9464",)
DEFAULT_WORKERS = ("http://127.0.0.1:9465",)
_ADDRESSES = ("TCCC_KAFKA_BOOTSTRAP", "TCCC_DATABASE_URL", "TCCC_DATABASE_URL_FILE")
# What another Kafka or database needs must not reach the stack's own.
_NOT_OF_A_STACK = ("TCCC_KAFKA_SECURITY_PROTOCOL", "TCCC_KAFKA_SASL_", "TCCC_KAFKA_SSL_", "TCCC_DATABASE_URL")


class Target(Struct, frozen=True):
    """`stack` is there if the addresses are those of a `tccc up` that is running.

    `known` says that there should be a process at each admin URL: they are a running stack's, or were given.
    """

    settings: Settings
    stack: StackState | None
    receiver_admin_urls: tuple[str, ...]
    worker_admin_urls: tuple[str, ...]
    known: bool


def home_option(command: Any) -> Any:
    """Add `--home` to a command; it gets the folder as `home`."""
    return click.option(
        "--home",
        type=click.Path(file_okay=False, path_type=Path),
        envvar="TCCC_HOME",
        default=".tccc",
        show_default=True,
        help="Of a local stack (tccc up). Addresses in the environment come before it, unless it is given here.",
    )(command)


def admin_options(command: Any) -> Any:
    """Add the options that say where processes are; a command gets them as `receiver_admin`, `worker_admin`."""
    for kind, default in (("worker", DEFAULT_WORKERS), ("receiver", DEFAULT_RECEIVERS)):
        command = click.option(
            f"--{kind}-admin",
            metavar="URL",
            multiple=True,
            help=f"Admin URL of a {kind}; may be repeated.  [default: the local stack's, or {default[0]}]",
        )(command)
    return command


def target(home: Path, receiver_admin: tuple[str, ...] = (), worker_admin: tuple[str, ...] = ()) -> Target:
    """Addresses by precedence: --home as a flag, the environment, a stack running in the default home."""
    environ = dict(os.environ)
    source = click.get_current_context().get_parameter_source("home")
    stack = read_state(home)
    if source is ParameterSource.COMMANDLINE:
        if stack is None:
            raise OperatorError(f"no stack is running in {home}: start one with 'tccc up --home {home}'")
    elif any(name in environ for name in _ADDRESSES):
        stack = None
    receivers, workers = receiver_admin, worker_admin
    if stack is not None:
        environ = stack_environ(environ, stack, home)
        receivers = receivers or tuple(stack.receiver_admin_urls)
        workers = workers or tuple(stack.worker_admin_urls)
    return Target(
        load(environ),
        stack,
        receivers or (() if worker_admin or stack else DEFAULT_RECEIVERS),
        workers or (() if receiver_admin or stack else DEFAULT_WORKERS),
        known=bool(stack or receiver_admin or worker_admin),
    )


def stack_environ(environ: dict[str, str], stack: StackState, home: Path) -> dict[str, str]:
    """Give the environment as `tccc up` hands it to the roles of this stack."""
    handed = {name: value for name, value in environ.items() if not name.startswith(_NOT_OF_A_STACK)}
    handed.setdefault("TCCC_TOPIC_REPLICATION", str(min(3, len(stack.kafka_bootstrap.split(",")))))
    if stack.vendor_endpoint is not None:
        handed["TCCC_VENDOR_ENDPOINT"] = stack.vendor_endpoint
    return handed | {
        "TCCC_KAFKA_BOOTSTRAP": stack.kafka_bootstrap,
        "TCCC_DATABASE_URL": stack.database_url,
        "TCCC_SPOOL_DIR": str(home.resolve() / "spool"),
    }
