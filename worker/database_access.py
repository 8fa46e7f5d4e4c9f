"""Puts into words why the database refuses us, and checks the files that its URL names.

The URL's query has libpq's names, as asyncpg reads them: sslmode, sslrootcert, sslcert, sslkey, sslcrl.
"""

import ssl
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import asyncpg

from schemas.errors import SettingsError

_FILES = ("sslrootcert", "sslcert", "sslkey", "sslcrl")
_STATES = {
    "28P01": "the database refuses the password",
    "28000": "the database refuses this user, or asks for TLS (sslmode) or a client certificate (sslcert)",
    "3D000": "there is no such database",
}


def require_files(url: str) -> None:
    """Raise SettingsError for a file that cannot be read: the driver would seem to find the database away."""
    try:
        query = parse_qs(urlsplit(url).query)
    except ValueError:
        return  # the driver says so
    for name in _FILES:
        for path in query.get(name, ()):
            try:
                Path(path).open("rb").close()
            except OSError as exc:
                raise SettingsError(
                    f"TCCC_DATABASE_URL: the file of {name} cannot be read ({type(exc).__name__})"
                ) from exc


def refusal(error: BaseException | None) -> str | None:
    """What the matter is, if it is one that no waiting mends; `error` is the driver's."""
    # The server's verdict on our certificate comes after the handshake.
    if isinstance(error, asyncpg.ConnectionDoesNotExistError) and isinstance(error.__cause__, ssl.SSLError):
        error = error.__cause__
    match error:
        case ssl.SSLCertVerificationError():
            return (
                "by its sslrootcert and sslmode, the database's certificate is not to be trusted under this name: "
                f"{error.verify_message.rstrip('.')}"
            )
        case ssl.SSLEOFError() | ssl.SSLZeroReturnError():
            return None
        case ssl.SSLError() if error.reason == "TLSV1_ALERT_PROTOCOL_VERSION":
            return None  # met only where we asked for an old one
        case ssl.SSLError():
            return f"TLS cannot be set up, see sslmode, sslrootcert, sslcert and sslkey: {error.reason}"
        case ConnectionError() if "rejected SSL upgrade" in str(error):
            return "the database speaks no TLS, for which its sslmode asks"
    return _STATES.get(getattr(error, "sqlstate", None) or "")
