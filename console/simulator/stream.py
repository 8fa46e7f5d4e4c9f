"""Sessions one after the other, as many as wanted, and their pushes in the order of time."""

from collections.abc import Iterable, Iterator
from datetime import date
from heapq import heappop, heappush
from itertools import islice

from console.simulator.arrivals import FIRST_DAY, starts
from console.simulator.centre import SDK_APP_ID, build
from console.simulator.dice import Dice
from console.simulator.mix import play
from console.simulator.pushes import Shares, Writer
from console.simulator.regulars import Regulars
from console.simulator.session import Action, Push, Session

SESSIONS_A_DAY = 10_000
QUIRKS_SHARE = 0.01


def simulate(
    sessions: int | None,
    *,
    seed: int,
    first_day: date = FIRST_DAY,
    sessions_a_day: int = SESSIONS_A_DAY,
    sdk_app_id: int = SDK_APP_ID,
    quirks: float = QUIRKS_SHARE,
    corrections: float = 0.0,
    regulars: float = 0.0,
) -> Iterator[Session]:
    """Yield so many sessions (None: without end) in the order of their starts, none of them kept.

    The same arguments make the same sessions, ids and bodies in every process; more sessions with the same
    seed begin with the same ones. Weekends hold fewer than `sessions_a_day`. `quirks` and `corrections` are
    shares of the calls, `regulars` that of the inbound ones whose caller has called before.
    """
    centre = build(Dice(seed, "centre"), sdk_app_id=sdk_app_id, sessions_a_day=sessions_a_day)
    writer = Writer(centre, seed, Shares(quirks=quirks, corrections=corrections))
    dice = Dice(seed, "plays")
    known = Regulars(Dice(seed, "regulars"), regulars)
    times = starts(Dice(seed, "arrivals"), first_day=first_day, sessions_a_day=sessions_a_day)
    for started_s in islice(times, sessions):
        truth = play(dice, centre, started_s)
        known.meet(truth)
        yield Session(truth, writer.pushes(truth))


def only(sessions: Iterable[Session], action: Action) -> Iterator[Session]:
    """Yield the sessions with pushes of this action, without their others."""
    for session in sessions:
        pushes = tuple(push for push in session.pushes if push.action == action)
        if pushes:
            yield Session(session.truth, pushes)


def first_pushes(sessions: Iterable[Session], count: int) -> Iterator[Session]:
    """Yield sessions until they have just so many pushes; the last one may lose some, its `cdr` at the last."""
    for session in sessions:
        if count <= 0:
            return
        if len(session.pushes) > count:
            kept = sorted(session.pushes, key=lambda push: (push.action != "cdr", push.at))[:count]
            session = Session(session.truth, tuple(sorted(kept, key=lambda push: push.at)))  # noqa: PLW2901
        count -= len(session.pushes)
        yield session


def in_order(sessions: Iterable[Session]) -> Iterator[Push]:
    """Yield the pushes of all sessions by their `at`; keeps those of calls that are going on.

    The sessions have to come in the order of their starts: a push never comes before its session's.
    """
    waiting: list[tuple[float, int, Push]] = []
    number = 0
    for session in sessions:
        while waiting and waiting[0][0] <= session.truth.started_s:
            yield heappop(waiting)[2]
        for push in session.pushes:
            number += 1
            heappush(waiting, (push.at, number, push))
    while waiting:
        yield heappop(waiting)[2]
