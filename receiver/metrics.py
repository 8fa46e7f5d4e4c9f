"""The receiver's figures, counted in plain numbers and put into Prometheus' form when they are asked for.

prometheus_client's own counters lock at each increment, which costs several microseconds a push; the receiver
runs in one thread and needs no lock.
"""

from collections import Counter
from collections.abc import Callable, Iterator

from prometheus_client import CollectorRegistry
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from receiver.admission import ACTIONS
from runtime.histogram import PlainHistogram
from schemas.settings import PREFIX

# Settings that bound what senders may do, in the order in which a request meets them.
LIMITS = (
    "max_connections",
    "max_connections_per_address",
    "max_line_bytes",
    "max_head_bytes",
    "head_timeout_s",
    "auth_failures_per_minute",
    "max_body_bytes",
    "body_timeout_s",
    "max_in_flight_bytes",
    "max_json_depth",
    "sdk_app_ids",
    "dead_per_minute",
    "dead_bytes_per_minute",
)
ACK_BOUNDS_S = (0.0005, 0.001, 0.002, 0.003, 0.005, 0.0075, 0.01, 0.02, 0.035, 0.05, 0.1, 0.2, 0.35, 0.5, 1.0)


class ReceiverMetrics(Collector):
    """Register it once; no label ever holds anything that a client chose."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self._pushes: Counter[tuple[str, str]] = Counter()
        self._dead_letters: Counter[str] = Counter()
        self._acks = PlainHistogram(
            "tccc_receiver_ack_seconds", "From a whole body to its answer", ACK_BOUNDS_S
        )
        self._limit_hits: Counter[str] = Counter(dict.fromkeys(LIMITS, 0))
        self.connections = 0
        self.in_flight = 0
        self.in_flight_bytes = 0
        self.kafka_connected: Callable[[], bool] = lambda: False
        registry.register(self)

    def answered(self, action: str, outcome: str) -> None:
        self._pushes[action if action in ACTIONS else "unknown", outcome] += 1

    def acknowledged(self, elapsed_s: float) -> None:
        self._acks.observe(elapsed_s)

    def limit_hit(self, setting: str) -> None:
        """A sender met a limit; `setting` is one of LIMITS."""
        self._limit_hits[setting] += 1

    def dead_letter(self, reason: str) -> None:
        self._dead_letters[reason] += 1

    def collect(self) -> Iterator[Metric]:
        pushes = CounterMetricFamily("tccc_receiver_pushes", "Pushes answered", labels=["action", "outcome"])
        for labels, count in sorted(self._pushes.items()):
            pushes.add_metric(labels, count)
        yield pushes
        letters = CounterMetricFamily(
            "tccc_dead_letters", "Records that became dead letters", labels=["stage", "reason"]
        )
        for reason, count in sorted(self._dead_letters.items()):
            letters.add_metric(["receive", reason], count)
        yield letters
        hits = CounterMetricFamily("tccc_receiver_limit_hits", "Times a limit was met", labels=["setting"])
        for setting, count in self._limit_hits.items():
            hits.add_metric([PREFIX + setting.upper()], count)
        yield hits
        yield from self._acks.collect()
        yield GaugeMetricFamily("tccc_receiver_connections", "Connections open", self.connections)
        yield GaugeMetricFamily("tccc_receiver_in_flight", "Requests not yet answered", self.in_flight)
        yield GaugeMetricFamily(
            "tccc_receiver_in_flight_bytes", "Bodies of requests not yet answered", self.in_flight_bytes
        )
        yield GaugeMetricFamily(
            "tccc_receiver_kafka_connected", "1 while Kafka can be reached", int(self.kafka_connected())
        )
