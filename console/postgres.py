"""Postgres as the console asks it: one connection, every statement with a deadline."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any, Literal

from console.visits.database import told
from schemas.errors import OperatorError
from worker import migrate
from worker.database import Connection, Refused, connected, translated

STATEMENT_TIMEOUT_S = 60.0

Answer = tuple[Any, ...]
Isolation = Literal["read_committed", "repeatable_read"]


class Questions:
    """Times in answers are µs since the epoch. Raises DatabaseAway. Made by `open_database`."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    async def all(self, query: str, *values: Any) -> list[Answer]:
        try:
            with translated():
                async with asyncio.timeout(STATEMENT_TIMEOUT_S):
                    return [tuple(row) for row in await self._connection.fetch(query, *values)]
        except Refused as exc:
            raise OperatorError(f"the database refuses a statement: {exc}") from exc

    @asynccontextmanager
    async def transaction(self, isolation: Isolation = "read_committed") -> AsyncIterator[None]:
        """What is asked in the block is done whole or not at all."""
        with translated():
            async with self._connection.transaction(isolation=isolation):
                yield

    async def one(self, query: str, *values: Any) -> Any:
        """The first column of the first row, None if there is no row."""
        answers = await self.all(query, *values)
        return answers[0][0] if answers else None


@asynccontextmanager
async def open_database(url: str) -> AsyncIterator[Questions]:
    """Raises DatabaseAway, or OperatorError if its schema and this program do not go together."""
    with told(url, deadline_s=STATEMENT_TIMEOUT_S):
        async with connected(url) as connection:
            async with asyncio.timeout(STATEMENT_TIMEOUT_S):
                await migrate.check(connection)
            yield Questions(connection)
