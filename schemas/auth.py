"""Credentials as the settings give them: which of them there are, and what must be set together.

A receiver checks this before it opens a socket; the other roles ignore it.
"""

from urllib.parse import urlsplit

from msgspec import Struct

from schemas.errors import SettingsError
from schemas.settings import PREFIX, TOKEN_PATH, Settings

MIN_KEY_BYTES = 32

_ISSUER = ("oauth2_issuer", "oauth2_audience", "oauth2_jwks_url")
_CLIENT = ("oauth2_client_id", "oauth2_client_secret")


class Pair(Struct, frozen=True):
    """A user and a password, or a client's id and its secret."""

    name: str
    secret: str


def basic_pairs(settings: Settings) -> tuple[Pair, ...]:
    """Give one pair, or two while they are being changed."""
    return _pairs(settings, "basic_user", "basic_password")


def client_pairs(settings: Settings) -> tuple[Pair, ...]:
    """Give one client, or two while they are being changed."""
    return _pairs(settings, *_CLIENT)


def trusts_issuer(settings: Settings) -> bool:
    """Whether TCCC_AUTH=oauth2 means another's tokens; else the receiver issues them itself."""
    return any(getattr(settings, name) for name in _ISSUER)


def check_auth(settings: Settings) -> None:
    """Raise SettingsError if TCCC_AUTH lacks what it needs."""
    if settings.auth == "basic":
        _need(settings, "basic_user", "basic_password")
        for pair in basic_pairs(settings):
            if ":" in pair.name:
                raise SettingsError("TCCC_BASIC_USER: a user of HTTP Basic has no colon")
    if settings.auth == "oauth2":
        _check_issuer(settings) if trusts_issuer(settings) else _check_client(settings)


def _check_issuer(settings: Settings) -> None:
    _need(settings, *_ISSUER)
    if given := next((name for name in _CLIENT if getattr(settings, name)), None):
        raise SettingsError(
            f"{_variable(given)} and TCCC_OAUTH2_ISSUER are both set: keep one way to get tokens"
        )
    if urlsplit(settings.oauth2_jwks_url).scheme != "https":
        raise SettingsError("TCCC_OAUTH2_JWKS_URL: an https:// URL is expected")


def _check_client(settings: Settings) -> None:
    _need(settings, *_CLIENT)
    client_pairs(settings)
    for name in ("oauth2_signing_key", "oauth2_signing_key_2"):
        key = getattr(settings, name)
        if key and len(key.encode()) < MIN_KEY_BYTES:
            raise SettingsError(f"{_variable(name)}: at least {MIN_KEY_BYTES} bytes are expected")
    if settings.push_path == TOKEN_PATH:
        raise SettingsError(f"TCCC_PUSH_PATH: {TOKEN_PATH} is where tokens are issued")


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
