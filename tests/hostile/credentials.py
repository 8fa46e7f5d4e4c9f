"""Credentials that nobody may push with, and those that one may."""

from typing import Any

from tests.contract.credentials import Lines
from tests.contract.wrong_credentials import BASIC, PASSWORD, RIGHT, USER, basic
from tests.hostile.case import STORED, TAKEN, Case, cdr, post

SECOND_PASSWORD = "second one"
BASIC_SETTINGS: dict[str, Any] = {
    "auth": "basic",
    "basic_user": USER,
    "basic_password": PASSWORD,
    "basic_password_2": SECOND_PASSWORD + " 密码",
}


def _carrying(lines: Lines) -> bytes:
    fields = "".join(f"\r\nAuthorization: {line}" for line in lines)
    return post(cdr()).replace(b"\r\n\r\n", fields.encode() + b"\r\n\r\n", 1)


WRONG = [
    Case(group="wrong Basic credentials", name=name, sent=_carrying(lines), answer="401 40101 kept", receiver="basic")
    for name, lines in BASIC.items()
]  # fmt: skip

RIGHT_ONES = [
    Case(group="right Basic credentials", name=name, sent=_carrying((line,)), answer=TAKEN, ends=STORED, receiver="basic")
    for name, line in {
        "the password": basic(RIGHT),
        "the second password": basic(f"{USER}:{SECOND_PASSWORD} 密码"),
        "in lower case": basic(RIGHT, scheme="basic "),
    }.items()
]  # fmt: skip

ORDER = [
    # The body that was announced is not waited for long: the connection is closed after the answer.
    Case(group="credentials come before the body", name="too large", receiver="basic",
         answer="401 40101 closed without a word", sent=post(b"", framing={"Content-Length": "9" * 10})),
    Case(group="credentials come before the body", name="gzip", receiver="basic", answer="401 40101 kept",
         sent=post(b"x", headers={"Content-Encoding": "gzip"})),
    Case(group="credentials come before the body", name="no action", receiver="basic", answer="401 40101 kept",
         sent=post(cdr(), target="/")),
    Case(group="credentials come before the body", name="but after the path", receiver="basic", answer="404 40401 kept",
         sent=post(cdr(), target="/x")),
    Case(group="credentials come before the body", name="but after the method", receiver="basic", answer="405 40501 kept",
         sent=post(cdr(), method="PUT")),
]  # fmt: skip

ALL = [*WRONG, *RIGHT_ONES, *ORDER]
