"""Receivers and workers: do they answer at their admin addresses, and are they ready."""

import asyncio

from console.doctor.finding import Finding, fail, ok, warn
from console.target import Target
from console.visits.admin import Process, ask_all


async def examine(target: Target) -> list[Finding]:
    receivers, workers = await asyncio.gather(
        ask_all(target.receiver_admin_urls), ask_all(target.worker_admin_urls)
    )
    return [
        _finding(kind, process, known=target.known)
        for kind, processes in (("receiver", receivers), ("worker", workers))
        for process in processes
    ]


def _finding(kind: str, process: Process, *, known: bool) -> Finding:
    check = f"{kind} {process.admin_url}"
    if process.ready:
        return ok(check, "ready")
    reason = process.reason or "not ready"
    if process.answers:
        return fail(check, f"not ready: {reason}", "See to that, and to its log.")
    if known:
        return fail(check, reason, "Start it, or see why it ended: its log.")
    return warn(
        check, reason, f"None runs here? If one runs elsewhere, give its address: --{kind}-admin URL."
    )
