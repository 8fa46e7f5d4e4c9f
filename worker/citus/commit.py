"""Has a transaction commit in two phases, so that it is stored on all nodes or on none.

Citus (14.0, `citus.log_remote_commands`) does so for a transaction that begins with COPY, and for one in which a statement
changes several shards. But after a SELECT, COPY alone is committed node by node: where one is lost meanwhile, the
others keep what they have. So every transaction that stores a batch has such a statement, one that finds nothing.
"""

from worker.database import Connection

# Enough for any number of shards that two of them are hit; no URL has this digest.
_SESSIONS = [f"two phases {n}" for n in range(8)]
_NOTHING = "DELETE FROM tccc.voicemail WHERE session_id = ANY($1) AND record_url_md5 = '-'"


async def commit_in_two_phases(connection: Connection) -> None:
    """For a transaction on Citus; costs the nodes eight look-ups in an index."""
    await connection.execute(_NOTHING, _SESSIONS)
