"""Finds and removes a subject's rows, and makes the ledger's anonymous; every step may be repeated."""

import asyncio
from collections.abc import AsyncIterator, Collection, Iterator, Sequence

import msgspec

from console.blocks import blocks_of
from console.erase.subject import Subject
from console.postgres import Questions
from console.progress import Say
from schemas import rows
from schemas.errors import DatabaseAway
from schemas.phone import NOT_OF_PERSONS
from schemas.rows import TABLES
from worker.batch import ERASED
from worker.database import Conflict

_BLOCKS = 2000
_MOST_REFRESHES = 1000
_TRIES = 10
_RETRY_S = 0.5
# Ids of the vendor's, in which digits are no number.
_NOT_SEARCHED = frozenset({"session_id", "record_id", "record_url_md5", "agent_staff_number"})
_AS_SENT = frozenset({"extra", "repairs"})
_ROWS: dict[str, type[rows.Row]] = {table.name: table.row for table in TABLES.values()} | {
    "call_participant": rows.CallParticipant
}
# In the worker's order, so that the two do not deadlock.
_SEARCHED = ("call", "call_participant", "recording", "voicemail", "chat")
ERASED_FROM = (*_SEARCHED, "reconcile_finding")


async def sessions_with(database: Questions, subject: Subject, say: Say) -> AsyncIterator[str]:
    """The sessions of all rows that hold the number, as of one moment; reads the tables whole."""
    async with database.transaction("repeatable_read"):
        # On Citus a moment is one connection's: one to each node. Elsewhere this says nothing.
        await database.all("SET LOCAL citus.max_adaptive_executor_pool_size = 1")
        for table in _SEARCHED:
            blocks = await blocks_of(database, table)
            for first in range(0, blocks + 1, _BLOCKS):
                say(f"erase: reading {table}, {first:,} of {blocks:,} blocks")
                for row in await database.all(_search(table, first), subject.pattern, NOT_OF_PERSONS):
                    yield row[0]


async def counted(database: Questions, sessions: Collection[str]) -> dict[str, int]:
    """How many rows there are of these sessions, by table."""
    counts = dict.fromkeys((*ERASED_FROM, "push"), 0)
    for some in _some(sessions):
        for table in counts:
            query = f"SELECT count(*) FROM tccc.{table} WHERE session_id = ANY($1)"  # noqa: S608 -- our own names
            counts[table] += await database.one(query, some)
    return counts


async def remember(database: Questions, kind: str, identities: Sequence[str]) -> None:
    """From here on workers store nothing of them; waits for the batches that they are in the middle of."""
    for attempt in range(1, _TRIES + 1):
        try:
            async with database.transaction():
                await database.all("SET LOCAL lock_timeout = '5s'")
                await database.all("LOCK TABLE tccc.erasure IN ACCESS EXCLUSIVE MODE")
                await database.all(_REMEMBER, kind, identities)
        except DatabaseAway as exc:
            if attempt == _TRIES or getattr(exc.__cause__, "sqlstate", None) != "55P03":
                raise
            await asyncio.sleep(_RETRY_S)  # those who waited behind us go first
        else:
            return


async def remove(database: Questions, sessions: Collection[str], say: Say) -> dict[str, int]:
    """Remove the rows of these sessions; how many, by table (`push`: made anonymous, not removed)."""
    removed = dict.fromkeys((*ERASED_FROM, "push"), 0)
    done = 0
    for some in _some(sessions):
        await remember(database, "session", some)
        for table, count in (await _remove_some(database, some)).items():
            removed[table] += count
        done += len(some)
        say(f"erase: {done:,} of {len(sessions):,} sessions")
    return removed


async def refresh_answers(database: Questions, say: Say) -> None:
    """Work the answers out anew where rows were removed: agents and sessions stand in them too."""
    for _ in range(_MOST_REFRESHES):  # whoever else is at it goes on with the rest
        say("erase: working out answers anew")
        if not await database.one("SELECT tccc.rollup_refresh()"):
            return


async def _remove_some(database: Questions, sessions: Sequence[str]) -> dict[str, int]:
    for _ in range(_TRIES):
        try:
            async with database.transaction():
                gone = {table: await database.one(_delete(table), sessions) for table in ERASED_FROM}
                await database.all(_FORGET_LETTERS, sessions, ERASED)
                return gone | {"push": await database.one(_ANONYMISE, sessions, ERASED)}
        except Conflict as exc:
            conflict = exc
            await asyncio.sleep(_RETRY_S)
    raise conflict


def _some(sessions: Collection[str]) -> Iterator[list[str]]:
    ordered = sorted(sessions)
    for start in range(0, len(ordered), 500):
        yield ordered[start : start + 500]


def _search(table: str, first: int) -> str:
    columns = [
        rf"regexp_replace({field.name}::text, $2, '\1', 'g')"
        if field.name in _AS_SENT
        else f"{field.name}::text"
        for field in msgspec.structs.fields(_ROWS[table])
        if field.type in (str, str | None) and field.name not in _NOT_SEARCHED
    ]
    return (
        f"SELECT DISTINCT session_id FROM tccc.{table}"  # noqa: S608 -- our own names
        f" WHERE ctid >= '({first},0)' AND ctid < '({first + _BLOCKS},0)'"
        f" AND concat_ws(E'\\n', {', '.join(columns)}) ~ $1"
    )


def _delete(table: str) -> str:
    return (
        f"WITH gone AS (DELETE FROM tccc.{table} WHERE session_id = ANY($1) RETURNING 1)"  # noqa: S608 -- our own names
        " SELECT count(*) FROM gone"
    )


_REMEMBER = """
INSERT INTO tccc.erasure (identity, kind)
SELECT tccc_private.keyed_hash($1 || ':' || subject, k.inner_pad, k.outer_pad), $1
FROM unnest($2::text[]) AS subject, tccc_private.hash_key k WHERE k.purpose = 'erasure'
ON CONFLICT (identity) DO UPDATE SET erased_at = excluded.erased_at
"""
_FORGET_LETTERS = """
UPDATE tccc.dead_state SET push_id = $2
WHERE push_id IN (SELECT push_id FROM tccc.push WHERE session_id = ANY($1) AND push_id <> $2)
"""
# Not UPDATE: by its session a row of the ledger lies on one node or another, where there are several.
_ANONYMISE = """
WITH gone AS (DELETE FROM tccc.push WHERE session_id = ANY($1) RETURNING *), anonymous AS (
    INSERT INTO tccc.push
        (push_id, action, session_id, received_at, kafka_partition, kafka_offset, outcome, settled_at)
    SELECT $2, action, '', received_at, kafka_partition, kafka_offset, outcome, settled_at FROM gone
    RETURNING 1
)
SELECT count(*) FROM anonymous
"""
