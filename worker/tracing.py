"""The worker's part of a trace: for each record that is traced, that it was consumed, and in which transaction.

A batch settles many pushes at once. It has a trace of its own, with each transaction that was tried; each push's
trace shows the one that settled it, with a link to the batch's. The receivers draw which pushes are traced.
This class takes the place of the plain one where tracing is on, so that it costs nothing where it is off.
"""

import time
from collections.abc import Iterator, Sequence
from itertools import chain
from typing import TYPE_CHECKING, Any

from schemas.envelope import TRACEPARENT
from schemas.push import PUSHES
from schemas.settings import Settings
from worker.batch import Item
from worker.settler import Settler, Write
from worker.store import Settled

if TYPE_CHECKING:
    from opentelemetry.trace import Span, SpanContext

    from runtime.spans import Attributes, Spans

_DATABASE = {"db.system.name": "postgresql", "db.operation.name": "transaction"}
# In the ledger before this transaction began: the record was delivered again.
_SETTLED_BEFORE = "settled-before"


class TracedSettler(Settler):
    def __init__(self, spans: "Spans", settings: Settings, *parts: Any) -> None:
        super().__init__(*parts)
        self._spans = spans
        self._messaging: dict[str, str | int] = {
            "messaging.system": "kafka",
            "messaging.destination.name": settings.kafka_topic,
            "messaging.consumer.group.name": settings.kafka_group,
            "messaging.operation.type": "process",
        }
        self._settle = f"settle {settings.kafka_topic}"
        self._consume = f"consume {settings.kafka_topic}"
        self._consumed: dict[tuple[int, int], Span] = {}  # of the batch in hand, by partition and offset

    async def settle(self, items: Sequence[Item]) -> None:
        traced = list(self._traced(items))
        if not traced:
            await super().settle(items)
            return
        attributes: Attributes = self._messaging | {
            "messaging.operation.name": "settle",
            "messaging.batch.message_count": len(items),
        }
        parents = [parent for _, parent in traced]
        batch = self._spans.begin(self._settle, "consumer", attributes, links=parents)
        with self._spans.running(batch):
            for item, parent in traced:
                self._consumed[_place(item)] = self._begin(item, parent, batch)
            try:
                await super().settle(items)
            except BaseException as exc:
                for span in self._consumed.values():
                    self._spans.fail(span, type(exc).__name__)
                raise
            finally:
                for span in self._consumed.values():
                    span.end()
                self._consumed.clear()

    async def _write(self, write: Write, items: Sequence[Item]) -> Settled:
        if not self._consumed:
            return await super()._write(write, items)
        began_ns = time.time_ns()
        transaction = self._spans.begin("transaction", "client", _DATABASE | {"tccc.records": len(items)})
        with self._spans.running(transaction):
            settled = await super()._write(write, items)
        self._tell(items, settled, transaction, began_ns)
        return settled

    def _traced(self, items: Sequence[Item]) -> Iterator[tuple[Item, "SpanContext"]]:
        for item in items:
            header = next((value for name, value in item.record.headers if name == TRACEPARENT), None)
            parent = self._spans.read_traced(header)
            if parent is not None:
                yield item, parent

    def _begin(self, item: Item, parent: "SpanContext", batch: "Span") -> "Span":
        action = item.envelope.action
        attributes = self._messaging | {
            "messaging.operation.name": "consume",
            "messaging.destination.partition.id": str(item.record.partition),
            "messaging.kafka.offset": item.record.offset,
            "tccc.action": action if action in PUSHES else "unknown",
        }
        return self._spans.begin(
            self._consume, "consumer", attributes, parent=parent, links=[batch.get_span_context()]
        )

    def _tell(self, items: Sequence[Item], settled: Settled, transaction: "Span", began_ns: int) -> None:
        """Show in each push's trace the transaction that settled it."""
        left_out = {_place(item) for item in chain(settled.dead, *settled.doubtful)}
        outcomes = {(row.kafka_partition, row.kafka_offset): row.outcome for row in settled.ledger}
        ended_ns = time.time_ns()
        for place in {_place(item) for item in items} - left_out:
            consumed = self._consumed.get(place)
            if consumed is not None:
                self._spans.begin(
                    "transaction",
                    "client",
                    _DATABASE | {"tccc.outcome": outcomes.get(place, _SETTLED_BEFORE)},
                    parent=consumed.get_span_context(),
                    links=[transaction.get_span_context()],
                    start_ns=began_ns,
                ).end(ended_ns)


def _place(item: Item) -> tuple[int, int]:
    return (item.record.partition, item.record.offset)
