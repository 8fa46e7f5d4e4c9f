"""One comparison from end to end: wait for the lag, compare, repair, wait and verify, report, sign off."""

import time
from contextlib import AsyncExitStack

from msgspec import Struct

from console.postgres import Questions, open_database
from console.progress import Say
from console.publishing import open_publisher
from console.reconcile.listing import Listing
from console.reconcile.reconciler import Advance, Reconciler
from console.reconcile.report import Report, differences, hours_told
from console.reconcile.run import MAX_NAMED, Kind, Run
from console.reconcile.settling import settled
from console.reconcile.span import Span
from console.reconcile.vendor import Keys, Vendor
from console.reconcile.watermark import sign_off, signed_off_until
from console.times import iso
from schemas.settings import Settings

_MICROS = 1_000_000


class Order(Struct, frozen=True, kw_only=True):
    """What to compare, and how. The workers may stand still for `patience_s`."""

    settings: Settings
    keys: Keys
    sdk_app_id: int
    kind: Kind
    patience_s: float

    @property
    def repairs(self) -> bool:
        return self.kind != "compare"


async def compare(order: Order, span: Span, say: Say, advance: Advance) -> Report:
    """May be interrupted at any moment and run again. Raises DependencyAway or OperatorError: then nothing is
    signed off.
    """
    settings = order.settings
    async with AsyncExitStack() as stack:
        database = await stack.enter_async_context(open_database(settings.database_url))
        run = await Run.begin(database, order.sdk_app_id, order.kind, span)
        vendor = await stack.enter_async_context(Vendor(settings, order.keys, order.sdk_app_id))
        publisher = await stack.enter_async_context(open_publisher(settings)) if order.repairs else None
        await settled(settings, say, patience_s=order.patience_s)
        reconciler = Reconciler(
            settings,
            database,
            Listing(vendor),
            order.sdk_app_id,
            publisher=publisher,
            backfill=order.kind == "backfill",
        )
        await reconciler.work(run, advance)
        if order.repairs:
            await settled(settings, say, patience_s=order.patience_s)
        else:
            await run.drop_what_came()
        report = await _report(order, database, run)
        await run.end()
        return report


async def _report(order: Order, database: Questions, run: Run) -> Report:
    """What is told, and signed off: up to the first session that still has no row."""
    hours, lacking = await run.hours(), await run.lacking()
    until_s = run.span.end_s
    if lacking.first_us is not None:
        until_s = max(run.span.start_s, lacking.first_us // _MICROS)
    # What began before was over when the run was begun: what it listed then is not asked for again.
    over_s = int(min(time.time(), run.begun_s) - order.settings.reconcile_settle_s)
    if (signed_s := min(until_s, over_s)) >= run.span.start_s:
        # Later sessions are not lost, but not known: what another run signed off of them stands.
        known = Span(run.span.start_s, signed_s) if lacking.first_us is None else run.span
        await sign_off(database, order.sdk_app_id, known, signed_s)
    missing = sum(hour.missing for hour in hours)
    named = None if order.kind != "backfill" else MAX_NAMED
    return Report(
        sdk_app_id=order.sdk_app_id,
        start=iso(run.span.start_s * _MICROS),
        end=iso(run.span.end_s * _MICROS),
        matched=sum(hour.matched for hour in hours),
        missing=missing,
        extra=sum(hour.extra for hour in hours),
        differing=sum(hour.differing for hour in hours),
        repaired=missing - lacking.count if order.repairs else None,
        missing_sessions=[finding.session_id for finding in await run.findings("missing", named)],
        extra_sessions=[finding.session_id for finding in await run.findings("extra", MAX_NAMED)],
        differences=differences(await run.findings("differing", MAX_NAMED)),
        unsettled_sessions=lacking.sessions if order.repairs else [],
        complete_until=iso(until_s * _MICROS),
        reconciled_until=iso(await signed_off_until(database, order.sdk_app_id)),
        hours=hours_told(hours),
    )
