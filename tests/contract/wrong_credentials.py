"""Credentials that no receiver may take: the Authorization lines of a request, each by what is wrong with it."""

import base64

from tests.contract.credentials import Lines

USER, PASSWORD = "tccc", "corr~~~ct horse??"  # in base64: padded, with a slash or a plus
RIGHT = f"{USER}:{PASSWORD}"


def basic(text: str, *, scheme: str = "Basic ") -> str:
    return scheme + base64.b64encode(text.encode()).decode()


def with_spare_bits(encoded: str) -> str:
    """The same bytes in another spelling: the bits that padding leaves over are not zero."""
    digits = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/"
    body = encoded.rstrip("=")
    assert body != encoded
    return body[:-1] + digits[digits.index(body[-1]) + 1] + "=" * (len(encoded) - len(body))


_GOOD = basic(RIGHT)
_TOKEN = _GOOD.removeprefix("Basic ")

BASIC: dict[str, Lines] = {
    "none": (),
    "empty": ("",),
    "scheme alone": ("Basic",),
    "scheme and a space": ("Basic ",),
    "other scheme": (f"Digest {_TOKEN}",),
    "no scheme": (_TOKEN,),
    "scheme doubled": (f"Basic {_GOOD}",),
    "Bearer": (f"Bearer {_TOKEN}",),
    "Bearer with the password": (f"Bearer {PASSWORD}",),
    "right one twice": (_GOOD, _GOOD),
    "right one first": (_GOOD, basic("tccc:wrong")),
    "right one second": (basic("tccc:wrong"), _GOOD),
    "two in one line": (f"{_GOOD}, {_GOOD}",),
    "wrong password": (basic(f"{USER}:wrong"),),
    "wrong user": (basic(f"wrong:{PASSWORD}"),),
    "empty password": (basic(f"{USER}:"),),
    "empty user": (basic(f":{PASSWORD}"),),
    "colon alone": (basic(":"),),
    "no colon": (basic(USER + PASSWORD),),
    "user and password swapped": (basic(f"{PASSWORD}:{USER}"),),
    "shorter password": (basic(RIGHT[:-1]),),
    "longer password": (basic(RIGHT + "x"),),
    "password in capitals": (basic(RIGHT.upper()),),
    "user of one pair, password of the other": (basic("tccc:second one"),),
    "a NUL after it": (basic(RIGHT + "\0"),),
    "a line feed after it": (basic(RIGHT + "\n"),),
    "a space before it": (basic(" " + RIGHT),),
    "in UTF-16": ("Basic " + base64.b64encode(RIGHT.encode("utf-16")).decode(),),
    "not encoded": (f"Basic {RIGHT}",),
    "without padding": (_GOOD.rstrip("="),),
    "padded twice": (_GOOD + "==",),
    "padding within": (f"{_GOOD[:10]}={_GOOD[10:]}",),
    "bytes after the padding": (_GOOD + "eA==",),
    "bits left over": ("Basic " + with_spare_bits(_TOKEN),),
    "space within": (f"{_GOOD[:10]} {_GOOD[10:]}",),
    "tab for a space": (f"Basic\t{_TOKEN}",),
    "URL-safe alphabet": (_GOOD.replace("/", "_").replace("+", "-"),),
    "noise within": (f"{_GOOD[:10]}!{_GOOD[10:]}",),
    "encoded twice": (basic(_TOKEN),),
    "letters beyond ASCII": (_GOOD[:-4] + "é==",),
    "8 KB": ("Basic " + "QUFB" * 2000,),
    "a parameter": (f'Basic realm="tccc", {_TOKEN}',),
}
