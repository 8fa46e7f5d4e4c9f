"""Asks Prometheus and Postgres as Grafana would: its macros and variables are put in, and rows are counted."""

import math
from types import TracebackType
from typing import Any, Self

import aiohttp
import asyncpg

from tests.observability import Panel

# The days that are simulated lie in it. A rate looks back far enough to see all that was sent.
MACROS = {
    "$__timeFrom()": "'2026-03-02T16:00:00Z'",
    "$__timeTo()": "'2026-03-08T16:00:00Z'",
    "$__rate_interval": "5m",
    "$within": "20",
    "$tz": "Asia/Shanghai",
}


class Fault(str):
    """Why a query was refused."""

    __slots__ = ()


class Asking:
    """As an analyst: Grafana's login needs no more rights."""

    def __init__(self, session: aiohttp.ClientSession, *, prometheus_url: str, database_url: str) -> None:
        self._session = session
        self._prometheus_url = prometheus_url
        self._database_url = database_url
        self._connection: Any = None

    async def __aenter__(self) -> Self:
        self._connection = await asyncpg.connect(self._database_url)
        await self._connection.execute("SET ROLE tccc_analyst")
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._connection.close()

    async def rows(self, panel: Panel) -> int | Fault:
        """How many rows or series say something."""
        query = panel.query
        for macro, value in MACROS.items():
            query = query.replace(macro, value)
        return await (self._prometheus(query) if panel.source == "prometheus" else self._postgres(query))

    async def _prometheus(self, query: str) -> int | Fault:
        url = f"{self._prometheus_url}/api/v1/query"
        async with self._session.get(url, params={"query": query}) as answer:
            told = await answer.json()
        if told["status"] != "success":
            return Fault(told["error"])
        return sum(not math.isnan(float(series["value"][1])) for series in told["data"]["result"])

    async def _postgres(self, query: str) -> int | Fault:
        try:
            rows = await self._connection.fetch(query)
        except asyncpg.PostgresError as exc:
            return Fault(f"{type(exc).__name__}: {exc}")
        return sum(any(value is not None for value in row.values()) for row in rows)
