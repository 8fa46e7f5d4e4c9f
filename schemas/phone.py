"""Phone numbers in one form, whatever spelling they came in, and where they stand in a text.

The same rule stands in the database (`tccc_private.one_form`). Digits alone count. `+` and `00` begin a country
code; 86, the one that TCCC's numbers have, goes away, also without `+` or `00` where at least ten digits follow
it, and so does a leading 0. What was sent masked (`138****0000`) has no such form.
"""

import re
from collections.abc import Iterator

from schemas.errors import OperatorError

_HOME = "86"
_MIN_DIGITS, _MAX_DIGITS = 5, 20
_PREFIX = re.compile(rf"^(00({_HOME})?|{_HOME}(?=[0-9]{{10,}}$))?0*")
_SPELLED = re.compile(r"\+?[0-9][-0-9 ().]+")
_IN_TEXT = re.compile(r"\+?[0-9](?:[-. ()]{0,2}[0-9])*")
_ESCAPED = re.compile(r"\\u00([23][0-9a-fA-F])")
# The vendor's integers, of no person, by name; in a string of JSON their quotes are escaped, so that it is left alone.
_COUNTED = (
    "SdkAppId|[A-Za-z]*SkillGroupId|[A-Za-z]*Timestamp|Time|[A-Za-z]*Duration"
    "|Sequence|SkillGroupPriority|Direction|CallType"
)
# For Python and Postgres alike; what stays is the first group.
NOT_OF_PERSONS = rf'("({_COUNTED})"\s*:\s*)-?[0-9]+'
_NOT_OF_PERSONS = re.compile(NOT_OF_PERSONS)
_DIGITS = re.compile(r"\+?[0-9]+")


def one_form(number: str) -> str:
    """Of a number however it is spelled: the digits that all spellings share."""
    digits = re.sub(r"[^0-9]", "", number.replace("+", "00", 1) if number.startswith("+") else number)
    return _PREFIX.sub("", digits)


def read_number(text: str) -> str:
    """A number that somebody typed, in its one form; raises OperatorError, which does not show it."""
    number = one_form(text.strip()) if _SPELLED.fullmatch(text.strip()) else ""
    if not _MIN_DIGITS <= len(number) <= _MAX_DIGITS:
        raise OperatorError(
            f"that is no phone number: {_MIN_DIGITS} to {_MAX_DIGITS} digits are expected, such as 0086 138 0013 8000"
        )
    return number


def pattern(number: str) -> str:
    """A regular expression, for Python and Postgres alike, of a number (in its one form) in a text.

    It stands there alone, not as a part of longer digits, with up to two of `-. ()` between digits.
    """
    gap = "[-. ()]{0,2}"
    return rf"(?<![0-9])((\+|00)?{gap}{_HOME}{gap})?((\+|00){gap})?0?{gap}{gap.join(number)}(?![0-9])"


def as_text(body: bytes) -> str:
    """A body to be searched: digits that JSON has escaped are digits, bare integers of ids and times are not there."""
    text = _NOT_OF_PERSONS.sub(r"\1", body.decode(errors="replace"))
    return _ESCAPED.sub(lambda escape: chr(int(escape[1], 16)), text)


def numbers_in(text: str) -> Iterator[str]:
    """All that may be a number in a text, in its one form: digits, and digits with `-. ()` between them."""
    for spelled in _IN_TEXT.finditer(text):
        for candidate in {spelled[0], *_DIGITS.findall(spelled[0])}:
            number = one_form(candidate)
            if _MIN_DIGITS <= len(number) <= _MAX_DIGITS:
                yield number
