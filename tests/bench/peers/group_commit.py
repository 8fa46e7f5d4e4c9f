"""The least that is durable on aiohttp: its low-level server, and group commit without keys, checks or spool.

Where TOPIC is empty it only reads and answers, which is the limit of the server. PORT and BOOTSTRAP as ever; several
may share a port.
"""

import asyncio
import os
from typing import Any

import uvloop
from aiohttp import web
from aiokafka import AIOKafkaProducer

TOPIC = os.environ["TOPIC"]
MAX_BATCH_BYTES = 2**20


class Groups:
    """One batch is under way; what comes meanwhile joins the next one. Partitions take turns."""

    def __init__(self, producer: AIOKafkaProducer, partitions: list[int]) -> None:
        self._producer = producer
        self._partitions = partitions
        self._turn = 0
        self._batch: Any = None
        self._done: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._sending: asyncio.Task[None] | None = None

    def add(self, body: bytes) -> asyncio.Future[None]:
        if self._batch is None:
            self._batch = self._producer.create_batch()
            self._done = asyncio.get_running_loop().create_future()
        if self._batch.append(key=None, value=body, timestamp=None) is None:
            raise ValueError("a batch is full: too many connections for this peer")
        if self._sending is None:
            self._sending = asyncio.create_task(self._send_all())
        return self._done

    async def _send_all(self) -> None:
        while self._batch is not None:
            batch, done, self._batch = self._batch, self._done, None
            self._turn = (self._turn + 1) % len(self._partitions)
            batch.close()
            await (await self._producer.send_batch(batch, TOPIC, partition=self._partitions[self._turn]))
            done.set_result(None)
        self._sending = None


async def serve() -> None:
    groups: Groups | None = None
    if TOPIC:
        producer = AIOKafkaProducer(
            bootstrap_servers=os.environ["BOOTSTRAP"], acks="all", max_batch_size=MAX_BATCH_BYTES
        )
        await producer.start()
        groups = Groups(producer, sorted(await producer.partitions_for(TOPIC)))

    async def receive(request: web.BaseRequest) -> web.Response:
        body = await request.read()
        if groups is not None:
            await groups.add(body)
        return web.Response(body=b'{"ErrMsg": "ok", "ErrCode": 0}', content_type="application/json")

    runner = web.ServerRunner(web.Server(receive), access_log=None)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", int(os.environ["PORT"]), backlog=1024, reuse_port=True).start()
    await asyncio.Event().wait()


uvloop.run(serve())
