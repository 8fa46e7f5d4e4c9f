"""What a receiver tells Prometheus of its spool and of the disk that it is on."""

import shutil
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

from prometheus_client.core import GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from receiver.spool.spool import Spool


class SpoolMetrics(Collector):
    """`directory` and `max_bytes` are those that the spool was opened with."""

    def __init__(self, spool: Spool, directory: Path, *, max_bytes: int) -> None:
        self._spool = spool
        self._directory = directory
        self._max_bytes = max_bytes

    def collect(self) -> Iterator[Metric]:
        status = self._spool.status()
        yield GaugeMetricFamily("tccc_spool_records", "Records in the spool", status.records)
        yield GaugeMetricFamily("tccc_spool_bytes", "Size of the spool on disk", status.bytes)
        yield GaugeMetricFamily(
            "tccc_spool_oldest_seconds", "Age of the oldest record in the spool", status.oldest_s
        )
        yield GaugeMetricFamily("tccc_spool_max_bytes", "How large the spool may grow", self._max_bytes)
        with suppress(OSError):  # a folder that cannot be looked at is not to cost the other figures
            free = shutil.disk_usage(self._directory).free
            yield GaugeMetricFamily("tccc_spool_disk_free_bytes", "Free on the spool's disk", free)
