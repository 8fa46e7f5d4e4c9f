"""`tccc reconcile` and `tccc backfill` on real services, against the fake of the vendor's API."""

import asyncio
import signal
import sys
import time
from collections.abc import Iterator
from typing import Any

import pytest

from console.fake_vendor.faults import Faults
from console.fake_vendor.parameters import Query
from console.fake_vendor.store import Store
from console.postgres import open_database
from console.reconcile.span import DAY_S, Span
from console.reconcile.watermark import sign_off, signed_off_until
from console.simulator import Session
from console.simulator.centre import SDK_APP_ID
from console.times import iso
from schemas.phone import one_form
from schemas.settings import Settings
from tests.commands import tccc
from tests.pipeline import Database, produce
from tests.vendor import backfill, day
from tests.vendor.centre import calls, recent_sessions, sent, span_of
from tests.vendor.stage import Stage, on_stage


@pytest.fixture(scope="module")
def sessions() -> list[Session]:
    return list(recent_sessions(500, seed=8))


@pytest.fixture
def store(sessions: list[Session]) -> Iterator[Store]:
    with Store.of(sessions) as made:
        yield made


async def test_exactly_what_was_withheld_is_found_and_repaired(
    settings: Settings, sessions: list[Session], store: Store
) -> None:
    """`python -m tests.vendor.day` is the same with 100,000 sessions."""
    async with on_stage(settings, store) as stage:
        await day.prove(stage, sessions, share=0.02, kills=1, seed=8)


async def test_history_is_filled_in_and_gone_on_with_after_a_kill(settings: Settings, store: Store) -> None:
    """`python -m tests.vendor.backfill` is the same with a million."""
    async with on_stage(settings, store) as stage:
        await backfill.prove(stage, kill_at=0.5)


async def test_extra_differing_and_erased(settings: Settings, sessions: list[Session], store: Store) -> None:
    ids = calls(sessions)
    number = next(s.truth.customer for s in sessions if s.truth.customer.isdigit() and not s.truth.is_chat)
    gone = {s.truth.session_id for s in sessions if number in {s.truth.caller, s.truth.callee}} | {ids[4]}
    await produce(settings, list(sent(sessions, but={ids[4]})))
    async with on_stage(settings, store) as stage:
        asked = ("reconcile", *_between(sessions), "--json")
        first = await tccc(*asked, environ=stage.environ)
        assert (first.status, first.json["missing_sessions"]) == (3, [ids[4]]), first.err
        database = Database(settings)
        await database.execute(
            f"UPDATE tccc.call SET callee = '1', caller = NULL WHERE session_id = '{ids[7]}'"
        )
        await database.execute(
            "INSERT INTO tccc.call (session_id, sdk_app_id, started_at, source, push_id, received_at)"
            f" SELECT 'unknown', sdk_app_id, started_at, 'push', 'p', now() FROM tccc.call"
            f" WHERE session_id = '{ids[9]}'"
        )
        for kind, identity in (("session", ids[4]), ("number", one_form(number))):
            await database.execute(
                f"INSERT INTO tccc.erasure (identity, kind) SELECT tccc_private.keyed_hash('{kind}:{identity}',"
                f" inner_pad, outer_pad), '{kind}' FROM tccc_private.hash_key WHERE purpose = 'erasure'"
            )
        await database.execute(f"DELETE FROM tccc.call WHERE session_id = ANY('{{{','.join(gone)}}}')")
        found = await tccc(*asked, "--repair", environ=stage.environ)
        shown = await tccc(*asked[:-1], environ=stage.environ)
    assert found.status == 3
    assert (found.json["missing"], found.json["matched"]) == (0, len(ids) - len(gone))
    assert (found.json["extra"], found.json["extra_sessions"]) == (1, ["unknown"])
    assert found.json["differences"] == [{"session_id": ids[7], "fields": ["callee"]}]
    assert f"differing: {ids[7]} (callee)" in shown.out


async def test_an_api_that_contradicts_itself_signs_nothing_off(
    settings: Settings, sessions: list[Session], store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("console.reconcile.vendor.TRIES", 2)
    async with on_stage(settings, store) as stage:
        asked = ("reconcile", *_between(sessions), "--json")
        first = await tccc("backfill", *asked[1:], environ=stage.environ)
        signed_off = await _watermark(settings)
        assert (first.status, len(signed_off)) == (0, 1)
        stage.fake.faults = Faults(shares={"empty-page": 1.0})
        failed = await tccc(*asked, environ=stage.environ)
        assert (failed.status, failed.out) == (1, "")
        assert "contradicts itself" in failed.err
        refused = await tccc(*asked, environ=stage.environ | {"TENCENTCLOUD_SECRET_KEY": "wrong"})
        assert refused.status == 1
        assert "AuthFailure.SignatureFailure; check TENCENTCLOUD_SECRET_ID" in refused.err
        assert await _watermark(settings) == signed_off


async def test_a_slice_that_is_withheld_is_never_taken_for_empty(
    settings: Settings, sessions: list[Session], store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The whole is counted right; one of its two days, asked for by itself, has no sessions, again and again."""
    asked = ("reconcile", *_between(sessions), "--json")
    midnight_s, find = (store.first_s // DAY_S + 1) * DAY_S, store.find
    assert store.last_s > midnight_s
    hidden: set[str] = set()

    def withholding(query: Query) -> tuple[int, list[bytes]]:
        first = query.end_time_stamp == midnight_s
        second = query.start_time_stamp == midnight_s - 1
        return (0, []) if (first and "first" in hidden) or (second and "second" in hidden) else find(query)

    monkeypatch.setattr(store, "find", withholding)
    async with on_stage(settings, store) as stage:
        for day_hidden in ("first", "first", "second", "second"):
            hidden = {day_hidden}
            failed = await tccc(*asked, environ=stage.environ)
            assert (failed.status, failed.out) == (1, ""), failed.err
            assert "nothing is signed off" in failed.err
            assert await _watermark(settings) == []


async def test_a_run_gone_on_with_signs_off_by_when_it_was_begun(settings: Settings, store: Store) -> None:
    """What had not ended when its first slices were listed is not asked for again."""
    hour_s, now_s = 3600, int(time.time())
    begun_s, from_s = now_s - 6 * hour_s, now_s - 12 * hour_s
    await Database(settings).execute(
        "INSERT INTO tccc.reconcile_run (sdk_app_id, kind, from_at, to_at, done_until, started_at) VALUES"
        f" ({SDK_APP_ID}, 'compare', to_timestamp({from_s}), to_timestamp({begun_s}),"
        f" to_timestamp({begun_s - hour_s}), to_timestamp({begun_s}))"
    )
    between = ("--from", str(iso(from_s * 1_000_000)), "--to", str(iso(now_s * 1_000_000)))
    async with on_stage(settings, store) as stage:
        environ = stage.environ | {"TCCC_RECONCILE_SETTLE_S": "60"}
        ran = await tccc("reconcile", *between, "--json", environ=environ)
    assert ran.status == 0, ran.err
    assert ran.json["reconciled_until"] == iso((begun_s - 60) * 1_000_000)


async def test_settings_and_workers_that_are_missing_are_told(
    settings: Settings, sessions: list[Session], store: Store
) -> None:
    async with on_stage(settings, store) as stage:
        environ = stage.environ
    between = _between(sessions)
    await produce(settings, list(sent(sessions[:5])))
    idle = await tccc("reconcile", *between, "--patience", "0.1", environ=environ)
    assert idle.status == 1
    assert "none was consumed for 0 s: is a worker running?" in idle.err
    for taken_out, message in (
        ("TCCC_SDK_APP_IDS", "--sdk-app-id says which contact centre"),
        ("TENCENTCLOUD_SECRET_ID", "TENCENTCLOUD_SECRET_ID is not set"),
    ):
        left = {name: value for name, value in environ.items() if name != taken_out}
        ran = await tccc("reconcile", *between, environ=left)
        assert (ran.status, message in ran.err) == (2, True)
    old = await tccc("reconcile", "--from", "2020-01-01", "--to", "2020-01-02", environ=environ)
    assert (old.status, "reaches back 180 days" in old.err) == (1, True)


async def test_as_a_service_it_goes_on_from_the_watermark(
    settings: Settings, sessions: list[Session], store: Store
) -> None:
    async with on_stage(settings, store) as stage:
        service = await _service(stage, _between(sessions)[1])
        assert service.stdout is not None
        reports = [await service.stdout.readline() for _ in range(2)]
        service.send_signal(signal.SIGTERM)
        _, err = await service.communicate()
        assert (service.returncode, b"Traceback" in err) == (0, False), err
    assert f'"repaired":{len(calls(sessions))}'.encode() in reports[0]
    assert b'"matched":0,"missing":0' in reports[1]
    assert [row[0] for row in await _watermark(settings)] == [SDK_APP_ID]


async def test_the_watermark_moves_on_only_without_a_gap(database_url: str) -> None:
    async with open_database(database_url) as database:

        async def signed(start: int, end: int, until: int) -> int | None:
            await sign_off(database, 7, Span(start, end), until)
            at_us = await signed_off_until(database, 7)
            return None if at_us is None else at_us // 1_000_000

        assert await signed(100, 200, 100) is None
        assert await signed(150, 200, 200) == 200
        assert await signed(200, 300, 280) == 280
        assert await signed(250, 300, 300) == 300
        assert await signed(400, 500, 500) == 300  # a gap: nothing is known of 300 to 400
        assert await signed(160, 190, 190) == 300
        assert await signed(160, 190, 170) == 170  # lost since it was signed off
        assert await signed(100, 160, 160) == 170
        assert await signed(165, 400, 400) == 400


async def _service(stage: Stage, begin: str) -> asyncio.subprocess.Process:
    words = ("reconcile", "--every", "1s", "--from", begin, "--repair", "--json")
    environ = stage.environ | {"TCCC_RECONCILE_SETTLE_S": "1"}
    return await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "console", *words), env=environ, stdout=-1, stderr=-1
    )


def _between(sessions: list[Session]) -> tuple[str, str, str, str]:
    begin, end = span_of(sessions)
    return "--from", begin, "--to", end


async def _watermark(settings: Settings) -> list[tuple[Any, ...]]:
    return await Database(settings).fetch("SELECT sdk_app_id, complete_until FROM tccc.reconciled")
