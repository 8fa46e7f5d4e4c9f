"""Runs `tccc` commands in this process, each with an environment of its own, as a shell would see them."""

import asyncio
import os
import sys
from collections.abc import Mapping
from typing import Any, NamedTuple

import msgspec
from click.testing import CliRunner

from console.__main__ import main


class Ran(NamedTuple):
    status: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        return msgspec.json.decode(self.out)


def run(*argv: str, environ: Mapping[str, str] | None = None) -> Ran:
    """Not to be called where an event loop runs: see `tccc`."""
    given: dict[str, str | None] = {name: None for name in os.environ if name.startswith("TCCC_")}
    with CliRunner().isolation(env=given | dict(environ or {})) as (out, err, _):
        try:
            main(list(argv))
        except SystemExit as exc:
            status = exc.code
        assert isinstance(status, int)
        return Ran(status, out.getvalue().decode(), err.getvalue().decode())


async def tccc(*argv: str, environ: Mapping[str, str] | None = None) -> Ran:
    """One at a time: standard output is the process's."""
    return await asyncio.to_thread(run, *argv, environ=environ)


async def shell(*argv: str, environ: dict[str, str]) -> Ran:
    """Run it as a process, so that several may run at once."""
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "console", *argv), env=environ, stdout=-1, stderr=-1
    )
    out, err = await process.communicate()
    assert process.returncode is not None
    return Ran(process.returncode, out.decode(), err.decode())
