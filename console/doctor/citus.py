"""The nodes of a Citus cluster, where the database is spread over several."""

from console.doctor.finding import Finding, fail, ok
from worker.citus.forms import is_distributed
from worker.database import Connection


async def nodes(connection: Connection) -> list[Finding]:
    """Empty where nothing is distributed."""
    if not await is_distributed(connection):
        return []
    found = await connection.fetch(_NODES)
    away = [f"{row['name']}:{row['port']}" for row in found if not row["answers"]]
    if away:
        remedy = (
            "Start it, or replace it (deploy/RUNBOOK.md, Lose a Citus node). Until then nothing is stored whose"
            " session lies there; nothing is lost, Kafka keeps what comes."
        )
        return [fail("Citus", f"the coordinator does not reach {', '.join(away)}", remedy)]
    return [ok("Citus", f"{len(found)} data nodes answer")]


_NODES = """
SELECT nodename AS name, nodeport AS port, isactive AND coalesce(bool_and(result), false) AS answers
FROM pg_dist_node LEFT JOIN citus_check_cluster_node_health() ON to_nodename = nodename AND to_nodeport = nodeport
WHERE shouldhaveshards GROUP BY nodename, nodeport, isactive ORDER BY nodename, nodeport
"""
