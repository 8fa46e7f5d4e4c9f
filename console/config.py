"""`tccc config`: the settings that are in force, where they come from, and everything that is wrong with them."""

import difflib
import os
import re
from collections.abc import Mapping
from typing import Any, Literal

import click
import msgspec
from msgspec import Struct

from console.output import json_option, print_json, print_table
from receiver.doors import check_doors
from runtime.kafka import client_options
from schemas.errors import SettingsError
from schemas.settings import FIELDS, HOME, PREFIX, SECRETS, Settings, load

USAGE = 2

EXAMPLES = """\b
Examples:
  tccc config show
  tccc config show --json | jq '.settings[] | select(.source != "default")'
  tccc config check && tccc receive
"""


class Shown(Struct, frozen=True, kw_only=True):
    """A setting; the value of a secret is None, `set` tells whether there is one."""

    variable: str
    value: Any
    set: bool
    secret: bool
    source: Literal["environment", "file", "default"]
    description: str


@click.group("config", epilog=EXAMPLES)
def config() -> None:
    """Show or check the settings, which come from the environment."""


@config.command("show", epilog=EXAMPLES)
@json_option
def show(*, as_json: bool) -> int:
    """Show every setting, its value in force and where that comes from; secrets are hidden."""
    found, left = sort_out(os.environ)
    shown = [_shown(variable, load(left), left) for variable in FIELDS]
    if as_json:
        print_json({"settings": shown, "faults": found})
    else:
        print_table(
            "Settings",
            ["variable", "value", "from", "description"],
            [[row.variable, _words(row), row.source, row.description] for row in shown],
        )
    _tell(found)
    return USAGE if found else 0


@config.command("check", epilog=EXAMPLES)
@json_option
def check(*, as_json: bool) -> int:
    """Check the settings and name all that is wrong, with exit status 2."""
    found, _ = sort_out(os.environ)
    if as_json:
        print_json({"ok": not found, "faults": found})
    elif not found:
        click.echo("ok")
    _tell(found)
    return USAGE if found else 0


def sort_out(environ: Mapping[str, str]) -> tuple[list[str], dict[str, str]]:
    """All faults of the settings, and the environment without the variables that are at fault.

    A fault that involves a variable found wrong already is not told: it may go away with the other.
    """
    left, found = dict(environ), list[str]()
    wrong = set[str]()
    while True:
        try:
            settings = load(left)
            client_options(settings)
            check_doors(settings)
        except SettingsError as exc:
            message = str(exc)
        else:
            return found, left
        named = [name for name in environ if name.startswith(PREFIX) and _names(message, name)]
        if not wrong.intersection(named):
            found.append(message + _nearest(named))
        taken_out = [name for name in named if name in left]
        wrong.update(taken_out)
        if not taken_out:
            return found, {name: value for name, value in left.items() if not name.startswith(PREFIX)}
        for name in taken_out:
            del left[name]


def _names(message: str, variable: str) -> bool:
    return re.search(rf"(?<!\w){re.escape(variable)}(?!\w)", message) is not None


def _nearest(named: list[str]) -> str:
    """Where the fault is an unknown variable: which was meant."""
    known = [*FIELDS, *(f"{secret}_FILE" for secret in SECRETS), HOME]
    if len(named) != 1 or named[0] in known:
        return ""
    nearest = difflib.get_close_matches(named[0], known, n=1, cutoff=0.7)
    return f"; did you mean {nearest[0]}?" if nearest else ""


def _shown(variable: str, settings: Settings, environ: Mapping[str, str]) -> Shown:
    value = getattr(settings, FIELDS[variable].name)
    secret = variable in SECRETS
    return Shown(
        variable=variable,
        value=None if secret else value,
        set=value not in ("", ()),
        secret=secret,
        source="environment"
        if variable in environ
        else "file"
        if variable + "_FILE" in environ
        else "default",
        description=_description(variable),
    )


def _words(row: Shown) -> str:
    if row.secret:
        return "set" if row.set else "not set"
    if isinstance(row.value, bool):
        return str(row.value).lower()
    return ",".join(map(str, row.value)) if isinstance(row.value, tuple) else str(row.value)


def _description(variable: str) -> str:
    info = msgspec.inspect.type_info(FIELDS[variable].type)
    schema = getattr(info, "extra_json_schema", None) or {}
    return str(schema.get("description", ""))


def _tell(faults: list[str]) -> None:
    for fault in faults:
        click.echo(f"tccc: {fault}", err=True)
