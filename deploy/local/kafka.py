"""A real Apache Kafka for one home: one process, or several that make a cluster with replication."""

import base64
import time
import uuid
from collections.abc import Sequence
from pathlib import Path

from deploy.local.broker import SMALL_JVM, Broker, Node
from deploy.local.files import write_atomically
from deploy.local.install import install_kafka
from deploy.local.jars import Progress, no_progress
from deploy.local.ports import HOST, is_free, remembered_ports
from schemas.errors import OperatorError

START_TIMEOUT_S = 60.0


class LocalKafka:
    """Synchronous. The number of brokers of a home is settled by its first start."""

    def __init__(
        self,
        home: Path,
        brokers: int = 1,
        *,
        ports: Sequence[int] | None = None,
        advertised_ports: Sequence[int] | None = None,
        heap_mb: int = 512,
        collector: tuple[str, ...] = SMALL_JVM,
        progress: Progress = no_progress,
    ) -> None:
        """`ports` are the clients' ports; `advertised_ports` those of proxies that clients are to use instead.

        `collector` are the JVM's flags of garbage collection, in place of those for a small broker.
        """
        self.home = home.resolve()
        self._count = brokers
        self._ports = ports
        self._advertised = advertised_ports
        self._heap_mb = heap_mb
        self._collector = collector
        self._progress = progress
        self.brokers: list[Broker] = []

    @property
    def bootstrap(self) -> str:
        """`host:port` of every broker, comma-separated, as clients are told; known once it was started."""
        return ",".join(f"{HOST}:{broker.node.advertised_port}" for broker in self.brokers)

    @property
    def pids(self) -> list[int]:
        return [broker.pid for broker in self.brokers if broker.pid is not None]

    def running(self) -> bool:
        return bool(self.brokers) and all(broker.running() for broker in self.brokers)

    def start(self, timeout_s: float = START_TIMEOUT_S) -> None:
        """Return when every broker serves and sees all the others. Safe to repeat."""
        self.spawn()
        self.wait_ready(timeout_s)

    def spawn(self) -> None:
        """Start all without waiting until they are ready."""
        if not self.brokers:
            self.brokers = self._make_brokers()
        for broker in self.brokers:
            broker.spawn()

    def wait_ready(self, timeout_s: float = START_TIMEOUT_S) -> None:
        give_up_at = time.monotonic() + timeout_s
        try:
            for broker in self.brokers:
                broker.wait_ready(give_up_at - time.monotonic(), alive=self._count)
        except OperatorError:
            self.stop()
            raise

    def stop(self) -> None:
        """Stop all at once, bounded, and wait for them. Safe to repeat."""
        for broker in self.brokers:
            broker.ask_to_stop()
        # The last of several finds no quorum to hand its partitions over to: it is killed soon, which is safe.
        for broker in self.brokers:
            broker.stop(timeout_s=20.0 if self._count == 1 else 6.0)

    def stop_broker(self, index: int, *, kill: bool = False) -> None:
        self.brokers[index].stop(kill=kill)

    def start_broker(self, index: int, *, wait: bool = True, timeout_s: float = START_TIMEOUT_S) -> None:
        """Start one again; without a quorum it gets ready only when others are back: then do not wait."""
        self.brokers[index].spawn()
        if wait:
            self.brokers[index].wait_ready(timeout_s)

    def _make_brokers(self) -> list[Broker]:
        cluster_id = self._identity()
        runtime = install_kafka(self._progress, heap_mb=self._heap_mb, collector=self._collector)
        nodes = self._nodes()
        return [Broker(self.home / f"broker-{n.node_id}", n, nodes, runtime, cluster_id) for n in nodes]

    def _identity(self) -> str:
        """Read the cluster's id and check its size, or settle both."""
        file = self.home / "cluster"
        if not file.exists():
            write_atomically(file, f"{new_cluster_id()} {self._count}\n")
        cluster_id, count = file.read_text(encoding="ascii").split()
        if int(count) != self._count:
            raise OperatorError(
                f"{self.home} was made with {count} brokers: ask for as many (--brokers {count}), or use another home"
            )
        return cluster_id

    def _nodes(self) -> list[Node]:
        names = [f"{kind}-{i}" for i in range(self._count) for kind in ("client", "internal", "controller")]
        ports = remembered_ports(self.home / "ports.json", names)
        nodes = []
        for i in range(self._count):
            client = self._ports[i] if self._ports is not None else ports[f"client-{i}"]
            if self._ports is not None and not is_free(client):
                raise OperatorError(f"port {client} on {HOST}, asked for Kafka, is taken")
            advertised = self._advertised[i] if self._advertised is not None else client
            nodes.append(Node(i, client, ports[f"internal-{i}"], ports[f"controller-{i}"], advertised))
        return nodes


def new_cluster_id() -> str:
    """A random id in Kafka's own form; never one that begins as an option does, which its tools refuse."""
    while True:
        cluster_id = base64.urlsafe_b64encode(uuid.uuid4().bytes).rstrip(b"=").decode()
        if not cluster_id.startswith("-"):
            return cluster_id
