"""What a worker tells Prometheus. No label ever holds a session, a number or a client."""

import time
from collections import Counter as Tally
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram

from runtime.histogram import PlainHistogram
from schemas.push import PUSHES
from schemas.rows import EPOCH_US, LedgerRow
from worker.batch import Item, KafkaRecord
from worker.drift import Note

_SECONDS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 300, 1800)
_RECORDS = (1, 2, 5, 10, 25, 50, 100, 250, 500, 1000, 2000, 5000, 10000)


class Metrics:
    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        r = self.registry
        self._pushes = Counter("tccc_worker_pushes", "Records settled.", ["action", "outcome"], registry=r)
        self._batch = Histogram(
            "tccc_worker_batch_records", "Records in a batch.", registry=r, buckets=_RECORDS
        )
        self.store_seconds = Histogram(
            "tccc_worker_store_seconds", "Time to settle a batch.", registry=r, buckets=_SECONDS
        )
        self.lag = Gauge("tccc_worker_lag_records", "Records not settled yet.", ["partition"], registry=r)
        self._push_to_row = PlainHistogram("tccc_push_to_row_seconds", "From receipt to commit.", _SECONDS)
        r.register(self._push_to_row)
        self._dead = Counter("tccc_dead_letters", "Records given up.", ["stage", "reason"], registry=r)
        self._oldest_ms: int | None = None
        oldest = Gauge(
            "tccc_worker_oldest_unsettled_seconds",
            "Age of the oldest record polled and not settled yet; 0: none.",
            registry=r,
        )
        oldest.set_function(self._oldest_s)
        self.topic_retention = Gauge(
            "tccc_topic_retention_seconds", "TCCC_TOPIC_RETENTION_MS of this worker.", registry=r
        )
        self.ledger_missing = Gauge(
            "tccc_ledger_missing_records",
            "Records that were passed and that the ledger does not have, among the newest.",
            ["partition"],
            registry=r,
        )
        self.rebalances = Counter("tccc_rebalances", "Assignments of partitions.", registry=r)
        self.reconciled_until = Gauge(
            "tccc_reconciled_until_seconds",
            "Up to when the table is known to be complete, UNIX time; 0: never compared.",
            registry=r,
        )
        self._drift = Counter(
            "tccc_drift", "Fields and values that the protocol does not list.", ["action", "kind"], registry=r
        )
        self.database_up = Gauge("tccc_worker_database_up", "Whether the database answers.", registry=r)

    def settled(self, ledger: Sequence[LedgerRow]) -> None:
        now_us = time.time_ns() // 1000 - EPOCH_US
        for row in ledger:
            self._push_to_row.observe(max(0, now_us - row.received_at) / 1_000_000)
        for (action, outcome), count in Tally((row.action, row.outcome) for row in ledger).items():
            self._pushes.labels(action if action in PUSHES else "unknown", outcome).inc(count)

    def polled(self, records: int) -> None:
        self._batch.observe(records)

    @contextmanager
    def holding(self, records: Sequence[KafkaRecord]) -> Iterator[None]:
        """For as long as these records are being settled."""
        self._oldest_ms = min(record.timestamp for record in records)
        try:
            yield
        finally:
            self._oldest_ms = None

    def drifted(self, notes: Sequence[Note]) -> None:
        for note in notes:
            self._drift.labels(note.action, note.kind).inc()

    def died(self, items: Sequence[Item]) -> None:
        for item in items:
            if item.fault is not None:
                self._dead.labels(item.stage, item.fault.reason).inc()

    def _oldest_s(self) -> float:
        return 0.0 if self._oldest_ms is None else max(0.0, time.time() - self._oldest_ms / 1000)
