"""TLS as the receiver serves it: a certificate and its key, which can be exchanged while it serves."""

import ssl
from pathlib import Path

from cryptography import x509

from schemas.errors import SettingsError
from schemas.settings import Settings

# What TLS 1.2 may use; TLS 1.3 has none that is weak.
CIPHERS = "ECDHE+AESGCM:ECDHE+CHACHA20"


class ServerTls:
    """`context` is what a listener takes, once; each handshake is made with the certificate then in force."""

    def __init__(self, settings: Settings) -> None:
        """Raises SettingsError if certificate and key cannot be used."""
        self._cert, self._key = settings.tls_cert, settings.tls_key
        self._current = self.context = self._read()
        self.context.sni_callback = self._choose

    def reload(self) -> None:
        """Read both files anew; raises SettingsError if they cannot be used, and keeps those in force."""
        self._current = self._read()

    def _read(self) -> ssl.SSLContext:
        context = server_context(self._cert, self._key)
        self.not_after_s = not_after_s(self._cert)
        return context

    def _choose(self, handshake: ssl.SSLObject, _server_name: str | None, _context: ssl.SSLContext) -> None:
        """Called in each handshake, with and without a server name."""
        handshake.context = self._current


def server_context(cert: str, key: str) -> ssl.SSLContext:
    """Raises SettingsError if certificate and key cannot be used."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.set_ciphers(CIPHERS)
    context.options |= ssl.OP_NO_RENEGOTIATION | ssl.OP_NO_COMPRESSION
    context.set_alpn_protocols(["http/1.1"])
    try:
        # a password that is none: else OpenSSL would ask for one on the terminal
        context.load_cert_chain(cert, key or None, password="")
    except OSError as exc:
        raise SettingsError(
            "TCCC_TLS_CERT, TCCC_TLS_KEY: they cannot be read, do not belong together, or the key has a password"
        ) from exc
    return context


def not_after_s(cert: str) -> float:
    """Give the end of a certificate's validity, in seconds since the epoch."""
    try:
        chain = x509.load_pem_x509_certificates(Path(cert).read_bytes())
    except (OSError, ValueError) as exc:
        raise SettingsError("TCCC_TLS_CERT: no certificate can be read from it") from exc
    return chain[0].not_valid_after_utc.timestamp()
