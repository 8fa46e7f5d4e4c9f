"""Whatever the vendor's API does wrong: asked again or told clearly, never taken for a complete answer."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest
from msgspec.structs import replace

from console.fake_vendor.faults import FAULTS, Fault, Faults
from console.fake_vendor.server import FakeVendor, serving
from console.fake_vendor.signature import SECRET_ID, SECRET_KEY
from console.fake_vendor.store import Store
from console.reconcile.listing import Listing
from console.reconcile.span import Span
from console.reconcile.vendor import Keys, Vendor
from console.simulator.centre import SDK_APP_ID
from schemas.errors import TcccError, VendorAway, VendorRefused
from schemas.settings import Settings
from tests.vendor.centre import calls, recent_sessions

SESSIONS = list(recent_sessions(450, seed=3))
SPAN = Span(SESSIONS[0].truth.started_s, SESSIONS[-1].truth.started_s + 1)
QUICK = 10_000  # requests a second: the pace is another test's
SETTINGS = Settings(vendor_timeout_s=0.3)
KEYS = Keys(SECRET_ID, SECRET_KEY)


@asynccontextmanager
async def asked(
    faults: Faults, keys: Keys = KEYS, app: int = SDK_APP_ID, per_s: int = QUICK
) -> AsyncIterator[tuple[FakeVendor, Listing]]:
    with Store.of(SESSIONS) as store:
        fake = FakeVendor(store, SDK_APP_ID, faults=faults, late_s=0.6, requests_per_s=per_s)
        async with serving(fake) as url:
            settings = replace(
                SETTINGS, vendor_endpoint=url, vendor_requests_per_s=per_s if per_s == QUICK else 15
            )
            async with Vendor(settings, keys, app, first_wait_s=0.001) as vendor:
                yield fake, Listing(vendor)


async def listed(listing: Listing, span: Span = SPAN) -> list[str]:
    return [e["SessionId"] async for part in listing.slices(span) for e in part.elements]


@pytest.mark.parametrize("fault", [fault for fault in FAULTS if fault != "signature"])
async def test_a_passing_fault_is_asked_again(fault: Fault) -> None:
    async with asked(Faults(at={2: fault})) as (fake, listing):
        found = await listed(listing)
    assert fake.faults.made == {fault: 1}
    assert sorted(found) == sorted(calls(SESSIONS))


@pytest.mark.parametrize("fault", [fault for fault in FAULTS if fault != "signature"])
async def test_a_lasting_fault_is_told(fault: Fault, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("console.reconcile.vendor.TRIES", 2)
    async with asked(Faults(shares={fault: 1.0})) as (fake, listing):
        with pytest.raises(VendorAway) as told:
            await listed(listing)
    assert fake.faults.made[fault] >= 2
    assert SECRET_KEY not in str(told.value)


async def test_a_bad_signature_is_told_at_once() -> None:
    async with asked(Faults()) as (fake, listing):
        assert await listed(listing)
    for keys, message in (
        (Keys(SECRET_ID, "another"), "AuthFailure.SignatureFailure; check TENCENTCLOUD_SECRET_ID"),
        (Keys("nobody", SECRET_KEY), "AuthFailure.SecretIdNotFound"),
    ):
        async with asked(Faults(), keys) as (fake, listing):
            with pytest.raises(VendorRefused, match=message):
                await listed(listing)
            assert fake.faults.requests == 1


async def test_a_clock_that_is_wrong_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("console.fake_vendor.signature.MAX_SKEW_S", -1)
    async with asked(Faults()) as (_, listing):
        with pytest.raises(VendorRefused, match="SignatureExpire; set this machine's clock"):
            await listed(listing)


async def test_what_the_api_refuses_is_told() -> None:
    async with asked(Faults(), app=77) as (_, listing):
        with pytest.raises(VendorRefused, match="UnauthorizedOperation"):
            await listed(listing)
    async with asked(Faults()) as (_, listing):
        with pytest.raises(VendorRefused, match="InvalidParameterValue"):
            await listed(listing, Span(SPAN.start_s - 200 * 86_400, SPAN.start_s - 199 * 86_400))


async def test_no_second_sees_more_than_twenty_requests() -> None:
    async with asked(Faults(), per_s=20) as (fake, listing):
        await asyncio.gather(*[listed(listing) for _ in range(8)])
    at = list(fake.requests_at)
    assert fake.faults.requests >= 40
    assert max(sum(start <= other < start + 1.0 for other in at) for start in at) <= 20


async def test_sessions_of_one_second_are_listed_once_over_slices(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("console.reconcile.listing.MAX_SESSIONS", 10)
    async with asked(Faults()) as (_, listing):
        found = await listed(listing)
        total = await listing.total(SPAN)
    assert sorted(found) == sorted(calls(SESSIONS))
    assert total == len(calls(SESSIONS))


async def test_share_of_everything_at_once() -> None:
    shares: dict[Fault, float] = {fault: 0.03 for fault in FAULTS if fault not in {"signature", "time-out"}}
    async with asked(Faults(shares=shares, seed=5)) as (fake, listing):
        try:
            found = await listed(listing)
        except TcccError:
            found = None
    assert found is None or sorted(found) == sorted(calls(SESSIONS))
    assert fake.faults.made
