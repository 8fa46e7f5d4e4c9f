"""Exchanges a password as an operator would, by files and SIGHUP, while clients push without a pause."""

import asyncio
import signal
from pathlib import Path

from msgspec import Struct
from msgspec.structs import replace

from schemas.settings import Settings
from tests.conftest import wait_until
from tests.contract.credentials import carrying, statuses
from tests.contract.wire import connected
from tests.contract.wrong_credentials import basic
from tests.processes import Role, port_of, running

CLIENTS = 4
PUSHES_BETWEEN = 20


class Rotated(Struct):
    """`old_after` is how the old password is answered when it has been removed."""

    pushes: int = 0
    refused: int = 0
    old_after: int = 0
    log: str = ""


async def rotate(settings: Settings, folder: Path) -> Rotated:
    """The new pair beside the old one, clients changed, the old one removed, and then a file that is of no use."""
    files = {name: folder / name for name in ("USER", "PASSWORD", "USER_2", "PASSWORD_2")}
    environ = {f"TCCC_BASIC_{name}_FILE": str(path) for name, path in files.items()}
    rotated, sending, stop = Rotated(), "old:one", asyncio.Event()

    def write(first: str, second: str = ":") -> None:
        for name, text in zip(files, (*first.split(":"), *second.split(":")), strict=True):
            files[name].write_text(text + "\n")

    async def push(port: int) -> None:
        async with connected(port) as wire:
            while not stop.is_set():
                answer = await wire.ask(carrying((basic(sending),)))
                rotated.pushes += 1
                rotated.refused += answer is None or answer.status != 200

    async def reread(role: Role, what: str, times: int) -> None:
        role.process.send_signal(signal.SIGHUP)
        await wait_until(lambda: [line.get("event") for line in role.log].count(what) == times)
        so_far = rotated.pushes
        await wait_until(lambda: rotated.pushes > so_far + PUSHES_BETWEEN)

    write("old:one")
    async with running("receiver", replace(settings, auth="basic"), **environ) as role:
        port = await port_of(role)
        async with asyncio.TaskGroup() as clients:
            for _ in range(CLIENTS):
                clients.create_task(push(port))
            write("old:one", "new:two")
            await reread(role, "reloaded", 1)
            sending = "new:two"
            write("new:two")
            await reread(role, "reloaded", 2)
            write("old:one", "new:")  # a second user without its password
            await reread(role, "reload_failed", 1)
            stop.set()
        [rotated.old_after] = await statuses(port, basic("old:one"))
        rotated.log = str(role.log)
    return rotated
