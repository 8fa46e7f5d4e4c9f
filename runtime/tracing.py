"""Tracing is off by default, and an extra: nothing of OpenTelemetry is loaded before a setting asks for it."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

from schemas.errors import SettingsError
from schemas.settings import Settings

if TYPE_CHECKING:
    from runtime.spans import Spans


@asynccontextmanager
async def tracing(settings: Settings, role: str) -> AsyncIterator["Spans | None"]:
    """What spans are made with, None where tracing is off."""
    if settings.tracing == "off":
        yield None
        return
    try:
        from runtime.spans import exporting  # noqa: PLC0415 -- an extra, and slow to load
    except ImportError as exc:
        raise SettingsError(
            "TCCC_TRACING: its libraries are not installed: pip install 'tccc-ingest[tracing]'"
        ) from exc
    async with exporting(settings.tracing_endpoint, f"tccc-{role}", settings.tracing_ratio) as spans:
        yield spans
