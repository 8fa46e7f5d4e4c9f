"""How every Kafka client of the project connects."""

import os
import socket
import ssl
from typing import Any

from schemas.errors import SettingsError
from schemas.settings import Settings

# Room beside the largest body for key, headers and framing; the topics' own limits are larger by as much.
MAX_RECORD_BYTES = 2 * 2**20
MAX_DEAD_RECORD_BYTES = 3 * 2**20


def client_options(settings: Settings) -> dict[str, Any]:
    """Keyword arguments that any aiokafka client takes."""
    options: dict[str, Any] = {
        "bootstrap_servers": settings.kafka_bootstrap,
        "security_protocol": settings.kafka_security_protocol,
        "client_id": f"tccc-{socket.gethostname()}-{os.getpid()}",
    }
    if settings.kafka_security_protocol.startswith("SASL"):
        options |= {
            "sasl_mechanism": settings.kafka_sasl_mechanism,
            "sasl_plain_username": settings.kafka_sasl_username,
            "sasl_plain_password": settings.kafka_sasl_password,
        }
    if settings.kafka_security_protocol.endswith("SSL"):
        options["ssl_context"] = _ssl_context(settings)
    return options


def _ssl_context(settings: Settings) -> ssl.SSLContext:
    try:
        context = ssl.create_default_context(cafile=settings.kafka_ssl_cafile or None)
    except OSError as exc:
        raise SettingsError("TCCC_KAFKA_SSL_CAFILE: no certificates can be read from it") from exc
    if settings.kafka_ssl_certfile:
        try:
            context.load_cert_chain(
                settings.kafka_ssl_certfile,
                settings.kafka_ssl_keyfile or None,
                password=bytes,  # a key that asks for one is an error; OpenSSL would ask on the terminal
            )
        except OSError as exc:
            raise SettingsError(
                "TCCC_KAFKA_SSL_CERTFILE, TCCC_KAFKA_SSL_KEYFILE: they cannot be read, or do not belong together"
            ) from exc
    return context
