"""What can be asked of a run, typed; how a share and a push URL are read from the command line."""

import ssl
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path
from typing import IO
from urllib.parse import urlsplit

import click
from msgspec import Struct
from yarl import URL

from console.simulator.credentials import TOKEN_PATH, ClientCredentials, Credentials, basic, bearer
from console.simulator.delivery import Delivery, disturb
from console.simulator.dice import Dice
from console.simulator.load import Plan
from console.simulator.session import Action
from console.simulator.stream import first_pushes, in_order, only, simulate

VENDORS_RETRIES = 3


class Options(Struct, frozen=True, kw_only=True):
    """The options of `tccc send`, by their names there. Shares are from 0 to 1, times in seconds."""

    files: tuple[str, ...]
    url: str
    count: int
    rate: float | None
    connections: int
    retries: int | None
    retry_wait: float
    timeout: float
    duplicates: float
    reorder: float
    seed: int
    day: datetime
    sessions_a_day: int
    sdk_app_id: int
    quirks: float
    corrections: float
    action: Action | None
    push_id: str
    basic: str
    bearer: str
    oauth2: str
    token_url: str | None
    cafile: str | None
    output: IO[bytes] | None
    dry_run: bool
    as_json: bool

    def plan(self) -> Plan:
        """Files leave in their order, one at a time, and are tried again only if that is asked for."""
        return Plan(
            connections=1 if self.files else self.connections,
            rate_per_s=self.rate,
            retries=self.retries if self.retries is not None else 0 if self.files else VENDORS_RETRIES,
            retry_wait_s=self.retry_wait,
        )

    def tls(self) -> ssl.SSLContext | None:
        """What to trust of https; None for what is usual."""
        if self.cafile is None:
            return None
        try:
            return ssl.create_default_context(cafile=self.cafile)
        except OSError as exc:
            raise click.UsageError("--cafile: no certificates can be read from it") from exc

    def credentials(self, tls: ssl.SSLContext | None) -> Credentials:
        given = [name for name in ("basic", "bearer", "oauth2") if getattr(self, name)]
        if len(given) > 1:
            raise click.UsageError(f"--{given[0]} and --{given[1]} do not go together")
        if self.oauth2:
            token_url = URL(self.token_url or self.url)
            if self.token_url is None:
                token_url = token_url.origin().with_path(TOKEN_PATH)
            trusted = (tls or ssl.create_default_context()) if token_url.scheme == "https" else None
            return ClientCredentials(token_url, self.oauth2, trusted)
        return basic(self.basic) if self.basic else bearer(self.bearer) if self.bearer else Credentials()

    def simulated(self) -> Iterator[Delivery]:
        """Yield `count` pushes, and the duplicates beside them, from as many sessions as that takes."""
        sessions = simulate(
            None,
            seed=self.seed,
            first_day=self.day.date(),
            sessions_a_day=self.sessions_a_day,
            sdk_app_id=self.sdk_app_id,
            quirks=self.quirks,
            corrections=self.corrections,
        )
        wanted = only(sessions, self.action) if self.action else sessions
        pushes = in_order(first_pushes(wanted, self.count))
        return disturb(pushes, Dice(self.seed, "delivery"), duplicates=self.duplicates, reorder=self.reorder)


def share(text: str) -> float:
    """Read a share of things, `5%` or `0.05`."""
    try:
        read = float(text.removesuffix("%")) / (100 if text.endswith("%") else 1)
    except ValueError:
        read = -1.0
    if not 0 <= read <= 1:
        raise click.BadParameter(f"{text!r} is no share: give 5% or 0.05, from 0 to 1")
    return read


def secret(text: str) -> str:
    """Read a secret, or with @ before it the name of a file that holds it: arguments are seen by everybody."""
    if text.startswith("@"):
        try:
            text = Path(text[1:]).read_text(encoding="utf-8").removesuffix("\n")
        except (OSError, UnicodeDecodeError) as exc:
            raise click.BadParameter("the file cannot be read") from exc
    if not text.isprintable():
        raise click.BadParameter("control characters cannot be sent")
    return text


def push_url(text: str) -> str:
    """Read an address to push to; its path and query are kept."""
    try:
        parts = urlsplit(text)
        usable = parts.scheme in {"http", "https"} and parts.hostname and parts.port != 0
    except ValueError:
        usable = False
    if not usable or parts.fragment or parts.username is not None:
        raise click.BadParameter(
            "it has to be http://HOST… or https://HOST…, without a fragment; credentials go into --basic"
        )
    return text if parts.path else parts._replace(path="/").geturl()
