"""What a run has found so far, kept in the database: interrupted at any moment, it goes on and tells the same."""

import asyncio
from collections import Counter
from collections.abc import Collection
from typing import Literal

from msgspec import Struct

from console.postgres import Questions
from console.reconcile.span import Span
from schemas.errors import OperatorError

Kind = Literal["compare", "repair", "backfill"]
_MICROS = 1_000_000
HOUR_US = 3600 * _MICROS
MAX_NAMED = 1000
# Any number will do, as long as all programs use the same one.
_LOCK = 0x7463_6365
_LOCK_TRIES, _LOCK_WAIT_S = 10, 0.3


class Finding(Struct, frozen=True):
    """`started_at` in µs; `fields` of a differing session only."""

    kind: Literal["missing", "extra", "differing"]
    session_id: str
    started_at: int
    fields: list[str] = []


class Hour(Struct, frozen=True, kw_only=True):
    """`hour` is its start, in µs."""

    hour: int
    matched: int
    missing: int
    extra: int
    differing: int


class Lacking(Struct, frozen=True):
    """`first_us` is when the first of them began; `sessions` are the first MAX_NAMED of them."""

    count: int
    first_us: int | None
    sessions: list[str]


class Run:
    """One at a time for a contact centre. Made by `begin`."""

    def __init__(self, database: Questions, run_id: int, span: Span, done_until_s: int, begun_s: int) -> None:
        self._database = database
        self._run_id = run_id
        self.span = span
        self.done_until_s = done_until_s
        self.begun_s = begun_s

    @classmethod
    async def begin(cls, database: Questions, sdk_app_id: int, kind: Kind, span: Span) -> "Run":
        """Go on with a run of the same kind and start that was interrupted within the last day, or begin one.

        Raises OperatorError if one is under way.
        """
        await _alone(database, sdk_app_id)
        start, end = span.start_s * _MICROS, span.end_s * _MICROS
        await database.all(_FORGET, sdk_app_id, kind, start, end)
        run_id, done_until, begun = (await database.all(_BEGIN, sdk_app_id, kind, start, end))[0]
        return cls(database, run_id, span, done_until // _MICROS, begun // _MICROS)

    async def known_missing(self, session_ids: Collection[str]) -> set[str]:
        """Those of them that this run has noted as missing already."""
        return {row[0] for row in await self._database.all(_KNOWN, self._run_id, list(session_ids))}

    async def note(self, findings: Collection[Finding]) -> None:
        """Noted before they are repaired: killed in between, the run still knows that they were missing."""
        await self._database.all(_NOTE, *self._columns(findings))

    async def done(self, until_s: int, findings: Collection[Finding], matched: Counter[int]) -> None:
        """All at once: a slice is dealt with, or it is not. `matched` counts by hour."""
        hours = sorted(matched)
        await self._database.all(
            _DONE, *self._columns(findings), hours, [matched[hour] for hour in hours], until_s * _MICROS
        )
        self.done_until_s = until_s

    async def drop_what_came(self) -> None:
        """What was missing and has come meanwhile by itself was late, not missing."""
        await self._database.all(_CAME, self._run_id)

    async def lacking(self) -> Lacking:
        """What was missing and has no row now."""
        count, first_us = (await self._database.all(_LACKING, self._run_id))[0]
        sessions = await self._database.all(_LACKING_SESSIONS, self._run_id, MAX_NAMED)
        return Lacking(count, first_us, [row[0] for row in sessions])

    async def hours(self) -> list[Hour]:
        rows = await self._database.all(_HOURS, self._run_id)
        return [Hour(hour=h, matched=m, missing=a, extra=e, differing=d) for h, m, a, e, d in rows]

    async def findings(self, kind: str, limit: int | None = None) -> list[Finding]:
        """In the order of their starts."""
        rows = await self._database.all(_FINDINGS, self._run_id, kind, limit)
        return [Finding(*row) for row in rows]

    async def end(self) -> None:
        """It has reported: nothing of it is needed any more."""
        await self._database.all("DELETE FROM tccc.reconcile_run WHERE run_id = $1", self._run_id)

    def _columns(self, findings: Collection[Finding]) -> tuple[object, ...]:
        return (
            self._run_id,
            [finding.kind for finding in findings],
            [finding.session_id for finding in findings],
            [finding.started_at for finding in findings],
            [",".join(finding.fields) for finding in findings],
        )


async def _alone(database: Questions, sdk_app_id: int) -> None:
    """Hold a lock for as long as the connection lives; one that was killed just now may hold it for a moment."""
    for _ in range(_LOCK_TRIES):
        if await database.one("SELECT pg_try_advisory_lock($1::bigint)", _LOCK ^ sdk_app_id):
            return
        await asyncio.sleep(_LOCK_WAIT_S)
    raise OperatorError(f"another reconcile or backfill of {sdk_app_id} is running")


_FORGET = """
DELETE FROM tccc.reconcile_run WHERE sdk_app_id = $1
AND (updated_at < now() - interval '1 day' OR (kind = $2 AND from_at = $3 AND done_until > $4))
"""
_BEGIN = """
INSERT INTO tccc.reconcile_run (sdk_app_id, kind, from_at, to_at, done_until) VALUES ($1, $2, $3, $4, $3)
ON CONFLICT (sdk_app_id, kind, from_at) DO UPDATE SET to_at = excluded.to_at, updated_at = clock_timestamp()
RETURNING run_id, done_until, started_at
"""
_KNOWN = """
SELECT session_id FROM tccc.reconcile_finding
WHERE run_id = $1 AND kind = 'missing' AND session_id = ANY($2)
"""
_NOTE = """
INSERT INTO tccc.reconcile_finding (run_id, kind, session_id, started_at, fields)
SELECT $1, kind, session_id, started_at, string_to_array(nullif(fields, ''), ',')
FROM unnest($2::text[], $3::text[], $4::timestamptz[], $5::text[]) AS f(kind, session_id, started_at, fields)
ON CONFLICT DO NOTHING
"""
_DONE = f"""
WITH noted AS ({_NOTE}), counted AS (
    INSERT INTO tccc.reconcile_hour AS h (run_id, hour, matched)
    SELECT $1, hour, matched FROM unnest($6::timestamptz[], $7::bigint[]) AS c(hour, matched)
    ON CONFLICT (run_id, hour) DO UPDATE SET matched = h.matched + excluded.matched
)
UPDATE tccc.reconcile_run SET done_until = $8, updated_at = clock_timestamp() WHERE run_id = $1
"""  # noqa: S608 -- our own text
_CAME = """
WITH came AS (
    DELETE FROM tccc.reconcile_finding AS f USING tccc.call AS c
    WHERE f.run_id = $1 AND f.kind = 'missing' AND c.session_id = f.session_id
    RETURNING date_trunc('hour', f.started_at, 'UTC') AS hour
)
INSERT INTO tccc.reconcile_hour AS h (run_id, hour, matched) SELECT $1, hour, count(*) FROM came GROUP BY hour
ON CONFLICT (run_id, hour) DO UPDATE SET matched = h.matched + excluded.matched
"""
_WITHOUT_ROW = """
WITH noted AS MATERIALIZED (
    SELECT session_id, started_at FROM tccc.reconcile_finding WHERE run_id = $1 AND kind = 'missing'
), here AS MATERIALIZED (
    SELECT session_id FROM tccc.call WHERE session_id IN (SELECT session_id FROM noted)
), lacking AS (
    SELECT session_id, started_at FROM noted WHERE session_id NOT IN (SELECT session_id FROM here)
)
"""
_LACKING = f"{_WITHOUT_ROW} SELECT count(*), min(started_at) FROM lacking"  # noqa: S608 -- our own text
_LACKING_SESSIONS = f"{_WITHOUT_ROW} SELECT session_id FROM lacking ORDER BY started_at, session_id LIMIT $2"  # noqa: S608 -- our own text
_HOURS = """
SELECT hour, sum(matched)::bigint, sum(missing)::bigint, sum(extra)::bigint, sum(differing)::bigint FROM (
    SELECT hour, matched, 0 AS missing, 0 AS extra, 0 AS differing FROM tccc.reconcile_hour WHERE run_id = $1
    UNION ALL
    SELECT date_trunc('hour', started_at, 'UTC'), 0, (kind = 'missing')::int, (kind = 'extra')::int,
           (kind = 'differing')::int
    FROM tccc.reconcile_finding WHERE run_id = $1
) AS counted GROUP BY hour ORDER BY hour
"""
_FINDINGS = """
SELECT kind, session_id, started_at, coalesce(fields, '{}') FROM tccc.reconcile_finding
WHERE run_id = $1 AND kind = $2 ORDER BY started_at, session_id LIMIT $3
"""
