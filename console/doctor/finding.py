"""One finding of the doctor: what was looked at, whether it is well, and what to do if not."""

from typing import Literal

from msgspec import Struct

State = Literal["ok", "warn", "fail"]


class Finding(Struct, frozen=True, kw_only=True):
    """`remedy` is empty where all is well."""

    check: str
    state: State
    detail: str
    remedy: str = ""


def ok(check: str, detail: str) -> Finding:
    return Finding(check=check, state="ok", detail=detail)


def warn(check: str, detail: str, remedy: str) -> Finding:
    return Finding(check=check, state="warn", detail=detail, remedy=remedy)


def fail(check: str, detail: str, remedy: str) -> Finding:
    return Finding(check=check, state="fail", detail=detail, remedy=remedy)
