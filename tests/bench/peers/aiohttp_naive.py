"""The plain aiohttp receiver: an application, one `send_and_wait` for each request.

PORT, TOPIC and BOOTSTRAP come from the environment.
"""

import os
from collections.abc import AsyncIterator

import uvloop
from aiohttp import web
from aiokafka import AIOKafkaProducer

PRODUCER = web.AppKey("producer", AIOKafkaProducer)


async def produce(app: web.Application) -> AsyncIterator[None]:
    producer = AIOKafkaProducer(bootstrap_servers=os.environ["BOOTSTRAP"], acks="all")
    await producer.start()
    app[PRODUCER] = producer
    yield
    await producer.stop()


async def receive(request: web.Request) -> web.Response:
    await request.app[PRODUCER].send_and_wait(os.environ["TOPIC"], await request.read())
    return web.json_response({"ErrMsg": "ok", "ErrCode": 0})


app = web.Application()
app.cleanup_ctx.append(produce)
app.router.add_post("/", receive)
web.run_app(
    app,
    host="127.0.0.1",
    port=int(os.environ["PORT"]),
    access_log=None,
    print=None,
    loop=uvloop.new_event_loop(),
)
