"""Times as operators type and read them: ISO 8601, UTC where nothing else is said."""

from datetime import UTC, datetime, timedelta

import click

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def iso_time(text: str) -> int:
    """An option's value as µs since the epoch."""
    try:
        at = datetime.fromisoformat(text)
    except ValueError:
        at = None
    if at is None or (us := _micros(at)) < 0:
        raise click.BadParameter(f"{text!r} is not a time in ISO 8601, such as 2025-03-01T09:30:00+08:00")
    return us


def iso(us: int | None) -> str | None:
    """For people and programs alike; None stays None."""
    return None if us is None else (_EPOCH + timedelta(microseconds=us)).isoformat().replace("+00:00", "Z")


def _micros(at: datetime) -> int:
    return ((at if at.tzinfo else at.replace(tzinfo=UTC)) - _EPOCH) // timedelta(microseconds=1)
