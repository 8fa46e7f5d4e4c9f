"""The collector that spans are sent to, where tracing is on."""

import asyncio
import logging

from console.doctor.finding import Finding, fail, ok, warn
from schemas.settings import Settings

TIMEOUT_S = 2.0


async def examine(settings: Settings) -> list[Finding]:
    if settings.tracing == "off":
        return []
    check = "collector"
    try:
        from runtime.spans import takes_spans
    except ImportError:
        remedy = "Receivers and workers do not start with this: pip install 'tccc-ingest[tracing]'."
        return [fail(check, "TCCC_TRACING=otlp, and its libraries are not installed", remedy)]
    logging.getLogger("opentelemetry").setLevel(logging.CRITICAL)  # what it would say is in the finding
    if await asyncio.to_thread(takes_spans, settings.tracing_endpoint, timeout_s=TIMEOUT_S):
        return [ok(check, "takes spans")]
    remedy = "Start it, or correct TCCC_TRACING_ENDPOINT. Pushes go on meanwhile; their traces are lost."
    return [warn(check, "takes no spans over OTLP/HTTP", remedy)]
