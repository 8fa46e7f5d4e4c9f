"""Four defects, each of which the auditor has to catch; put in where seams.py puts in its faults.

ack-before-fsync       a push is answered when the spool knows of it, and written a moment later
commit-before-commit   offsets are committed before the transaction
dead-letter-unflushed  a dead letter counts as written when it is handed over, and is sent a moment later
no-deduplication       every push is applied
"""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from typing import Any

import structlog

from schemas.errors import BrokerAway, SpoolAway
from tests.chaos.seams import patch

SPOOLED_LATER_S = 0.2
SENT_LATER_S = 2.0
_later: set[asyncio.Task[None]] = set()


def ack_before_fsync() -> None:
    from receiver.spool.spool import Spool

    def put(real: Callable[..., Awaitable[None]]) -> Callable[..., Awaitable[None]]:
        async def wrapped(self: Spool, record: Any) -> None:
            _do_later(SPOOLED_LATER_S, lambda: real(self, record))

        return wrapped

    patch(Spool, "put", ("self", "record"), put)


def commit_before_commit() -> None:
    from worker.consumer import Consumer
    from worker.loop import Batch, Loop

    def handle(real: Callable[..., Awaitable[None]]) -> Callable[..., Awaitable[None]]:
        async def wrapped(self: Loop, consumer: Consumer, batch: Batch) -> None:
            await consumer.commit(batch.records)
            await real(self, consumer, batch)

        return wrapped

    patch(Loop, "_handle", ("self", "consumer", "batch"), handle)


def dead_letter_unflushed() -> None:
    from worker.dead_letters import DeadLetters

    def publish(real: Callable[..., Awaitable[None]]) -> Callable[..., Awaitable[None]]:
        async def wrapped(self: DeadLetters, items: Sequence[Any]) -> None:
            if items:
                _do_later(SENT_LATER_S, lambda: real(self, items))

        return wrapped

    patch(DeadLetters, "publish", ("self", "items"), publish)


def no_deduplication() -> None:
    from worker.fold import Push, RowState

    def apply(_real: Any) -> Callable[[RowState, Push], str]:
        def wrapped(self: RowState, push: Push) -> str:
            self.known[push.push_id] = push.received_at
            self.shown, self.changed = push, True
            return "applied"

        return wrapped

    patch(RowState, "apply", ("self", "push"), apply)


MUTANTS: dict[str, Callable[[], None]] = {
    "ack-before-fsync": ack_before_fsync,
    "commit-before-commit": commit_before_commit,
    "dead-letter-unflushed": dead_letter_unflushed,
    "no-deduplication": no_deduplication,
}


# What brings each to light: a worker killed at these points (None: receivers killed with Kafka away), and the
# invariant that it breaks.
EXPOSED: dict[str, tuple[list[str] | None, str]] = {
    "ack-before-fsync": (None, "missing"),
    "commit-before-commit": (["mid-copy"], "missing"),
    "dead-letter-unflushed": (["after-commit"], "missing"),
    "no-deduplication": ([], "unlike"),
}


def _do_later(wait_s: float, work: Callable[[], Awaitable[None]]) -> None:
    async def later() -> None:
        await asyncio.sleep(wait_s)
        try:
            await work()
        except (BrokerAway, SpoolAway) as exc:
            structlog.get_logger().warning("mutant failed", error=type(exc).__name__)

    task = asyncio.create_task(later())
    _later.add(task)
    task.add_done_callback(_later.discard)
