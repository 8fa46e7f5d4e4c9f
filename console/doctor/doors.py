"""Who may push, and the certificate that they are shown."""

import asyncio
import time

from console.doctor.finding import Finding, fail, ok, warn
from console.times import iso
from receiver.auth.jwks_fetch import JwksFetch
from receiver.doors import check_doors
from receiver.tls import not_after_s
from schemas.auth import trusts_issuer
from schemas.errors import IssuerAway, SettingsError
from schemas.settings import Settings

DAY_S = 24 * 60 * 60
RENEW_WITHIN_DAYS = 14


async def examine(settings: Settings) -> list[Finding]:
    try:
        await asyncio.to_thread(check_doors, settings)
    except SettingsError as exc:
        return [fail("who may push", str(exc), "Receivers do not start with this: mend the setting.")]
    findings = [_who(settings)]
    if settings.auth == "oauth2" and trusts_issuer(settings):
        findings.append(await _issuer(settings))
    if settings.tls_cert:
        findings.append(_certificate(not_after_s(settings.tls_cert)))
    return findings


def _who(settings: Settings) -> Finding:
    if settings.auth != "none":
        return ok("who may push", f"TCCC_AUTH={settings.auth}")
    remedy = "Set TCCC_AUTH=basic with TCCC_BASIC_USER and TCCC_BASIC_PASSWORD, unless a proxy asks for credentials."
    return warn("who may push", "anybody (TCCC_AUTH=none)", remedy)


async def _issuer(settings: Settings) -> Finding:
    check = "issuer of tokens"
    try:
        keys = await JwksFetch(settings.oauth2_jwks_url, settings.oauth2_cafile)()
    except IssuerAway as exc:
        remedy = "Look at TCCC_OAUTH2_JWKS_URL and TCCC_OAUTH2_CAFILE: only tokens whose key is known are taken now."
        return fail(check, str(exc), remedy)
    return ok(check, f"{len(set(keys.values()))} keys")


def _certificate(until_s: float) -> Finding:
    detail = f"valid until {iso(int(until_s * 1_000_000))}"
    remedy = "Renew the files of TCCC_TLS_CERT and TCCC_TLS_KEY, and send SIGHUP to the receivers."
    days = (until_s - time.time()) / DAY_S
    if days <= 0:
        return fail("certificate", detail, remedy)
    return warn("certificate", detail, remedy) if days < RENEW_WITHIN_DAYS else ok("certificate", detail)
