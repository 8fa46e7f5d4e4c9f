"""Spreads a database over the nodes of a Citus cluster, and brings it back to one.

Both are one transaction, in which writers wait. See docs/decisions/0015-citus.md.
"""

from schemas.errors import OperatorError
from worker import roles
from worker.citus.forms import QUIETLY, adapt, has_citus, is_distributed, read
from worker.database import Connection, connected, translated
from worker.migrate import check, locked

SHARDS = 32
TABLES = ("call", "call_participant", "recording", "voicemail", "chat", "push")


async def distribute(database_url: str, *, shards: int = SHARDS) -> bool:
    """Returns whether there was anything to distribute. May be repeated, and by two at once.

    Raises DatabaseAway, or OperatorError where this is no coordinator of a cluster.
    """
    async with locked(database_url) as connection:
        await _require_cluster(connection)
        await check(connection)
        if await is_distributed(connection):
            return False
        with translated():
            async with connection.transaction():
                await connection.execute(f"{QUIETLY}; SET LOCAL citus.shard_count = {shards:d}")
                await connection.execute(read("tables.sql"))
                await adapt(connection)
        return True


async def gather(database_url: str) -> bool:
    """Bring everything back to the coordinator; returns whether there was anything. May be repeated."""
    async with locked(database_url) as connection:
        await check(connection)
        if not await is_distributed(connection):
            return False
        with translated():
            async with connection.transaction():
                await connection.execute(QUIETLY)
                await connection.execute(read("gather.sql"))
        await roles.grant(connection)
        return True


async def would_move(database_url: str, *, to_citus: bool) -> bool:
    """Whether `distribute` or `gather` would find anything to do; raises what it would."""
    async with connected(database_url) as connection:
        if to_citus:
            await _require_cluster(connection)
        return await is_distributed(connection) is not to_citus


async def _require_cluster(connection: Connection) -> None:
    if not await has_citus(connection):
        raise OperatorError(
            "this database has no Citus: run CREATE EXTENSION citus in it on every node, then citus_add_node"
            " for each on the coordinator (docs/scaling.md)"
        )
    with translated():
        if await connection.fetchval("SELECT groupid FROM pg_dist_local_group") != 0:
            raise OperatorError("this is a data node: TCCC_DATABASE_URL has to name the coordinator")
        if not await connection.fetchval(_DATA_NODES):
            raise OperatorError(
                "the cluster has no data node: run citus_add_node for each on the coordinator"
            )


_DATA_NODES = "SELECT count(*) FROM pg_dist_node WHERE isactive AND shouldhaveshards AND noderole = 'primary'"
