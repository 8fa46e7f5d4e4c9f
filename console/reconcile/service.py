"""Reconciles again and again: from the watermark to what is over by now, until it is asked to stop."""

import asyncio
import contextlib
import time

import structlog

from console.output import print_json
from console.postgres import open_database
from console.reconcile.comparison import Order, compare
from console.reconcile.report import Report
from console.reconcile.span import DAY_S, Span, asked_span
from console.reconcile.watermark import signed_off_until
from runtime.signals import Stop, stop_on_signals
from schemas.errors import DependencyAway, OperatorError, SettingsError

log = structlog.get_logger(__name__)

RETRY_S = 60.0
_MICROS = 1_000_000


async def serve(order: Order, every_s: float, from_us: int | None, *, as_json: bool) -> None:
    """Until SIGTERM or SIGINT. What is away is logged and tried again, soon; settings that are wrong end it."""
    stop = stop_on_signals()
    log.info("started", role="reconcile", sdk_app_id=order.sdk_app_id, every_s=every_s, kind=order.kind)
    while not stop.requested.is_set():
        wait_s = every_s
        try:
            report = await _unless_stopped(order, from_us, stop)
        except (DependencyAway, OperatorError) as exc:
            if isinstance(exc, SettingsError):
                raise
            log.warning("not reconciled", reason=str(exc))
            wait_s = min(every_s, RETRY_S)
        else:
            if report is not None:
                _tell(report, as_json=as_json)
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(stop.wait(), wait_s)
    log.info("stopping", role="reconcile")


async def _unless_stopped(order: Order, from_us: int | None, stop: Stop) -> Report | None:
    """The report; None if there was nothing to compare, or a stop came first: the run goes on the next time."""
    work = asyncio.create_task(_once(order, from_us))
    stopping = asyncio.create_task(stop.wait())
    try:
        await asyncio.wait({work, stopping}, return_when=asyncio.FIRST_COMPLETED)
        return await work if work.done() else None
    finally:
        for task in (work, stopping):
            task.cancel()
        await asyncio.gather(work, stopping, return_exceptions=True)


async def _once(order: Order, from_us: int | None) -> Report | None:
    span = await _due(order, from_us)
    return await compare(order, span, _unsaid, _unsaid) if span else None


async def _due(order: Order, from_us: int | None) -> Span | None:
    to_us = int(time.time() - order.settings.reconcile_settle_s) * _MICROS
    async with open_database(order.settings.database_url) as database:
        start_us = await signed_off_until(database, order.sdk_app_id)
    if start_us is None:
        start_us = to_us - DAY_S * _MICROS if from_us is None else from_us
    return asked_span(start_us, to_us) if start_us < to_us else None


def _tell(report: Report, *, as_json: bool) -> None:
    if as_json:
        print_json(report)
    log.log(
        20 if report.is_even else 30,  # info, warning
        "reconciled",
        sdk_app_id=report.sdk_app_id,
        matched=report.matched,
        missing=report.missing,
        extra=report.extra,
        differing=report.differing,
        repaired=report.repaired,
        complete_until=report.complete_until,
    )


def _unsaid(*_: object) -> None:
    """A service has no terminal."""
