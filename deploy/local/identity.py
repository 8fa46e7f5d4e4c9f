"""Which user a program runs as that refuses to run as root, such as Postgres.

An ordinary user runs it as itself. Root gives up being root in one of two ways, the first that works here:
  1. a user namespace in which root goes by the number of another user. Files stay root's own, so a home under
     a folder such as /root, closed to all others, needs no change. Containers often forbid namespaces.
  2. the user `nobody`, keeping the capability to pass through closed folders; the data folder alone is given
     to it. Works in a container with Docker's defaults.
A user without a name, as some container platforms assign, takes the first way too: initdb wants a name.
"""

import os
import pwd
import subprocess
from pathlib import Path

from deploy.local.process import bound_command
from schemas.errors import OperatorError

_PROBE_TIMEOUT_S = 20.0
_PROBE = 'test -x "$1" && test -w "$2"'


def user_mode_for(program: Path, folder: Path) -> str:
    """Choose how to run `program` with write access to the folder, which is made ours or given away to fit."""
    if os.geteuid() != 0 and _has_name(os.geteuid()):
        return "same"
    stand_in = _stand_in()
    _give(folder, os.geteuid())
    if _works(f"mapped:{stand_in}", program, folder):
        return f"mapped:{stand_in}"
    if os.geteuid() == 0:
        _give(folder, stand_in)
        if _works(f"lowered:{stand_in}", program, folder):
            return f"lowered:{stand_in}"
    raise OperatorError(
        f"{program.name} does not run as root, and this system allows neither a user namespace nor a change of "
        "user: run it as an ordinary user"
    )


def _has_name(user: int) -> bool:
    try:
        pwd.getpwuid(user)
    except KeyError:
        return False
    return True


def _stand_in() -> int:
    users = {entry.pw_name: entry.pw_uid for entry in pwd.getpwall() if entry.pw_uid != 0}
    if not users:
        raise OperatorError("this system has no user but root: Postgres cannot run on it")
    return users.get("nobody", min(users.values()))


def _give(folder: Path, user: int) -> None:
    """Make the user own the folder with all in it; only root ever has to change anything."""
    if folder.stat().st_uid == user:
        return
    for parent, folders, files in os.walk(folder):
        for name in [*folders, *files]:
            os.chown(Path(parent, name), user, -1, follow_symlinks=False)
    os.chown(folder, user, -1)  # last: it tells that the rest is done


def _works(mode: str, program: Path, folder: Path) -> bool:
    argv = [*bound_command(mode), "/bin/sh", "-c", _PROBE, "sh", str(program), str(folder)]
    done = subprocess.run(argv, capture_output=True, check=False, timeout=_PROBE_TIMEOUT_S)
    return done.returncode == 0
