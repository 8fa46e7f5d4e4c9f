"""Puts together what TCCC_AUTH asks for, and exchanges its credentials while the receiver serves."""

import asyncio
import secrets
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import structlog
from prometheus_client import CollectorRegistry

from receiver.auth.basic import Basic
from receiver.auth.bearer import Bearer
from receiver.auth.gate import Gate
from receiver.auth.jwks import IssuerKeys
from receiver.auth.jwks_fetch import JwksFetch
from receiver.auth.own_tokens import OwnTokens
from receiver.auth.token_endpoint import TokenEndpoint
from receiver.auth.tokens import Judge
from receiver.client_address import ClientAddresses
from schemas.auth import basic_pairs, check_auth, client_pairs, trusts_issuer
from schemas.settings import Settings

# Asymmetric ones only: a key that is public must not serve to make tokens.
ISSUER_ALGORITHMS = ("RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "ES512")

log = structlog.get_logger()


class Auth:
    """`gate` is asked before every push; None lets all pass. `token_endpoint` is there if tokens are issued here."""

    def __init__(self, settings: Settings, addresses: ClientAddresses, registry: CollectorRegistry) -> None:
        """Raises SettingsError if TCCC_AUTH lacks what it needs."""
        check_auth(settings)
        self.gate: Gate | None = None
        self.token_endpoint: TokenEndpoint | None = None
        self._issuer_keys: IssuerKeys | None = None
        self._drawn_key = secrets.token_urlsafe(32)
        if settings.auth == "none":
            return
        self.gate = Gate(addresses, settings.auth_failures_per_minute)
        if settings.auth == "oauth2" and trusts_issuer(settings):
            self._trust_issuer(self.gate, settings, registry)
        elif settings.auth == "oauth2":
            self.token_endpoint = TokenEndpoint(self.gate.count, settings.body_timeout_s)
            if not settings.oauth2_signing_key:
                log.warning("signing_key_drawn", why="tokens hold until this receiver ends, and at no other")
        self.adopt(settings)

    def adopt(self, settings: Settings) -> None:
        """Take other credentials from the next request on; raises SettingsError and keeps those in force."""
        check_auth(settings)
        if self.gate is None or self._issuer_keys is not None:
            return
        if self.token_endpoint is None:
            self.gate.check = Basic(basic_pairs(settings))
            return
        keys = (settings.oauth2_signing_key or self._drawn_key, settings.oauth2_signing_key_2)
        tokens = OwnTokens([key for key in keys if key], settings.oauth2_token_s)
        self.token_endpoint.tokens, self.token_endpoint.clients = tokens, client_pairs(settings)
        self.gate.check = Bearer(tokens.verify)

    def unready(self) -> str | None:
        """Give the reason why nobody can be let in yet."""
        if self._issuer_keys is not None and not self._issuer_keys.known:
            return "the keys of TCCC_OAUTH2_ISSUER could not be fetched yet"
        return None

    @asynccontextmanager
    async def kept_fresh(self) -> AsyncIterator[None]:
        """Keep what comes from elsewhere up to date until the block ends."""
        if self._issuer_keys is None:
            yield
            return
        keeping = asyncio.create_task(self._issuer_keys.keep())
        try:
            yield
        finally:
            keeping.cancel()
            await asyncio.wait([keeping])

    def _trust_issuer(self, gate: Gate, settings: Settings, registry: CollectorRegistry) -> None:
        keys = IssuerKeys(JwksFetch(settings.oauth2_jwks_url, settings.oauth2_cafile), registry)
        judge = Judge(
            algorithms=ISSUER_ALGORITHMS, issuer=settings.oauth2_issuer, audience=settings.oauth2_audience
        )
        bearer = Bearer(lambda token: judge.verify(token, keys.find), keys.refresh)
        keys.changed = bearer.forget
        gate.check = bearer
        self._issuer_keys = keys
