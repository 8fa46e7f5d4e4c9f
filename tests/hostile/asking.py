"""Sends cases over real sockets and to the topic, and writes down how they were answered."""

import asyncio
from collections.abc import Sequence
from contextlib import suppress

from aiokafka import AIOKafkaProducer

from runtime.kafka import client_options
from schemas.settings import Settings
from tests.contract.http_cases import request
from tests.contract.wire import Answered, Wire, connected
from tests.hostile.case import NO_ANSWER, Case, Produced

AT_ONCE = 16
# Answered before its body is looked at, and kept nowhere: shows that a connection is still in step.
_PROBE = request(method="PUT", sent=b"")
_PROBED = (405, 40501)

Place = tuple[int, int]  # partition and offset


async def ask_all(cases: Sequence[Case], ports: dict[str, int]) -> list[str]:
    """Each on a connection of its own, some at once; the answers in the words of the table."""
    turns = asyncio.Semaphore(AT_ONCE)

    async def one(case: Case) -> str:
        assert isinstance(case.sent, bytes)
        async with turns, connected(ports[case.receiver]) as wire:
            with suppress(ConnectionError):  # refused before all of it was sent: the answer is there
                await wire.send(case.sent)
            if case.hangs_up:
                return NO_ANSWER
            return await _answers(wire, case)

    return await asyncio.gather(*map(one, cases))


async def _answers(wire: Wire, case: Case) -> str:
    assert isinstance(case.sent, bytes)
    seen: list[str] = []
    answered: Answered | None = None
    for _ in range(case.answer.count(",") + 1):
        answered = await wire.answer(to_head=case.sent.startswith(b"HEAD"))
        if answered is None:
            return ", ".join([*seen, NO_ANSWER])
        code = answered.body["ErrCode"] if answered.body else "-"
        seen.append(f"{answered.status} {code}")
    assert answered is not None
    return f"{', '.join(seen)} {await _afterwards(wire, answered)}"


async def _afterwards(wire: Wire, last: Answered) -> str:
    if last.headers.get("connection") == "close":
        return "closed" if await wire.closed() else "more than was asked for"
    probed = await wire.ask(_PROBE)
    if probed is None:
        return "closed without a word"
    return "kept" if (probed.status, probed.body["ErrCode"]) == _PROBED else f"out of step: {probed}"


async def produce_all(cases: Sequence[Case], settings: Settings) -> list[Place]:
    """Publish the records of these cases; returns where each of them is."""
    producer = AIOKafkaProducer(**client_options(settings), acks="all", max_request_size=3 * 2**20)
    await producer.start()
    places = []
    try:
        for case in cases:
            sent = case.sent
            assert isinstance(sent, Produced)
            done = await producer.send_and_wait(
                settings.kafka_topic, value=sent.value, key=sent.key, headers=list(sent.headers)
            )
            places.append((done.partition, done.offset))
    finally:
        await producer.stop()
    return places
