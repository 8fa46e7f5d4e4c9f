"""Every case of the contract's HTTP table, against a receiver that runs as in production."""

import re
import time
import uuid
from collections.abc import AsyncIterator

import pytest
from msgspec.structs import replace

from runtime.topics import ensure_topics
from schemas.envelope import digest_push_id
from schemas.settings import Settings
from tests.conftest import PAYLOADS
from tests.contract.http_cases import (
    ALL,
    GOOD,
    KEPT,
    MALFORMED,
    MARK,
    MAX_BODY_BYTES,
    REFUSED,
    SDK_APP_ID,
    TAKEN,
    Case,
    body,
    request,
)
from tests.contract.reading import Consumed, read_topic
from tests.contract.wire import Answered, connected
from tests.processes import Role, port_of, running


class Receiver:
    """A running receiver and how to reach it."""

    def __init__(self, role: Role, settings: Settings, port: int) -> None:
        self.role = role
        self.settings = settings
        self.port = port

    async def ask(self, raw: bytes) -> Answered | None:
        async with connected(self.port) as wire:
            return await wire.ask(raw)


@pytest.fixture(scope="module")
async def receiver(kafka_bootstrap: str, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Receiver]:
    """One for all tests of this module, with short time-outs for what comes in slowly."""
    unique = uuid.uuid4().hex
    settings = Settings(
        kafka_bootstrap=kafka_bootstrap,
        kafka_topic=f"push-{unique}",
        kafka_dead_topic=f"dead-{unique}",
        listen="127.0.0.1:0",
        admin_listen="127.0.0.1:0",
        spool_dir=str(tmp_path_factory.mktemp("spool")),
        sdk_app_ids=(7_000_000, SDK_APP_ID),
        max_body_bytes=MAX_BODY_BYTES,
        head_timeout_s=1.0,
        body_timeout_s=1.0,
        ack_timeout_s=20.0,
        drain_s=0,
    )
    await ensure_topics(settings)
    async with running("receiver", settings) as role:
        await role.event("kafka_connected")
        yield Receiver(role, settings, await port_of(role))


@pytest.mark.parametrize("case", ALL, ids=[case.name for case in ALL])
async def test_the_table(receiver: Receiver, case: Case) -> None:
    async with connected(receiver.port) as wire:
        answered = await wire.ask(case.request)
        if case.status is None:
            assert answered is None
            return
        assert answered is not None
        assert (answered.status, answered.headers["content-type"]) == (case.status, "application/json")
        assert case.headers.items() <= answered.headers.items()
        assert MARK not in str(answered)
        if case.code is not None:
            assert set(answered.body) == {"ErrMsg", "ErrCode"}
            assert answered.body["ErrCode"] == case.code
            assert isinstance(answered.body["ErrMsg"], str)
        if case.closes:
            assert answered.headers["connection"] == "close"
            assert await wire.closed()


def with_push_id(case: Case, push_id: str) -> bytes:
    return case.request.replace(
        b"Host: receiver\r\n", f"Host: receiver\r\nX-TCCC-PUSH-UUID: {push_id}\r\n".encode()
    )


async def test_what_is_published_and_what_is_kept(receiver: Receiver) -> None:
    ids = {case.name: uuid.uuid4().hex for case in [*TAKEN, *KEPT, *REFUSED, *MALFORMED]}
    quick = [case for case in ALL if case.status not in (None, 408)]
    before_us = time.time_ns() // 1000
    for case in quick:
        await receiver.ask(with_push_id(case, ids[case.name]))
    published = by_push_id(await read_topic(receiver.settings, receiver.settings.kafka_topic), ids)
    letters = by_push_id(await read_topic(receiver.settings, receiver.settings.kafka_dead_topic), ids)
    assert {name: (text(one.key), one.value) for name, one in published.items()} == {
        case.name: (case.key, case.published) for case in quick if case.published is not None
    }
    assert {
        name: (text(one.key), one.value, text(dict(one.headers)["dead-reason"]))
        for name, one in letters.items()
    } == {
        case.name: (case.key, case.request.partition(b"\r\n\r\n")[2], case.reason)
        for case in quick
        if case.reason
    }
    times = [int(dict(one.headers)["received-at"]) for name in ids for one in [published.get(name)] if one]
    assert times == sorted(set(times))
    assert before_us <= times[0] <= times[-1] <= time.time_ns() // 1000
    assert {name for name, one in published.items() if "repaired" in dict(one.headers)} == {"trailing commas"}


def by_push_id(records: list[Consumed], ids: dict[str, str]) -> dict[str, Consumed]:
    named = {push_id: name for name, push_id in ids.items()}
    found = [(named.get(str(text(dict(one.headers)["push-id"]))), one) for one in records]
    assert len({name for name, _ in found if name}) == sum(1 for name, _ in found if name)
    return {name: one for name, one in found if name}


def text(raw: bytes | None) -> str | None:
    return None if raw is None else raw.decode()


async def test_nothing_of_a_request_is_logged(receiver: Receiver) -> None:
    for case in ALL:
        if case.status not in (None, 408):
            await receiver.ask(case.request)
    assert receiver.role.log
    assert MARK not in str(receiver.role.log)


@pytest.mark.parametrize("name", sorted(path.stem for path in PAYLOADS.glob("*.json")))
async def test_the_vendors_samples(topics: Settings, name: str) -> None:
    sent = (PAYLOADS / f"{name}.json").read_bytes()
    action = name.partition("-")[0]
    push_id = uuid.uuid4().hex
    async with running("receiver", replace(topics, ack_timeout_s=20.0)) as role:
        await role.event("kafka_connected")
        async with connected(await port_of(role)) as wire:
            raw = request(f"/?action={action}&version=1", sent, headers={"X-TCCC-PUSH-UUID": push_id})
            assert (await wire.ask(raw)) is not None
    [found] = await read_topic(topics, topics.kafka_topic)
    headers = dict(found.headers)
    assert (headers["action"], headers["version"], headers["source"]) == (action.encode(), b"1", b"push")
    assert headers["push-id"] == push_id.encode()
    if name == "cdr-documented":
        assert headers["repaired"] == b"trailing-commas"
    else:
        assert found.value == sent
        assert list(headers) == ["action", "version", "push-id", "received-at", "source"]


async def test_push_ids(receiver: Receiver) -> None:
    sent = body(SessionId=f"ids-{uuid.uuid4().hex}")
    for push_id in (None, "x" * 201, "x" * 200, "x" * 200):
        headers = {} if push_id is None else {"X-TCCC-PUSH-UUID": push_id}
        answered = await receiver.ask(request(sent=sent, headers=headers))
        assert answered is not None
        assert answered.body["ErrCode"] == 0
    found = await read_topic(receiver.settings, receiver.settings.kafka_topic)
    ids = [dict(one.headers)["push-id"] for one in found if one.value == sent]
    digest = digest_push_id("cdr", sent).encode()
    assert ids == [digest, digest, b"x" * 200, b"x" * 200]


async def test_one_connection_serves_many(receiver: Receiver) -> None:
    async with connected(receiver.port) as wire:
        for raw, status in (
            (request(), 200),
            (request("/x"), 404),
            (request(sent=b"{"), 400),
            (request(), 200),
        ):
            answered = await wire.ask(raw)
            assert answered is not None
            assert (answered.status, "connection" in answered.headers) == (status, False)


async def test_pipelined_requests_are_answered_in_order(receiver: Receiver) -> None:
    async with connected(receiver.port) as wire:
        await wire.send(request() + request("/x") + request(sent=b"[]") + request(method="GET") + request())
        answers = [await wire.answer() for _ in range(5)]
        assert [one and one.body["ErrCode"] for one in answers] == [0, 40401, 40001, 40501, 0]


async def test_expect_continue(receiver: Receiver) -> None:
    async with connected(receiver.port) as wire:
        expecting = {"Content-Length": str(len(GOOD)), "Expect": "100-continue"}
        await wire.send(request(sent=b"", framing=expecting))
        assert await wire.answer() == (100, {}, None)
        await wire.send(GOOD)
        answered = await wire.answer()
        assert answered is not None
        assert answered.status == 200
        # what is refused before the body is never asked for
        await wire.send(request("/x", b"", framing=expecting))
        answered = await wire.answer()
        assert answered is not None
        assert answered.status == 404


async def test_a_body_that_is_cut_short_is_not_taken(receiver: Receiver) -> None:
    push_id = uuid.uuid4().hex
    whole = request(headers={"X-TCCC-PUSH-UUID": push_id})
    chunked = request(
        sent=b"%x\r\n%s\r\n" % (len(GOOD), GOOD),
        framing={"Transfer-Encoding": "chunked"},
        headers={"X-TCCC-PUSH-UUID": push_id},
    )
    for raw in (whole[:-1], chunked):
        async with connected(receiver.port) as wire:
            await wire.send(raw)
    await receiver.ask(request())  # what was sent before has been dealt with
    found = await read_topic(receiver.settings, receiver.settings.kafka_topic)
    found += await read_topic(receiver.settings, receiver.settings.kafka_dead_topic)
    assert push_id.encode() not in [dict(one.headers)["push-id"] for one in found]


async def test_a_slow_body_that_comes_in_time_is_taken(receiver: Receiver) -> None:
    async with connected(receiver.port) as wire:
        raw = request()
        for part in (raw[:10], raw[10:-5], raw[-5:-1], raw[-1:]):
            await wire.send(part)
        answered = await wire.answer()
        assert answered is not None
        assert answered.status == 200


async def test_a_push_path_of_its_own(topics: Settings) -> None:
    settings = replace(topics, push_path="/推送/tccc", ack_timeout_s=20.0)
    async with running("receiver", settings) as role:
        await role.event("kafka_connected")
        found = re.search(r":(\d+)/", (await role.event("started"))["push"])
        assert found is not None
        async with connected(int(found[1])) as wire:
            path = "/%E6%8E%A8%E9%80%81/tccc"
            answers = [
                await wire.ask(request(f"{one}?action=cdr&version=1")) for one in (path, "/", path + "/")
            ]
    assert [one and one.status for one in answers] == [200, 404, 404]


async def test_only_so_many_refused_bodies_are_kept(topics: Settings) -> None:
    settings = replace(topics, dead_per_minute=3, ack_timeout_s=20.0)
    async with running("receiver", settings) as role:
        await role.event("kafka_connected")
        async with connected(await port_of(role)) as wire:
            answers = [await wire.ask(request(sent=b"%d" % number)) for number in range(5)]
    assert [one and one.body["ErrCode"] for one in answers] == [40001] * 5
    letters = await read_topic(settings, settings.kafka_dead_topic)
    assert sorted(one.value or b"" for one in letters) == [b"0", b"1", b"2"]


async def test_metrics_count_answers(receiver: Receiver) -> None:
    for raw in (request(), request("/?action=nonsense&version=1"), MALFORMED[0].request):
        await receiver.ask(raw)
    status, shown = await receiver.role.admin("/metrics")
    assert status == 200
    for line in (
        'tccc_receiver_pushes_total{action="cdr",outcome="taken"}',
        'tccc_receiver_pushes_total{action="unknown",outcome="bad-action"}',
        'tccc_receiver_pushes_total{action="unknown",outcome="malformed"}',
        'tccc_dead_letters_total{reason="bad-action",stage="receive"}',
        'tccc_receiver_ack_seconds_bucket{le="0.5"}',
        "tccc_receiver_in_flight 0.0",
        "tccc_spool_records 0.0",
        "tccc_spool_bytes",
        "tccc_spool_oldest_seconds 0.0",
    ):
        assert line in shown
    assert "nonsense" not in shown


def test_the_table_names_each_case_once() -> None:
    assert len({case.name for case in ALL}) == len(ALL)
