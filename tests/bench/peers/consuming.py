"""The loop of the worker peers: poll a batch, store it, commit its offsets; until it is terminated.

TOPIC, BOOTSTRAP, GROUP and DSN come from the environment.
"""

import asyncio
import os
from collections.abc import Awaitable, Callable

import asyncpg
import uvloop
from aiokafka import AIOKafkaConsumer

Connection = asyncpg.Connection
Prepare = Callable[[Connection], Awaitable[None]]
Store = Callable[[Connection, list[bytes]], Awaitable[None]]


def run(store: Store, *, batch: int, prepare: Prepare | None = None) -> None:
    uvloop.run(_run(store, batch, prepare))


async def _run(store: Store, batch: int, prepare: Prepare | None) -> None:
    connection = await asyncpg.connect(os.environ["DSN"])
    if prepare is not None:
        await prepare(connection)
    consumer = AIOKafkaConsumer(
        os.environ["TOPIC"],
        bootstrap_servers=os.environ["BOOTSTRAP"],
        group_id=os.environ["GROUP"],
        enable_auto_commit=False,
        auto_offset_reset="earliest",
        max_partition_fetch_bytes=4 * 2**20,
    )
    await consumer.start()
    while True:
        values, offsets = await _poll(consumer, batch)
        await store(connection, values)
        await consumer.commit(offsets)


async def _poll(consumer: AIOKafkaConsumer, batch: int) -> tuple[list[bytes], dict[object, int]]:
    """A full batch, or what there is when nothing came for a while."""
    values: list[bytes] = []
    offsets: dict[object, int] = {}
    while len(values) < batch:
        polled = await consumer.getmany(timeout_ms=200, max_records=batch - len(values))
        if not polled and values:
            break
        for partition, records in polled.items():
            values += [record.value for record in records if record.value is not None]
            offsets[partition] = records[-1].offset + 1
        await asyncio.sleep(0)
    return values, offsets
