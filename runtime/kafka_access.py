"""Tells brokers that refuse us from brokers that are away: no waiting mends a refusal, a person has to.

aiokafka reports both as one error; here each broker is asked on a connection of its own, and its refusal is put
into words that name the setting. A broker that merely hangs up, as one does that expects another protocol, counts
as away.
"""

import asyncio
import ssl
from collections.abc import Sequence
from typing import Any

from aiokafka.conn import AIOKafkaConnection, collect_hosts
from aiokafka.errors import (
    IllegalSaslStateError,
    KafkaConnectionError,
    KafkaError,
    SaslAuthenticationFailed,
    UnsupportedSaslMechanismError,
)
from aiokafka.protocol.metadata import MetadataRequest

from runtime.kafka import client_options
from schemas.errors import AccessRefused
from schemas.settings import Settings

DEADLINE_S = 3.0
CLOSE_S = 1.0
# Of a TLS alert, read as the length of an answer of Kafka's: content type 21, protocol version 3.
_TLS_ALERT = 0x1503

Address = tuple[str, int]


async def require_access(settings: Settings) -> None:
    """Raise AccessRefused if every broker that answers refuses us; that none answers is no reason. Bounded."""
    if settings.kafka_security_protocol == "PLAINTEXT":
        return  # there is nothing to refuse
    try:
        async with asyncio.timeout(DEADLINE_S):
            addresses = [(host, port) for host, port, _ in collect_hosts(settings.kafka_bootstrap)]
            # The brokers' own names for themselves may be others than those of the setting.
            await _let_in(settings, await _let_in(settings, addresses))
    except TimeoutError:
        return


async def why_away(settings: Settings, error: BaseException) -> str:
    """Put into words why no client could be made: a refusal if there is one, else the error's kind."""
    try:
        await require_access(settings)
    except AccessRefused as exc:
        return str(exc)
    return f"no answer from TCCC_KAFKA_BOOTSTRAP: {type(error).__name__}"


async def _let_in(settings: Settings, addresses: Sequence[Address]) -> list[Address]:
    """Ask all; the brokers that one of them knows, none if all are away. Raises AccessRefused."""
    asked = await asyncio.gather(*[_ask(settings, *one) for one in addresses], return_exceptions=True)
    for answer in asked:
        if isinstance(answer, list):
            return answer
    for answer in asked:
        if isinstance(answer, BaseException) and not isinstance(answer, KafkaError | OSError):
            raise answer
    return []


async def _ask(settings: Settings, host: str, port: int) -> list[Address]:
    """Which brokers this one knows. Raises AccessRefused, or KafkaError or OSError where it is away."""
    options = client_options(settings)
    del options["bootstrap_servers"]
    connection = AIOKafkaConnection(host, port, request_timeout_ms=round(DEADLINE_S * 1000), **options)
    try:
        await connection.connect()
        answer: Any = await connection.send(MetadataRequest([]))
    except (KafkaError, OSError) as exc:
        words = _refusal(settings, exc)
        if words is None:
            raise
        raise AccessRefused(f"{words} (broker {host}:{port})") from exc
    finally:
        if (closed := connection.close()) is not None:
            await asyncio.wait([closed], timeout=CLOSE_S)
    return [(broker_host, broker_port) for _id, broker_host, broker_port, _rack in answer.brokers]


def _refusal(settings: Settings, error: BaseException) -> str | None:
    """The refusal in words, None if it is none."""
    cause = error.__cause__ if isinstance(error, KafkaConnectionError) else error
    match cause:
        case ssl.SSLError():
            words = _tls_refusal(settings, cause, alerted=cause is not error)
        case asyncio.IncompleteReadError(expected=int(expected)) if expected >> 16 == _TLS_ALERT:
            words = "TCCC_KAFKA_SECURITY_PROTOCOL: the broker speaks TLS"
        case SaslAuthenticationFailed():
            words = "TCCC_KAFKA_SASL_USERNAME, TCCC_KAFKA_SASL_PASSWORD: the broker refuses them"
        case UnsupportedSaslMechanismError():
            words = f"TCCC_KAFKA_SASL_MECHANISM: the broker does not offer {settings.kafka_sasl_mechanism}"
        case IllegalSaslStateError():
            words = "TCCC_KAFKA_SECURITY_PROTOCOL: the broker asks for no SASL"
        case _:
            words = None
    return words


def _tls_refusal(settings: Settings, error: ssl.SSLError, *, alerted: bool) -> str | None:
    """`alerted` says that the broker ended it, after our side was content."""
    match error:
        case ssl.SSLCertVerificationError():
            return (
                "TCCC_KAFKA_SSL_CAFILE: by it, the broker's certificate is not to be trusted under this name: "
                f"{error.verify_message.rstrip('.')}"
            )
        case ssl.SSLEOFError() | ssl.SSLZeroReturnError():
            return None
        case _ if alerted and settings.kafka_ssl_certfile:
            return "TCCC_KAFKA_SSL_CERTFILE: the broker refuses the client certificate"
        case _ if alerted:
            return "TCCC_KAFKA_SSL_CERTFILE: the broker asks for a client certificate"
    return f"TCCC_KAFKA_SECURITY_PROTOCOL: TLS cannot be agreed on: {error.reason}"
