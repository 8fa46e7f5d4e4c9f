"""Makes the database's roles, as far as the login may, and grants them what `roles.sql` says."""

from importlib import resources

from worker.citus.forms import has_citus
from worker.database import Connection, translated

ROLES = ("tccc_writer", "tccc_reconciler", "tccc_analyst", "tccc_masked")


async def grant(connection: Connection) -> None:
    """Make the roles that are missing, if this login may, and grant what each needs. May be repeated.

    Does nothing where the login does not own the schema: then it cannot grant either. Raises DatabaseAway.
    """
    with translated():
        if await owns(connection):
            async with connection.transaction():
                if await has_citus(connection):
                    await connection.fetch(_ON_NODES, list(ROLES))
                await connection.execute(_grants())


async def owns(connection: Connection) -> bool:
    """Whether this login owns the schema."""
    with translated():
        return bool(await connection.fetchval(_OWNS))


async def missing(connection: Connection) -> list[str]:
    """The roles that are not there: the login that migrated was not allowed to make them."""
    with translated():
        return [record[0] for record in await connection.fetch(_MISSING, list(ROLES))]


def _grants() -> str:
    return resources.files("worker").joinpath("roles.sql").read_text(encoding="utf-8")


_OWNS = """
SELECT pg_has_role(nspowner, 'USAGE') FROM pg_namespace WHERE nspname = 'tccc_private'
"""
# Those that were there before Citus are on the coordinator only: it passes on what is made from then on.
_ON_NODES = """
SELECT run_command_on_workers(format($$
    DO $make$ BEGIN
        IF to_regrole(%1$L) IS NULL THEN
            SET LOCAL citus.enable_ddl_propagation = off;
            CREATE ROLE %1$I NOLOGIN;
        END IF;
    END $make$
$$, name)) FROM unnest($1::text[]) AS name WHERE to_regrole(name) IS NOT NULL
"""
_MISSING = "SELECT name FROM unnest($1::text[]) AS name WHERE to_regrole(name) IS NULL"
