"""Metrics that alerts stand on, where they are worked out and not only counted."""

import time
from pathlib import Path

from prometheus_client import CollectorRegistry

from receiver.spool.metrics import SpoolMetrics
from receiver.spool.spool import Spool
from tests.records import body, record
from worker.metrics import Metrics


def test_a_batch_in_hand_is_as_old_as_its_oldest_record() -> None:
    metrics = Metrics()
    now_us = time.time_ns() // 1000
    records = [record(body(), received_at_us=now_us - age_s * 1_000_000) for age_s in (5, 600, 1)]

    def oldest_s() -> float | None:
        return metrics.registry.get_sample_value("tccc_worker_oldest_unsettled_seconds")

    assert oldest_s() == 0
    with metrics.holding(records):
        assert 600 <= (oldest_s() or 0) < 660
    assert oldest_s() == 0


async def test_a_spool_tells_its_bound_and_the_room_on_its_disk(tmp_path: Path) -> None:
    registry, elsewhere = CollectorRegistry(), CollectorRegistry()
    spool = await Spool.open(tmp_path, max_bytes=2**20)
    try:
        registry.register(SpoolMetrics(spool, tmp_path, max_bytes=2**20))
        assert registry.get_sample_value("tccc_spool_max_bytes") == 2**20
        assert registry.get_sample_value("tccc_spool_records") == 0
        assert (registry.get_sample_value("tccc_spool_disk_free_bytes") or 0) > 0
        elsewhere.register(SpoolMetrics(spool, tmp_path / "gone", max_bytes=2**20))
        assert elsewhere.get_sample_value("tccc_spool_disk_free_bytes") is None
        assert elsewhere.get_sample_value("tccc_spool_records") == 0
    finally:
        await spool.close()
