"""Becomes another program that cannot outlive its parent, under another user where that is asked for.

Run as a script by deploy.local.process: `bound_exec.py PARENT_PID DEATH_SIGNAL USER_MODE PROGRAM [ARGUMENT…]`.
A separate program and not Popen's preexec_fn, which is unsafe beside threads; only the standard library, so
that `python -I -S` has it running in some 20 ms.

USER_MODE says how to stop being root (Postgres refuses to run as root), or an unnamed user (initdb refuses):
  same        stay who we are
  mapped:ID   a user namespace in which our user is called ID: for the kernel we are still the same user, so
              our files stay ours and reachable
  lowered:ID  user and group ID, keeping only the capability to pass through folders closed to others
"""

import ctypes
import os
import signal
import sys
from pathlib import Path

# linux/prctl.h, linux/capability.h, linux/sched.h
_PR_SET_PDEATHSIG, _PR_SET_KEEPCAPS, _PR_CAP_AMBIENT, _PR_CAP_AMBIENT_RAISE = 1, 8, 47, 2
_CAP_DAC_OVERRIDE, _CAPABILITY_VERSION_3, _CLONE_NEWUSER = 1, 0x20080522, 0x10000000


def main(arguments: list[str]) -> None:
    parent_pid, death_signal = int(arguments[0]), int(arguments[1])
    mode, _, user = arguments[2].partition(":")
    if mode == "mapped":
        _map_user(int(user))
    elif mode == "lowered":
        _lower_user(int(user))
    # Last, because a change of user clears it.
    _die_with(parent_pid, death_signal)
    program = arguments[3:]
    os.execv(program[0], program)  # noqa: S606 -- a program without a shell is what we want


def _libc() -> ctypes.CDLL:
    return ctypes.CDLL(None, use_errno=True)


def _checked(result: int) -> None:
    if result != 0:
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number))


def _die_with(parent_pid: int, death_signal: int) -> None:
    if not sys.platform.startswith("linux"):
        return
    _checked(_libc().prctl(_PR_SET_PDEATHSIG, death_signal, 0, 0, 0))
    if os.getppid() != parent_pid:  # it died before we asked
        os.kill(os.getpid(), signal.SIGKILL)


def _map_user(user: int) -> None:
    real_user, real_group = os.geteuid(), os.getegid()
    _checked(_libc().unshare(_CLONE_NEWUSER))
    Path("/proc/self/setgroups").write_text("deny", encoding="ascii")
    Path("/proc/self/uid_map").write_text(f"{user} {real_user} 1", encoding="ascii")
    Path("/proc/self/gid_map").write_text(f"{user} {real_group} 1", encoding="ascii")


def _lower_user(user: int) -> None:
    libc = _libc()
    _checked(libc.prctl(_PR_SET_KEEPCAPS, 1, 0, 0, 0))
    os.setgroups([])
    os.setgid(user)
    os.setuid(user)
    header = (ctypes.c_uint32 * 2)(_CAPABILITY_VERSION_3, 0)
    kept = 1 << _CAP_DAC_OVERRIDE
    data = (ctypes.c_uint32 * 6)(
        kept, kept, kept, 0, 0, 0
    )  # effective, permitted, inheritable; twice 32 bits
    _checked(libc.capset(header, data))
    # An ambient capability is one that outlives the exec of a program without capabilities of its own.
    _checked(libc.prctl(_PR_CAP_AMBIENT, _PR_CAP_AMBIENT_RAISE, _CAP_DAC_OVERRIDE, 0, 0))


if __name__ == "__main__":
    try:
        main(sys.argv[1:])
    except OSError as exc:
        sys.stderr.write(f"cannot start {sys.argv[4]} ({sys.argv[3]}): {exc}\n")
        sys.exit(127)
