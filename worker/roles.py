"""Makes the database's roles, as far as the login may, and grants them what `roles.sql` says."""

from importlib import resources

from worker.database import Connection, translated

ROLES = ("tccc_writer", "tccc_reconciler", "tccc_analyst", "tccc_masked")


async def grant(connection: Connection) -> None:
    """Make the roles that are missing, if this login may, and grant what each needs. May be repeated.

    Does nothing where the login does not own the schema: then it cannot grant either. Raises DatabaseAway.
    """
    with translated():
        if await connection.fetchval(_OWNS):
            async with connection.transaction():
                await connection.execute(_grants())


async def missing(connection: Connection) -> list[str]:
    """The roles that are not there: the login that migrated was not allowed to make them."""
    with translated():
        return [record[0] for record in await connection.fetch(_MISSING, list(ROLES))]


def _grants() -> str:
    return resources.files("worker").joinpath("roles.sql").read_text(encoding="utf-8")


_OWNS = """
SELECT pg_has_role(nspowner, 'USAGE') FROM pg_namespace WHERE nspname = 'tccc_private'
"""
_MISSING = "SELECT name FROM unnest($1::text[]) AS name WHERE to_regrole(name) IS NULL"
