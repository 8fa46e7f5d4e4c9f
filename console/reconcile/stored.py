"""The sessions of a slice as the database has them."""

from collections.abc import Collection, Iterable
from typing import Any, TypeVar

from msgspec import Struct

from console.postgres import Questions
from console.reconcile.span import Span
from schemas.rows import EPOCH_US, Call, CallParticipant

R = TypeVar("R", Call, CallParticipant)


class StoredSession(Struct, frozen=True):
    call: Call
    participants: list[CallParticipant]


async def stored_ids(database: Questions, session_ids: Collection[str]) -> set[str]:
    """Those of them that have a row."""
    query = "SELECT session_id FROM tccc.call WHERE session_id = ANY($1)"
    return {row[0] for row in await database.all(query, list(session_ids))}


async def stored_sessions(database: Questions, session_ids: Collection[str]) -> dict[str, StoredSession]:
    """Those of them that have a row, with their participants."""
    wanted = list(session_ids)
    found = {row[0]: StoredSession(_read(Call, row), []) for row in await database.all(_CALLS, wanted)}
    for row in await database.all(_PARTICIPANTS, wanted):
        if row[0] in found:
            found[row[0]].participants.append(_read(CallParticipant, row))
    return found


def _read(kind: type[R], record: Iterable[Any]) -> R:
    """Rows hold times as Postgres counts them; this connection reads them as µs since 1970."""
    return kind(
        *(
            value - EPOCH_US if name.endswith("_at") and value is not None else value
            for name, value in zip(kind.__struct_fields__, record, strict=True)
        )
    )


async def began_within(database: Questions, sdk_app_id: int, span: Span) -> dict[str, int]:
    """Sessions whose row says that they began in the span, and when (µs)."""
    bounds = (span.start_s * 1_000_000, span.end_s * 1_000_000)
    return {row[0]: row[1] for row in await database.all(_WITHIN, sdk_app_id, *bounds)}


_CALLS = f"SELECT {', '.join(Call.__struct_fields__)} FROM tccc.call WHERE session_id = ANY($1)"  # noqa: S608 -- ours
_PARTICIPANTS = f"""
SELECT {", ".join(CallParticipant.__struct_fields__)} FROM tccc.call_participant WHERE session_id = ANY($1)
"""  # noqa: S608 -- our own names
_WITHIN = """
SELECT session_id, started_at FROM tccc.call
WHERE sdk_app_id = $1 AND started_at >= $2 AND started_at < $3
"""
