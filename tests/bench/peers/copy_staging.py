"""A quick worker without a ledger: COPY into staging tables, INSERT … ON CONFLICT from there."""

from asyncpg import Connection

from tests.bench.peers.consuming import run
from tests.bench.peers.flat import TABLES, rows

BATCH_RECORDS = 2000


async def prepare(connection: Connection) -> None:
    for table in TABLES:
        await connection.execute(table.staging_ddl())


async def store(connection: Connection, values: list[bytes]) -> None:
    async with connection.transaction():
        for table, records in zip(TABLES, rows(values), strict=True):
            await connection.copy_records_to_table(
                f"staged_{table.name}", records=records, columns=list(table.columns)
            )
            await connection.execute(table.merge())


run(store, batch=BATCH_RECORDS, prepare=prepare)
