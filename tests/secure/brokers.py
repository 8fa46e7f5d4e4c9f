"""A real broker that asks for TLS and credentials, and listeners of it whose certificates are wrong."""

import asyncio
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from msgspec import Struct

from deploy.local.broker import Broker, Node
from deploy.local.install import install_kafka
from deploy.local.kafka import new_cluster_id
from deploy.local.ports import HOST, free_port
from schemas.settings import Settings
from tests.certificates import Authority, Issued
from tests.chaos.proxy import Proxy

USER, PASSWORD = "tccc", "hunter2-kafka"
_LOGIN = "org.apache.kafka.common.security"
_SCRAM = ("SCRAM-SHA-256", "SCRAM-SHA-512")


class Listener(Struct, frozen=True):
    name: str
    port: int
    protocol: str
    certificate: Issued
    advertised_port: int


class SecureKafka:
    """`proxy` stands before the listener SECURE; pointed at another listener, it is as if that were changed."""

    def __init__(self, folder: Path) -> None:
        self.authority = Authority(folder)
        self.proxy = Proxy(target_port=0)
        self._folder = folder
        self._broker: Broker | None = None
        self.ports: dict[str, int] = {}

    async def __aenter__(self) -> Self:
        await self.proxy.__aenter__()
        self._broker = self._make()
        await asyncio.to_thread(self._start, self._broker)
        self.proxy.target_port = self.ports["SECURE"]
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, exc: BaseException | None, trace: TracebackType | None
    ) -> None:
        assert self._broker is not None
        await self.proxy.__aexit__(kind, exc, trace)
        await asyncio.to_thread(self._broker.stop, timeout_s=20.0)

    def settings(self, listener: str = "SECURE", **others: Any) -> Settings:
        """For a client of this listener; all is right unless said otherwise."""
        port = self.proxy.port if listener == "SECURE" else self.ports[listener]
        secure = {
            "kafka_bootstrap": f"{HOST}:{port}",
            "kafka_security_protocol": "SASL_SSL",
            "kafka_sasl_mechanism": "SCRAM-SHA-512",
            "kafka_sasl_username": USER,
            "kafka_sasl_password": PASSWORD,
            "kafka_ssl_cafile": str(self.authority.ca_file),
        }
        return Settings(**secure | others)

    @staticmethod
    def _start(broker: Broker) -> None:
        broker.spawn()
        broker.wait_ready(90.0)

    def _make(self) -> Broker:
        ports: list[int] = []
        for _ in range(7):
            ports.append(free_port(taken=ports))
        good = self.authority.issue("broker", HOST)
        listeners = [
            Listener("SECURE", ports[3], "SASL_SSL", good, self.proxy.port),
            Listener("MUTUAL", ports[4], "SSL", good, ports[4]),
            Listener(
                "EXPIRED", ports[5], "SASL_SSL", self.authority.issue("expired", HOST, expired=True), ports[5]
            ),
            Listener(
                "ELSEWHERE", ports[6], "SASL_SSL", self.authority.issue("other", "kafka.example"), ports[6]
            ),
        ]
        self.ports = {listener.name: listener.port for listener in listeners}
        return Broker(
            self._folder / "broker",
            node := Node(0, ports[0], ports[1], ports[2], ports[0]),
            [node],
            install_kafka(heap_mb=256),
            new_cluster_id(),
            overrides=self._overrides(node, listeners),
            scram=[f"{mechanism}=[name={USER},password={PASSWORD}]" for mechanism in _SCRAM],
        )

    def _overrides(self, node: Node, listeners: list[Listener]) -> dict[str, str]:
        plain = f"CLIENT://{HOST}:{node.client_port},INTERNAL://{HOST}:{node.internal_port}"
        controller = f"CONTROLLER://{HOST}:{node.controller_port}"
        protocols = ["CLIENT:PLAINTEXT", "INTERNAL:PLAINTEXT", "CONTROLLER:PLAINTEXT"]
        overrides = {
            "listeners": ",".join(
                [plain, controller, *(f"{one.name}://{HOST}:{one.port}" for one in listeners)]
            ),
            "advertised.listeners": ",".join(
                [plain, *(f"{one.name}://{HOST}:{one.advertised_port}" for one in listeners)]
            ),
            "listener.security.protocol.map": ",".join(
                [*protocols, *(f"{one.name}:{one.protocol}" for one in listeners)]
            ),
            "sasl.enabled.mechanisms": ",".join(["PLAIN", *_SCRAM]),
        }
        for one in listeners:
            prefix = f"listener.name.{one.name.lower()}."
            overrides |= {prefix + name: value for name, value in self._listener_settings(one).items()}
        return overrides

    def _listener_settings(self, listener: Listener) -> dict[str, str]:
        tls = {
            "ssl.keystore.type": "PEM",
            "ssl.keystore.location": str(listener.certificate.both),
            "ssl.truststore.type": "PEM",
            "ssl.truststore.location": str(self.authority.ca_file),
        }
        if listener.protocol == "SSL":
            return tls | {"ssl.client.auth": "required"}
        plain = f'{_LOGIN}.plain.PlainLoginModule required user_{USER}="{PASSWORD}";'
        scram = f"{_LOGIN}.scram.ScramLoginModule required;"
        return tls | {
            "plain.sasl.jaas.config": plain,
            **{f"{mechanism.lower()}.sasl.jaas.config": scram for mechanism in _SCRAM},
        }
