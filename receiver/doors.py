"""Looks whether credentials and certificates are such that a receiver would start, without opening anything."""

from receiver.auth.jwks_fetch import JwksFetch
from receiver.tls import ServerTls
from schemas.auth import check_auth, trusts_issuer
from schemas.settings import Settings


def check_doors(settings: Settings) -> None:
    """Raises SettingsError with what a receiver would refuse to start with; reads the files that are named."""
    check_auth(settings)
    if settings.auth == "oauth2" and trusts_issuer(settings):
        JwksFetch(settings.oauth2_jwks_url, settings.oauth2_cafile)
    if settings.tls_cert or settings.tls_key:
        ServerTls(settings)
