"""The signed-off watermark: up to when a contact centre's table is known to be complete."""

from console.postgres import Questions
from console.reconcile.span import Span

_MICROS = 1_000_000


async def sign_off(database: Questions, sdk_app_id: int, span: Span, until_s: int) -> None:
    """Of this span, all before `until_s` is complete.

    What does not touch the span that was signed off before leaves it as it is: between the two nothing is
    known. If something is missing within it, it is taken back to there.
    """
    start, until = span.start_s * _MICROS, until_s * _MICROS
    await database.all(_SIGN_OFF, sdk_app_id, start, until, span.end_s * _MICROS)


async def signed_off_until(database: Questions, sdk_app_id: int) -> int | None:
    """In µs; None if nothing is."""
    query = (
        "SELECT complete_until FROM tccc.reconciled WHERE sdk_app_id = $1 AND complete_until > complete_from"
    )
    until: int | None = await database.one(query, sdk_app_id)
    return until


_SIGN_OFF = """
INSERT INTO tccc.reconciled AS r (sdk_app_id, complete_from, complete_until) VALUES ($1, $2, $3)
ON CONFLICT (sdk_app_id) DO UPDATE SET
    complete_from = CASE
        WHEN r.complete_from = r.complete_until THEN $2
        WHEN $2 < r.complete_from AND $3 >= r.complete_from THEN $2 ELSE r.complete_from
    END,
    complete_until = CASE
        WHEN r.complete_from = r.complete_until THEN $3
        WHEN $2 > r.complete_until THEN r.complete_until
        WHEN $3 < least($4, r.complete_until) THEN greatest($3, r.complete_from)
        WHEN $3 >= r.complete_from THEN greatest($3, r.complete_until)
        ELSE r.complete_until
    END,
    checked_at = clock_timestamp()
"""
