"""The two forms of what Citus cannot run as it is: the plain one, as migrations made it, and the one beside this file.

Which is in place follows from where the calls are. The plain form is kept in `tccc_private.plain_form`, also that
which a later migration brings: such a migration is written as if there were no Citus.
"""

from importlib import resources

from worker.database import Connection, translated

FORMS = ("answers.sql", "ledger.sql", "masked.sql")
# Many shards are changed one after the other, so that statements of one transaction do not refuse each other; and
# of what is made on this node only, nobody need be told.
QUIETLY = "SET LOCAL citus.multi_shard_modify_mode = 'sequential'; SET LOCAL client_min_messages = 'error'"


async def has_citus(connection: Connection) -> bool:
    """Whether the extension is in this database. Raises DatabaseAway."""
    with translated():
        return bool(await connection.fetchval(_HAS_CITUS))


async def is_distributed(connection: Connection) -> bool:
    """Whether the calls are. Raises DatabaseAway."""
    if not await has_citus(connection):
        return False
    with translated():
        return bool(await connection.fetchval(_IS_DISTRIBUTED))


async def adapt(connection: Connection) -> None:
    """Put the forms for Citus in place; for a transaction. May be repeated."""
    with translated():
        await connection.execute(_KEEP)
        # They run on the coordinator only. What data nodes know of, a later migration could not replace as it likes.
        await connection.execute("SET LOCAL citus.enable_ddl_propagation = off")
        for name in FORMS:
            await connection.execute(read(name))
        await connection.execute("SET LOCAL citus.enable_ddl_propagation = on")
        await connection.execute(_NOTE)


def read(name: str) -> str:
    """The text of one of the files here."""
    return resources.files("worker").joinpath("citus", name).read_text(encoding="utf-8")


_HAS_CITUS = "SELECT EXISTS (SELECT FROM pg_extension WHERE extname = 'citus')"
_IS_DISTRIBUTED = """
SELECT EXISTS (SELECT FROM pg_dist_partition WHERE logicalrelid = to_regclass('tccc.call'))
"""
_CURRENT = """
SELECT s.nspname || '.' || f.proname AS name, pg_get_functiondef(f.oid) AS form
FROM pg_proc AS f JOIN pg_namespace AS s ON s.oid = f.pronamespace
WHERE s.nspname = 'tccc' AND f.proname IN (
    'rolled_calls', 'rolled_agents', 'quarters_anew', 'rollup_reset', 'rollup_start', 'maintain_ledger')
UNION ALL
SELECT s.nspname || '.' || v.relname, format('CREATE OR REPLACE VIEW %I.%I AS %s', s.nspname, v.relname, pg_get_viewdef(v.oid))
FROM pg_class AS v JOIN pg_namespace AS s ON s.oid = v.relnamespace
WHERE v.relkind = 'v' AND (s.nspname = 'tccc_masked' OR (s.nspname, v.relname) = ('tccc', 'call_fact'))
"""
# What is there now and is not what we put there last is a migration's.
_KEEP = f"""
INSERT INTO tccc_private.plain_form AS kept (name, plain) SELECT name, form FROM ({_CURRENT}) AS current
ON CONFLICT (name) DO UPDATE SET plain = excluded.plain WHERE kept.second IS DISTINCT FROM excluded.plain
"""  # noqa: S608 -- our own text
_NOTE = f"""
UPDATE tccc_private.plain_form AS kept SET second = form FROM ({_CURRENT}) AS current WHERE current.name = kept.name
"""  # noqa: S608 -- our own text
