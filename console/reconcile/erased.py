"""Which sessions of the API are of somebody who was erased: they are not missing, and are not to come back.

The worker would store none of them either (docs/decisions/0007-erasure.md); here they must not count as missing.
"""

from collections.abc import Collection, Mapping

from console.postgres import Questions
from console.reconcile.element import ApiSession
from schemas.phone import as_text, numbers_in


async def erased(
    database: Questions, sessions: Collection[ApiSession], starts: Mapping[str, int]
) -> set[str]:
    """Their ids. A number that was erased counts for calls that began before then (`starts` in µs)."""
    if not sessions:
        return set()
    found = set(await _among(database, "session", {session.session_id for session in sessions}))
    newest = await database.one("SELECT max(erased_at) FROM tccc.erasure WHERE kind = 'number'")
    if newest is not None:
        held = {
            s.session_id: set(numbers_in(as_text(s.body))) for s in sessions if starts[s.session_id] < newest
        }
        numbers = await _among(database, "number", set().union(*held.values()))
        found |= {
            session_id
            for session_id, inside in held.items()
            if any(starts[session_id] < numbers[number] for number in inside & numbers.keys())
        }
    return found


async def _among(database: Questions, kind: str, candidates: set[str]) -> dict[str, int]:
    if not candidates:
        return {}
    rows = await database.all(
        "SELECT candidate, erased_at FROM tccc.erased_among($1, $2)", kind, list(candidates)
    )
    return {candidate: erased_at for candidate, erased_at in rows}  # noqa: C416 -- rows have more than a pair's type
