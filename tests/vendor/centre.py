"""A simulated contact centre for tests of reconciling: what its API knows, and what of it was pushed."""

import time
from collections.abc import Collection, Iterable, Iterator, Sequence
from datetime import UTC, datetime, timedelta

from console.fake_vendor.signature import SECRET_ID, SECRET_KEY
from console.simulator import Session, simulate
from console.simulator.centre import SDK_APP_ID
from console.simulator.dice import Dice
from console.times import iso
from schemas.decoding import without_trailing_commas
from schemas.envelope import push_headers
from schemas.settings import Settings
from tests.pipeline import Sent
from tests.processes import environment

DAYS_AGO = 3


def recent_sessions(
    count: int | None, *, seed: int, sessions_a_day: int | None = None, days_ago: int = DAYS_AGO
) -> Iterator[Session]:
    """Sessions of a day that the API still tells of."""
    day = datetime.now(UTC).date() - timedelta(days=days_ago)
    return simulate(
        count, seed=seed, first_day=day, sessions_a_day=sessions_a_day or count or 1, corrections=0.01
    )


def span_of(sessions: Sequence[Session]) -> tuple[str, str]:
    """From the hour of the first to the hour after the last, as --from and --to take them."""
    first, last = sessions[0].truth.started_s // 3600, sessions[-1].truth.started_s // 3600 + 1
    return str(iso(first * 3_600_000_000)), str(iso(last * 3_600_000_000))


def calls(sessions: Iterable[Session]) -> list[str]:
    return [session.truth.session_id for session in sessions if not session.truth.is_chat]


def withheld(session_ids: Sequence[str], share: float, seed: int) -> set[str]:
    """At least one."""
    dice = Dice(seed, "withheld")
    return {sid for sid in session_ids if dice.chance(share)} or {session_ids[0]}


def sent(sessions: Iterable[Session], but: Collection[str] = ()) -> Iterator[Sent]:
    """Their pushes as the receiver publishes them; of those withheld no `cdr`."""
    for session in sessions:
        for push in session.pushes:
            if push.action == "cdr" and push.session_id in but:
                continue
            headers = push_headers(
                push.action.encode(), b"1", push.push_id.encode(), int(push.at * 1_000_000)
            )
            yield push.session_id, headers, without_trailing_commas(push.body) or push.body


def environ(settings: Settings, endpoint: str, **more: str) -> dict[str, str]:
    return (
        environment(settings)
        | {
            "TCCC_VENDOR_ENDPOINT": endpoint,
            "TENCENTCLOUD_SECRET_ID": SECRET_ID,
            "TENCENTCLOUD_SECRET_KEY": SECRET_KEY,
            "TCCC_SDK_APP_IDS": str(SDK_APP_ID),
        }
        | more
    )


def hours_ago(hours: float) -> str:
    return str(iso(int(time.time() - hours * 3600) * 1_000_000))
