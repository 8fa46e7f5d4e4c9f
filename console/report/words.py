"""Cells for people: times as their clocks had them, shares in per cent, seconds as minutes."""

from decimal import Decimal
from typing import Any

from console.report.question import Answer, Row

NONE = "—"


def heading(column: str) -> str:
    return column.removesuffix("_s").replace("_", " ")


def name_of(answer: Answer, row: Row) -> str:
    """What a row is about."""
    kind = answer.question.kind
    if kind.name == "local_time":
        at = row["local_time"]
        return f"{at:%a %d %b}" if kind.bucket == "day" else f"{at:%H:%M}"
    said = row.get("label") or row[kind.name]
    return NONE if said is None else str(said)


def cell(column: str, value: Any) -> str:
    if value is None:
        return NONE
    if column in {"service_level", "abandon_rate", "transfer_rate"}:
        return f"{value:.1%}"
    if column.endswith("_s"):
        return clock(value)
    return f"{value:.2f}" if isinstance(value, Decimal) else f"{value:,}"


def clock(seconds: Decimal | int) -> str:
    """Seconds as m:ss, from an hour on as h:mm:ss."""
    whole = round(seconds)
    minutes, rest = divmod(whole, 60)
    return f"{minutes}:{rest:02d}" if minutes < 60 else f"{minutes // 60}:{minutes % 60:02d}:{rest:02d}"


def subtitle(answer: Answer) -> str:
    asked = answer.question
    app = "" if asked.app is None else f", SdkAppId {asked.app}"
    ends = f"{asked.since:%Y-%m-%d %H:%M} to {asked.until:%Y-%m-%d %H:%M}"
    return f"{ends}, {asked.tz}; service level within {asked.within_s} s{app}"
