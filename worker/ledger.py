"""Keeps the ledger's day partitions: made ahead, filled from the default one, dropped by age."""

from worker.database import Connection, translated

DAYS_AHEAD = 7


async def maintain(connection: Connection, *, ledger_days: int) -> list[str]:
    """Returns what was done; does nothing where another worker is at it. Raises DatabaseAway.

    The work is a function of the database's: the worker's role owns no table, and may make and drop none.
    """
    with translated():
        done = await connection.fetch("SELECT * FROM tccc.maintain_ledger($1, $2)", ledger_days, DAYS_AHEAD)
    return [record[0] for record in done]
