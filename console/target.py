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

DEFAULT_ADMIN_URLS = ("http://127.0.0.1:9464", "http://127.0.0.1:9465")


class Target(Struct, frozen=True):
    """`stack` is there if the addresses are those of a `tccc up` that is running."""

    settings: Settings
    stack: StackState | None

    @property
    def receiver_admin_urls(self) -> list[str]:
        return list(self.stack.receiver_admin_urls) if self.stack else [DEFAULT_ADMIN_URLS[0]]

    @property
    def worker_admin_urls(self) -> list[str]:
        return list(self.stack.worker_admin_urls) if self.stack else [DEFAULT_ADMIN_URLS[1]]


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


def target(home: Path) -> Target:
    """Addresses by precedence: --home as a flag, the environment, a stack running in the default home."""
    environ = dict(os.environ)
    source = click.get_current_context().get_parameter_source("home")
    stack = read_state(home)
    if source is ParameterSource.COMMANDLINE:
        if stack is None:
            raise OperatorError(f"no stack is running in {home}: start one with 'tccc up --home {home}'")
    elif "TCCC_KAFKA_BOOTSTRAP" in environ or "TCCC_DATABASE_URL" in environ:
        stack = None
    if stack is not None:
        environ |= {"TCCC_KAFKA_BOOTSTRAP": stack.kafka_bootstrap, "TCCC_DATABASE_URL": stack.database_url}
        environ.pop("TCCC_DATABASE_URL_FILE", None)
    return Target(load(environ), stack)
