"""Logins of a test's own, each a member of one of the project's roles."""

import uuid
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from urllib.parse import quote, urlsplit, urlunsplit

from tests import services


@asynccontextmanager
async def login(url: str, role: str | None = None, *, attributes: str = "") -> AsyncIterator[str]:
    """The URL of a new login to the same database; `url` is a superuser's. Drops it, and all that it owns."""
    name, password = f"tccc_login_{uuid.uuid4().hex}", uuid.uuid4().hex
    member = f" IN ROLE {role}" if role else ""
    await services.execute(url, f"CREATE ROLE {name} LOGIN {attributes} PASSWORD '{password}'{member}")
    try:
        yield _as(url, name, password)
    finally:
        await services.execute(url, f"DROP OWNED BY {name} CASCADE; DROP ROLE {name}")


def _as(url: str, name: str, password: str) -> str:
    parts = urlsplit(url)
    place = parts.netloc.rpartition("@")[2]
    return urlunsplit(parts._replace(netloc=f"{quote(name)}:{quote(password)}@{place}"))
