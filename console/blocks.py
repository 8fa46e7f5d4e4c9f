"""Reading a large table in pieces, by the blocks in which its rows lie."""

from console.postgres import Questions


async def blocks_of(database: Questions, table: str) -> int:
    """How many blocks a table of the schema `tccc` has; of a distributed one at least as many as its largest shard.

    A condition on `ctid` then means the same blocks of every shard.
    """
    if await database.one("SELECT to_regclass('pg_catalog.citus_shards') IS NULL"):
        return int(await database.one(_SIZE, f"tccc.{table}"))
    return int(await database.one(_LARGEST_SHARD, f"tccc.{table}"))


_SIZE = "SELECT pg_relation_size(to_regclass($1::text)) / current_setting('block_size')::bigint"
_LARGEST_SHARD = """
SELECT greatest(pg_relation_size(to_regclass($1::text)), (
    SELECT max(shard_size) FROM citus_shards WHERE table_name = to_regclass($1::text)
)) / current_setting('block_size')::bigint
"""
