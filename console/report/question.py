"""What is asked, in words and times, and the answer as rows: one visit to the database."""

from datetime import datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from msgspec import Struct

from console.postgres import open_database
from console.report.kinds import Kind

Row = dict[str, Any]


class Question(Struct, frozen=True, kw_only=True):
    """`since` is in, `until` is not; both know their zone."""

    kind: Kind
    since: datetime
    until: datetime
    tz: str
    within_s: int
    app: int | None


class Answer(Struct, frozen=True):
    """`rows` have all columns of the function asked, in its order."""

    question: Question
    columns: tuple[str, ...]
    rows: list[Row]


def span(
    kind: Kind, zone: ZoneInfo, since: datetime | None, until: datetime | None
) -> tuple[datetime, datetime]:
    """The span asked for; where an end is left out, whole days of the zone, today the last."""
    until = until or _midnight(
        datetime.now(zone) if since is None else since + timedelta(days=kind.days - 1), zone
    )
    return since or _shifted(until, -kind.days, zone), until


async def ask(url: str, question: Question) -> Answer:
    """Raises DatabaseAway or OperatorError."""
    kind = question.kind
    times = [round(at.timestamp() * 1_000_000) for at in (question.since, question.until)]
    of_agents = kind.dimension == "agent"
    async with open_database(url) as database:
        named = await database.all(_COLUMNS, "tccc.agent_answer" if of_agents else "tccc.call_answer")
        asked = (*times, question.tz, kind.bucket)
        if of_agents:
            found = await database.all(_AGENTS, *asked, question.within_s, question.app)
        else:
            found = await database.all(_CALLS, *asked, kind.dimension, question.within_s, question.app)
    columns = tuple(str(name[0]) for name in named)
    return Answer(question, columns, [dict(zip(columns, row, strict=True)) for row in found])


def _midnight(at: datetime, zone: ZoneInfo) -> datetime:
    """The end of a time's day."""
    local = at.astimezone(zone).replace(hour=0, minute=0, second=0, microsecond=0)
    return _shifted(local, 1, zone)


def _shifted(at: datetime, days: int, zone: ZoneInfo) -> datetime:
    """By the clocks of the zone: a day may have 23 or 25 hours."""
    return (at.astimezone(zone).replace(tzinfo=None) + timedelta(days=days)).replace(tzinfo=zone)


_COLUMNS = """
SELECT attname FROM pg_attribute WHERE attrelid = to_regclass($1) AND attnum > 0 AND NOT attisdropped ORDER BY attnum
"""
_CALLS = "SELECT * FROM tccc.call_answers($1, $2, $3, $4, $5, $6, $7)"
_AGENTS = "SELECT * FROM tccc.agent_answers($1, $2, $3, $4, $5, $6)"
