"""When sessions begin: the curve of a day, workdays and weekends, and the hours the centre is open."""

from bisect import bisect_right
from collections.abc import Iterator
from datetime import date, datetime, timedelta, timezone
from itertools import accumulate, count

from console.simulator.dice import Dice

CHINA = timezone(timedelta(hours=8))
FIRST_DAY = date(2026, 3, 4)  # a Wednesday; fixed, so that a seed alone says what is made
OPENS_H, CLOSES_H = 8, 21
WEEKEND_SHARE = 0.45  # of a workday's sessions

_HOUR_S = 3600
_CHINA_AHEAD_S = 8 * _HOUR_S
# Sessions that begin in each hour of the day, in any unit.
_CURVE = (2, 1, 1, 1, 1, 3, 8, 25, 70, 115, 120, 100, 60, 75, 110, 112, 105, 90, 55, 45, 38, 15, 8, 4)
_CUMULATIVE = (0, *accumulate(_CURVE))


def starts(dice: Dice, *, first_day: date, sessions_a_day: int) -> Iterator[int]:
    """Yield the start of each session, without end, never going back; seconds since the epoch."""
    for ahead in count():
        day = first_day + timedelta(days=ahead)
        midnight_s = int(datetime(day.year, day.month, day.day, tzinfo=CHINA).timestamp())
        sessions = sessions_a_day if day.weekday() < 5 else max(1, int(sessions_a_day * WEEKEND_SHARE))
        for number in range(sessions):
            # One draw in each of equal shares of the day: in order without sorting, so without keeping a day.
            yield midnight_s + _second((number + dice.random()) / sessions)


def is_open(at_s: int) -> bool:
    hour = (at_s + _CHINA_AHEAD_S) // _HOUR_S % 24
    return OPENS_H <= hour < CLOSES_H


def _second(share: float) -> int:
    """Return the second of the day by which this share of its sessions has begun."""
    target = share * _CUMULATIVE[-1]
    hour = bisect_right(_CUMULATIVE, target) - 1
    return int((hour + (target - _CUMULATIVE[hour]) / _CURVE[hour]) * _HOUR_S)
