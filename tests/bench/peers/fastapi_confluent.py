"""A receiver as a typical team writes it: FastAPI, confluent-kafka's producer polled by a thread.

Run by uvicorn; TOPIC and BOOTSTRAP come from the environment.
"""

import asyncio
import os
import threading
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from confluent_kafka import Producer
from fastapi import FastAPI, Request, Response

TOPIC = os.environ["TOPIC"]
LINGER_MS = 5


@asynccontextmanager
async def lifespan(app: FastAPI) -> AsyncIterator[None]:
    producer = Producer({"bootstrap.servers": os.environ["BOOTSTRAP"], "acks": "all", "linger.ms": LINGER_MS})
    stopping = threading.Event()

    def poll() -> None:
        while not stopping.is_set():
            producer.poll(0.1)

    poller = threading.Thread(target=poll, daemon=True)
    poller.start()
    app.state.producer = producer
    yield
    stopping.set()
    poller.join()
    producer.flush(10)


async def receive(request: Request) -> Response:
    loop = asyncio.get_running_loop()
    delivered: asyncio.Future[None] = loop.create_future()

    def settle(error: Any) -> None:
        if delivered.done():
            return
        if error is None:
            delivered.set_result(None)
        else:
            delivered.set_exception(RuntimeError(str(error)))

    def report(error: Any, _message: Any) -> None:
        loop.call_soon_threadsafe(settle, error)

    request.app.state.producer.produce(TOPIC, value=await request.body(), on_delivery=report)
    await delivered
    return Response(b'{"ErrMsg": "ok", "ErrCode": 0}', media_type="application/json")


app = FastAPI(lifespan=lifespan)
app.add_api_route("/", receive, methods=["POST"])
