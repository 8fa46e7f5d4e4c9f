"""A whole contact centre for `tccc up --fake-vendor`: its API tells of yesterday, and it pushes that day but for some."""

import asyncio
from collections.abc import Iterator
from datetime import date, datetime, timedelta
from itertools import takewhile

import structlog
from msgspec import Struct

from console.fake_vendor.server import FakeVendor, serving
from console.fake_vendor.store import Store
from console.simulator import Session, in_order, simulate
from console.simulator.arrivals import CHINA
from console.simulator.centre import SDK_APP_ID
from console.simulator.delivery import Delivery
from console.simulator.dice import Dice
from console.simulator.load import Load, Plan
from console.simulator.tally import Tally
from console.simulator.vendor import Vendor
from runtime.signals import stop_on_signals

log = structlog.get_logger(__name__)

PUSH_TIMEOUT_S = 10.0


class Asked(Struct, frozen=True, kw_only=True):
    """`withhold` is the share of calls whose `cdr` is never pushed."""

    listen: str
    push_url: str
    sessions: int
    withhold: float


async def serve(asked: Asked) -> None:
    """Until SIGTERM or SIGINT. Started again on the same day, it is the same centre: its pushes are retries then."""
    stop = stop_on_signals()
    day = datetime.now(CHINA).date() - timedelta(days=1)
    sessions = list(_sessions(day, asked.sessions))
    with Store.of(sessions) as store:
        async with serving(FakeVendor(store, SDK_APP_ID), asked.listen) as url:
            log.info("started", role="fake-vendor", endpoint=url, calls=len(store.session_ids))
            pushing = asyncio.create_task(_push(asked, day, sessions))
            await stop.wait()
            pushing.cancel()
            await asyncio.gather(pushing, return_exceptions=True)


def _sessions(day: date, count: int) -> Iterator[Session]:
    """At most so many, all of this day."""
    ends = datetime(day.year, day.month, day.day, tzinfo=CHINA) + timedelta(days=1)
    simulated = simulate(count, seed=day.toordinal(), first_day=day, sessions_a_day=count)
    return takewhile(lambda session: session.truth.started_s < ends.timestamp(), simulated)


async def _push(asked: Asked, day: date, sessions: list[Session]) -> None:
    tally = Tally()
    async with Vendor(asked.push_url, timeout_s=PUSH_TIMEOUT_S) as vendor:
        await Load(vendor, Plan(connections=8), tally).run(_deliveries(asked, day, sessions))
    log.info("pushed", taken=tally.taken, not_taken=tally.not_taken)


def _deliveries(asked: Asked, day: date, sessions: list[Session]) -> Iterator[Delivery]:
    dice = Dice(day.toordinal(), "withheld")
    held = {s.truth.session_id for s in sessions if dice.chance(asked.withhold)}
    for push in in_order(sessions):
        if push.action != "cdr" or push.session_id not in held:
            yield Delivery(push, again=False)
