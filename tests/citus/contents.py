"""What the tables hold, in a form in which two databases can be compared."""

import hashlib

import asyncpg

TABLES = ("call", "call_participant", "recording", "voicemail", "chat", "push")


async def digests(url: str) -> dict[str, str]:
    """For each table how many rows it has and a digest of their contents, but for when they were written."""
    connection = await asyncpg.connect(url)
    try:
        return {table: _digest(await connection.fetch(_ROWS.format(table=table))) for table in TABLES}
    finally:
        await connection.close()


def _digest(rows: list[asyncpg.Record]) -> str:
    digest = hashlib.sha256()
    for row in sorted(row[0] for row in rows):
        digest.update(row.encode())
    return f"{digest.hexdigest()[:16]} of {len(rows)}"


_ROWS = "SELECT md5((to_jsonb(t) - 'updated_at' - 'settled_at')::text) FROM tccc.{table} AS t"
