"""Kafka Connect with Debezium's JDBC sink: one flat table, upserts by SessionId.

It cannot write arrays of records, so the participants are dropped: it does less than the project's worker.
"""

import asyncio
import json
import uuid
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import aiohttp

from deploy.local.broker import Runtime
from deploy.local.jars import cache_folder, ensure_jars
from deploy.local.ports import HOST, free_port
from tests.bench.roles import peer
from tests.bench.services import Services

MANIFEST = Path(__file__).with_name("connect_jars.txt")
TABLE = "flat_debezium"
_TEXTS = "SessionId Caller Callee CallerLocation HungUpSide EndStatusString QueuedSkillGroupName RecordId UserRemark Uui"
_NUMBERS = (
    "SdkAppId Direction Duration IVRDuration RingTimestamp AcceptTimestamp EndedTimestamp StartTimestamp "
    "QueuedTimestamp QueuedSkillGroupId"
)
_SEAT = "Mail Name Nick Phone UserId StaffNumber"
_TEL = "TelNumber Country Province City Operator"


class Connect:
    """A running Connect process; each sink is a connector of its own, in a consumer group of its own."""

    def __init__(self, services: Services, pid: int, rest_port: int) -> None:
        self.pid = pid
        self._url = f"http://{HOST}:{rest_port}/connectors"
        self._database = urlsplit(services.postgres.url)

    @asynccontextmanager
    async def sink(self, topic: str, batch: int) -> AsyncIterator[str]:
        """Yields the sink's consumer group."""
        name = f"sink-{uuid.uuid4().hex[:8]}"
        async with aiohttp.ClientSession(raise_for_status=True) as session:
            await session.post(self._url, json={"name": name, "config": self._config(topic, batch)})
            try:
                yield f"connect-{name}"
            finally:
                await session.delete(f"{self._url}/{name}")

    async def wait_ready(self) -> None:
        async with asyncio.timeout(90), aiohttp.ClientSession() as session:
            while True:
                try:
                    async with session.get(self._url) as answer:
                        if answer.status == 200:
                            return
                except aiohttp.ClientError:
                    pass
                await asyncio.sleep(0.1)

    def _config(self, topic: str, batch: int) -> dict[str, str]:
        database = self._database
        return {
            "connector.class": "io.debezium.connector.jdbc.JdbcSinkConnector",
            "tasks.max": "1",
            "topics": topic,
            "connection.url": f"jdbc:postgresql://{database.hostname}:{database.port}{database.path}"
            "?reWriteBatchedInserts=true",
            "connection.username": database.username or "",
            "connection.password": database.password or "",
            "insert.mode": "upsert",
            "primary.key.mode": "record_value",
            "primary.key.fields": "SessionId",
            "schema.evolution": "basic",
            "collection.name.format": TABLE,
            "batch.size": str(batch),
            "consumer.override.max.poll.records": str(batch),
            "transforms": "flat",
            "transforms.flat.type": "org.apache.kafka.connect.transforms.Flatten$Value",
            "transforms.flat.delimiter": "_",
        }


@asynccontextmanager
async def connect(services: Services) -> AsyncIterator[Connect]:
    """Raises OperatorError if its jars cannot be had."""
    jars = await asyncio.to_thread(ensure_jars, cache_folder().parent / "debezium-sink", manifest=MANIFEST)
    rest_port = free_port()
    config = services.home / "connect.properties"
    config.write_text(
        f"bootstrap.servers={services.kafka.bootstrap}\n"
        "key.converter=org.apache.kafka.connect.converters.ByteArrayConverter\n"
        "value.converter=org.apache.kafka.connect.json.JsonConverter\n"
        "value.converter.schemas.enable=true\n"
        f"value.converter.schema.content={json.dumps(_schema())}\n"
        f"offset.storage.file.filename={services.home / 'connect.offsets'}\n"
        f"listeners=HTTP://{HOST}:{rest_port}\n"
        "connector.client.config.override.policy=All\n"
        "consumer.fetch.min.bytes=1000000\n"
        "consumer.auto.offset.reset=earliest\n",
        encoding="utf-8",
    )
    java = Runtime(jars=jars, jvm_flags=("-Xmx1g", "-Dorg.slf4j.simpleLogger.defaultLogLevel=warn"))
    command = java.command("org.apache.kafka.connect.cli.ConnectStandalone", str(config))
    async with peer(services, "connect", command, {}) as pid:
        running = Connect(services, pid, rest_port)
        await running.wait_ready()
        yield running


def _schema() -> dict[str, Any]:
    """What the sink's converter takes the bodies for; names that are not in it are dropped."""
    fields = [*_fields(_TEXTS, "string"), *_fields(_NUMBERS, "int64")]
    for name, texts in (("SeatUser", _SEAT), ("TelLocation", _TEL)):
        fields.append({"field": name, "type": "struct", "optional": True, "fields": _fields(texts, "string")})
    return {"type": "struct", "optional": False, "fields": fields}


def _fields(names: str, kind: str) -> list[dict[str, Any]]:
    return [{"field": name, "type": kind, "optional": name != "SessionId"} for name in names.split()]
