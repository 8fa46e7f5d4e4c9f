"""Credentials that nobody may push with, and those that one may."""

from typing import Any

from receiver.auth.own_tokens import AUDIENCE, ISSUER, OwnTokens
from tests.contract.credentials import Lines
from tests.contract.tokens import wrong_own_tokens
from tests.contract.wrong_credentials import BASIC, PASSWORD, RIGHT, USER, basic
from tests.hostile.case import STORED, TAKEN, Case, cdr, post

SECOND_PASSWORD = "second one"
BASIC_SETTINGS: dict[str, Any] = {
    "auth": "basic",
    "basic_user": USER,
    "basic_password": PASSWORD,
    "basic_password_2": SECOND_PASSWORD + " 密码",
}

_KEY = "k" * 32
OAUTH2_SETTINGS: dict[str, Any] = {
    "auth": "oauth2",
    "oauth2_client_id": USER,
    "oauth2_client_secret": PASSWORD,
    "oauth2_signing_key": _KEY,
}


def _carrying(lines: Lines) -> bytes:
    fields = "".join(f"\r\nAuthorization: {line}" for line in lines)
    return post(cdr()).replace(b"\r\n\r\n", fields.encode() + b"\r\n\r\n", 1)


WRONG = [
    Case(group="wrong Basic credentials", name=name, sent=_carrying(lines), answer="401 40101 kept", receiver="basic")
    for name, lines in BASIC.items()
]  # fmt: skip

_TOKEN = OwnTokens([_KEY], 3600).issue(USER)
BEARERS: dict[str, Lines] = {
    **{name: (f"Bearer {token}",) for name, token in wrong_own_tokens(_KEY, ISSUER, AUDIENCE).items()},
    "none": (),
    "the right one as Basic": (f"Basic {_TOKEN}",),
    "the right one twice": (f"Bearer {_TOKEN}",) * 2,
    "the right one without its scheme": (_TOKEN,),
    "the client's own name and secret": (basic(RIGHT),),
}
TOKENS = [
    Case(group="wrong Bearer credentials", name=name, sent=_carrying(lines), answer="401 40101 kept", receiver="oauth2")
    for name, lines in BEARERS.items()
] + [
    Case(group="right Bearer credentials", name="an issued token", sent=_carrying((f"Bearer {_TOKEN}",)), answer=TAKEN,
         ends=STORED, receiver="oauth2"),
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

ALL = [*WRONG, *RIGHT_ONES, *TOKENS, *ORDER]
