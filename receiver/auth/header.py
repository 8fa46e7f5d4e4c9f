"""Reads the Authorization header: exactly one line of it, of the scheme that is asked for."""

from aiohttp.web import BaseRequest


def credentials_of(request: BaseRequest, scheme: str) -> bytes | None:
    """Give what follows the scheme (lower case), as sent; None if the header is missing, doubled or of another."""
    lines = request.headers.getall("Authorization", ())
    if len(lines) != 1:
        return None
    sent_scheme, _, credentials = lines[0].partition(" ")
    if sent_scheme.lower() != scheme:
        return None
    # aiohttp gives bytes that are not UTF-8 as surrogates.
    return credentials.lstrip(" ").encode(errors="surrogateescape")
