"""Asks everything at once, each part under a deadline of its own; a part that is away spoils no other."""

import asyncio
from collections.abc import Awaitable, Sequence
from typing import TypeVar

from msgspec.structs import replace

from console.status import database, kafka, processes
from console.status.facts import Away, DeadLetters, Lag, Status, Worker
from console.target import Target
from console.visits.admin import ask_all
from schemas.errors import DependencyAway, OperatorError

T = TypeVar("T")


async def collect(target: Target) -> Status:
    """Never raises for what is away."""
    settings, away = target.settings, list[Away]()

    async def part(name: str, asking: Awaitable[T]) -> T | None:
        try:
            return await asking
        except (DependencyAway, OperatorError) as exc:
            away.append(Away(part=name, reason=str(exc)))
            return None

    receivers, workers, lag, dead, tables, ledger = await asyncio.gather(
        ask_all(target.receiver_admin_urls),
        ask_all(target.worker_admin_urls),
        part("lag", kafka.lag(settings)),
        part("dead letters", kafka.dead_topic(settings)),
        part("rows", database.tables(settings)),
        part("ledger", database.ledger(settings)),
    )
    told_workers = [processes.worker(process) for process in workers]
    told_receivers = [processes.receiver(process) for process in receivers]
    return Status(
        receivers=told_receivers,
        workers=told_workers,
        spool=processes.spool(told_receivers),
        lag=named(lag, told_workers) if lag else None,
        dead_letters=DeadLetters(
            records=dead.records if dead else None,
            last_day=dead.last_day if dead else None,
            by_reason=processes.dead_by_reason([*receivers, *workers]),
        ),
        schema_version=tables.schema_version if tables else None,
        rows=tables.rows if tables else None,
        ledger=ledger,
        reconciled_until=min((r.complete_until for r in tables.reconciled if r.complete_until), default=None)
        if tables
        else None,
        reconciled=tables.reconciled if tables else None,
        drift=tables.drift if tables else None,
        pids=target.stack.pids if target.stack else None,
        away=[
            *processes.not_ready("receiver", receivers),
            *processes.not_ready("worker", workers),
            *sorted(away, key=lambda missing: missing.part),
        ],
    )


def named(lag: Lag, workers: Sequence[Worker]) -> Lag:
    """Name owners by the admin URL of the worker that says so; else they stay as Kafka names them."""
    urls = {number: worker.admin_url for worker in workers for number in worker.partitions}
    partitions = [replace(p, owner=urls.get(p.partition, p.owner)) if p.owner else p for p in lag.partitions]
    return replace(lag, partitions=partitions)
