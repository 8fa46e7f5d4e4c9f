"""Which reports there are: what each asks, and what of it is shown to people."""

from msgspec import Struct


class Kind(Struct, frozen=True, kw_only=True):
    """`days` is the span if none is asked for, today included. `shown` are the columns for people, in order."""

    title: str
    days: int
    bucket: str
    dimension: str
    name: str  # the column that names a row
    volume: str  # the column drawn as bars
    part: str  # that of it which was answered
    shown: tuple[str, ...]


_CALLS = (
    *("offered", "answered", "abandoned", "service_level", "wait_avg_s", "wait_p90_s", "talk_avg_s"),
    *("handle_avg_s", "transfer_rate", "short_calls", "repeated", "rating_avg", "recordings_missing"),
)
_BY_TIME = ("abandoned_ivr", "out_of_hours", "voicemail", "outbound_answered", "outbound_unanswered")
_TRACKS = (
    *("offered", "answered", "missed", "service_level", "ring_avg_s", "ring_p90_s", "outbound_answered"),
    *("talk_s", "handle_avg_s", "gave_away", "took_over", "short_calls", "rating_avg", "recordings_missing"),
)


def _by_time(title: str, days: int, bucket: str) -> Kind:
    return Kind(
        title=title,
        days=days,
        bucket=bucket,
        dimension="all",
        name="local_time",
        volume="offered",
        part="answered",
        shown=(*_CALLS, *_BY_TIME),
    )


def _by(title: str, dimension: str) -> Kind:
    return Kind(
        title=title,
        days=1,
        bucket="all",
        dimension=dimension,
        name="key",
        volume="offered",
        part="answered",
        shown=_CALLS,
    )


KINDS = {
    "day": _by_time("Calls by hour", 1, "hour"),
    "week": _by_time("Calls by day", 7, "day"),
    "queue": _by("Calls by skill group", "skill_group"),
    "number": _by("Calls by number", "number"),
    "region": _by("Calls by region", "region"),
    "agent": Kind(
        title="Agents",
        days=1,
        bucket="all",
        dimension="agent",
        name="agent",
        volume="offered",
        part="answered",
        shown=_TRACKS,
    ),
}
