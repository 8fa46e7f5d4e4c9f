"""The database's health: reachable, migrated, writable, durable, in step with the clock here."""

import time
from datetime import UTC, datetime, timedelta

from console.doctor.citus import nodes
from console.doctor.finding import Finding, fail, ok, warn
from console.visits.database import visiting, where
from schemas.errors import DatabaseAway, OperatorError, SchemaMismatch, SettingsError
from schemas.settings import Settings
from worker import migrate
from worker.database import Connection
from worker.migrate import schema_version

_TABLES = ("call", "call_participant", "recording", "voicemail", "chat", "push")
_PRIVILEGES = ("SELECT", "INSERT", "UPDATE", "DELETE")
_SKEW_WARN_S = 1.0

# As worker/roles.sql grants them to tccc_writer: of reading and changing, some columns are enough.
_MISSING_PRIVILEGES = """
SELECT format('%s on tccc.%s', privilege, relation)
FROM unnest($1::text[]) AS relation, unnest($2::text[]) AS privilege
WHERE NOT CASE privilege
    WHEN 'SELECT' THEN has_any_column_privilege('tccc.' || relation, privilege)
    WHEN 'UPDATE' THEN relation IN ('push', 'call_participant') OR has_any_column_privilege('tccc.' || relation, privilege)
    WHEN 'DELETE' THEN relation = 'push' OR has_table_privilege('tccc.' || relation, privilege)
    ELSE has_table_privilege('tccc.' || relation, privilege) END
UNION ALL SELECT 'EXECUTE on ' || function FROM unnest(ARRAY[
    'tccc.maintain_ledger(integer, integer)', 'tccc.erased_among(text, text[])']) AS function
WHERE NOT has_function_privilege(function, 'EXECUTE')
"""


async def examine(settings: Settings) -> list[Finding]:
    """From the outside in: what lies behind a thing that is broken is not looked at."""
    if not settings.database_url:
        remedy = "A worker needs it: postgresql://USER:PASSWORD@HOST:PORT/DATABASE. A receiver does not."
        return [fail("Postgres", "TCCC_DATABASE_URL is not set", remedy)]
    try:
        async with visiting(settings) as connection:
            return [
                ok("Postgres", f"connected to {where(settings.database_url)}"),
                *await _inside(connection),
            ]
    except SettingsError as exc:
        return [fail("Postgres", str(exc), "Correct TCCC_DATABASE_URL.")]
    except DatabaseAway as exc:
        remedy = "Start it, or correct TCCC_DATABASE_URL. Nothing is lost meanwhile: Kafka keeps what comes."
        return [fail("Postgres", str(exc), remedy)]
    except OperatorError as exc:
        return [fail("Postgres", str(exc), "Correct TCCC_DATABASE_URL, or create the user and database.")]


async def _inside(connection: Connection) -> list[Finding]:
    findings = [await _durability(connection), await _clock(connection)]
    schema = await _schema(connection)
    if schema.state == "fail":
        return [*findings, schema]
    findings += [schema, await _writable(connection), await _ledger(connection)]
    return [*findings, *await nodes(connection)]


async def _schema(connection: Connection) -> Finding:
    check, version = "schema", await schema_version(connection)
    if version == 0:
        return fail(check, "the database has not been migrated", "Run 'tccc migrate'.")
    try:
        await migrate.check(connection)
    except SchemaMismatch as exc:
        newest = migrate.migrations()[-1].version
        remedy = "Run 'tccc migrate'." if version < newest else "Install the newer tccc-ingest here."
        return fail(check, str(exc), remedy)
    return ok(check, f"version {version}")


async def _durability(connection: Connection) -> Finding:
    names = ("fsync", "full_page_writes", "synchronous_commit")
    off = [name for name in names if await connection.fetchval("SELECT current_setting($1)", name) == "off"]
    if off:
        remedy = "A crash of its machine may lose rows that Kafka takes for stored: turn them on."
        return warn("durability", f"{', '.join(off)} off", remedy)
    return ok("durability", "fsync, full_page_writes and synchronous_commit are on")


async def _clock(connection: Connection) -> Finding:
    before_s = time.time()
    theirs_us = await connection.fetchval("SELECT clock_timestamp()")
    after_s = time.time()
    skew_s = theirs_us / 1e6 - (before_s + after_s) / 2
    if abs(skew_s) - (after_s - before_s) / 2 > _SKEW_WARN_S:
        remedy = "Run NTP on both: the clocks of receivers decide which of two pushes is the later."
        return warn("clock", f"the database's is {skew_s:+.1f} s from the one here", remedy)
    return ok("clock", "the database's and the one here agree")


async def _writable(connection: Connection) -> Finding:
    check = "privileges"
    if await connection.fetchval(
        "SELECT pg_is_in_recovery() OR current_setting('transaction_read_only')::bool"
    ):
        return fail(
            check, "the database is read-only", "Is it a standby? Point TCCC_DATABASE_URL at the primary."
        )
    missing = [row[0] for row in await connection.fetch(_MISSING_PRIVILEGES, _TABLES, _PRIVILEGES)]
    if missing:
        remedy = "Run 'tccc migrate' as the owner, then GRANT tccc_writer to the user of TCCC_DATABASE_URL."
        return fail(check, f"a worker would miss {', '.join(missing)}", remedy)
    return ok(check, "a worker may do all it has to")


async def _ledger(connection: Connection) -> Finding:
    tomorrow = datetime.now(UTC).date() + timedelta(days=1)
    made = await connection.fetchval(f"SELECT to_regclass('tccc.push_{tomorrow:%Y%m%d}')")
    if made is None:
        remedy = "A worker makes them when it starts, and each hour: see its log for 'ledger not maintained'."
        return warn("ledger", "no partition is made for tomorrow", remedy)
    return ok("ledger", "partitions are made ahead")
