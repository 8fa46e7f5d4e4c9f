"""`tccc reconcile` on real services against the fake of the vendor's API: exactly what was withheld is found."""

from collections.abc import Awaitable, Callable
from typing import Any

from console.fake_vendor.server import FakeVendor, serving
from console.fake_vendor.store import Store
from console.simulator.centre import SDK_APP_ID
from schemas.settings import Settings
from tests.commands import tccc
from tests.pipeline import Database, produce
from tests.processes import running
from tests.vendor.centre import calls, environ, recent_sessions, sent, span_of, withheld

Until = Callable[..., Awaitable[Any]]
_CONTENT = (
    "SELECT to_jsonb(c) - 'earlier_push_ids' - 'earlier_received_at' - 'updated_at' FROM tccc.call AS c"
)


async def test_exactly_what_was_withheld_is_found_and_repaired(settings: Settings, eventually: Until) -> None:
    sessions = list(recent_sessions(1500, seed=8))
    missing = withheld(calls(sessions), 0.005, seed=8)
    begin, end = span_of(sessions)
    await produce(settings, list(sent(sessions, missing)))
    with Store.of(sessions) as store:
        async with running("worker", settings) as worker, serving(FakeVendor(store, SDK_APP_ID)) as url:
            asked = ("--from", begin, "--to", end, "--json")
            compared = await tccc("reconcile", *asked, environ=environ(settings, url))
            assert compared.status == 3, compared.err
            assert set(compared.json["missing_sessions"]) == missing
            assert compared.json["matched"] == len(calls(sessions)) - len(missing)
            assert (compared.json["extra"], compared.json["differing"]) == (0, 0), compared.json
            assert compared.json["complete_until"] < end

            pushed = await Database(settings).fetch(f"{_CONTENT} WHERE source = 'push'")
            repaired = await tccc("reconcile", *asked, "--repair", environ=environ(settings, url))
            assert repaired.status == 3, repaired.err
            assert set(repaired.json["missing_sessions"]) == missing
            assert repaired.json["repaired"] == len(missing)
            assert repaired.json["complete_until"] == end
            assert sorted(pushed) == sorted(
                await Database(settings).fetch(f"{_CONTENT} WHERE source = 'push'")
            )

            again = await tccc("reconcile", *asked, environ=environ(settings, url))
            assert again.status == 0, again.out
            assert again.json["matched"] == len(calls(sessions))
            assert again.json["missing_sessions"] == []
            assert again.json["reconciled_until"] == end
            assert await worker.stop() == 0
