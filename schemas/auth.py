"""Credentials as the settings give them: which of them there are, and what must be set together.

A receiver checks this before it opens a socket; the other roles ignore it.
"""

from msgspec import Struct

from schemas.errors import SettingsError
from schemas.settings import PREFIX, Settings


class Pair(Struct, frozen=True):
    """A user and a password, or a client's id and its secret."""

    name: str
    secret: str


def basic_pairs(settings: Settings) -> tuple[Pair, ...]:
    """Give one pair, or two while they are being changed."""
    return _pairs(settings, "basic_user", "basic_password")


def check_auth(settings: Settings) -> None:
    """Raise SettingsError if TCCC_AUTH lacks what it needs."""
    if settings.auth == "basic":
        _need(settings, "basic_user", "basic_password")
        for pair in basic_pairs(settings):
            if ":" in pair.name:
                raise SettingsError("TCCC_BASIC_USER: a user of HTTP Basic has no colon")


def _need(settings: Settings, *names: str) -> None:
    for name in names:
        if not getattr(settings, name):
            raise SettingsError(f"{_variable(name)} is needed with TCCC_AUTH={settings.auth}")


def _pairs(settings: Settings, name: str, secret: str) -> tuple[Pair, ...]:
    """Give the first pair and, if there is a second secret, the second, whose name may be the first's."""
    first_name, second_name = getattr(settings, name), getattr(settings, f"{name}_2")
    second_secret = getattr(settings, f"{secret}_2")
    if second_name and not second_secret:
        raise SettingsError(f"{_variable(secret)}_2 is needed with {_variable(name)}_2")
    pairs = [Pair(first_name, getattr(settings, secret))]
    if second_secret:
        pairs.append(Pair(second_name or first_name, second_secret))
    for pair in pairs:
        if not (pair.name + pair.secret).isprintable():
            raise SettingsError(f"{_variable(name)}, {_variable(secret)}: control characters cannot be sent")
    return tuple(pairs)


def _variable(name: str) -> str:
    return PREFIX + name.upper()
