"""TCCC_AUTH=basic: who is let in, how everybody else is answered, and how credentials are exchanged."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from msgspec.structs import replace

from schemas.settings import Settings
from tests.conftest import wait_until
from tests.contract.credentials import answered, carrying, statuses, the_one_answer
from tests.contract.http_cases import MAX_BODY_BYTES
from tests.contract.rotation import PUSHES_BETWEEN, rotate
from tests.contract.wire import connected
from tests.contract.wrong_credentials import BASIC, PASSWORD, RIGHT, USER, basic
from tests.processes import Role, port_of, running

SECOND = f"{USER}:second one 密码"


@pytest.fixture
async def receiver(topics: Settings) -> AsyncIterator[Role]:
    settings = replace(
        topics,
        auth="basic",
        basic_user=USER,
        basic_password=PASSWORD,
        basic_password_2=SECOND.partition(":")[2],
        max_body_bytes=MAX_BODY_BYTES,
        ack_timeout_s=20.0,
    )
    async with running("receiver", settings) as role:
        await role.event("kafka_connected")
        yield role


async def test_who_is_let_in_and_who_is_not(receiver: Role) -> None:
    port = await port_of(receiver)
    rights = (basic(RIGHT), basic(RIGHT, scheme="basic "), basic(RIGHT, scheme="BASIC   "), basic(SECOND))
    assert await statuses(port, *rights) == [200] * 4
    assert len(BASIC) >= 40
    refusal = await the_one_answer(port, BASIC)
    assert refusal == (
        b"HTTP/1.1 401 Unauthorized\r\n"
        b'WWW-Authenticate: Basic realm="tccc", charset="UTF-8"\r\n'
        b"Content-Type: application/json\r\n"
        b"Content-Length: 64\r\n\r\n"
        b'{"ErrMsg": "credentials are missing or wrong", "ErrCode": 40101}'
    )
    assert PASSWORD not in str(receiver.log)


async def test_the_body_of_a_stranger_is_not_waited_for(receiver: Role) -> None:
    endless = {"Content-Length": str(MAX_BODY_BYTES + 1), "Expect": "100-continue"}
    refusal = await answered(await port_of(receiver), carrying((basic("a:b"),), b"", endless))
    assert refusal is not None
    assert refusal.startswith(b"HTTP/1.1 401 ")


async def test_who_fails_too_often_is_told_so_and_locks_nobody_out(topics: Settings) -> None:
    settings = replace(
        topics,
        auth="basic",
        basic_user=USER,
        basic_password=PASSWORD,
        auth_failures_per_minute=5,
        trusted_proxies=("127.0.0.0/8",),
        ack_timeout_s=20.0,
    )
    wrong, right = carrying((basic("a:b"),)), carrying((basic(RIGHT),))

    def behind(client: str, raw: bytes) -> bytes:
        return raw.replace(b"\r\n\r\n", f"\r\nX-Forwarded-For: 9.9.9.9, {client}\r\n\r\n".encode(), 1)

    async with running("receiver", settings) as role, connected(await port_of(role)) as wire:
        statuses = [await wire.ask(behind("203.0.113.1", wrong)) for _ in range(7)]
        assert [one and (one.status, one.body["ErrCode"]) for one in statuses] == [(401, 40101)] * 5 + [
            (429, 42901)
        ] * 2
        assert statuses[-1] is not None
        assert int(statuses[-1].headers["retry-after"]) > 0
        for client, raw, status in (
            ("203.0.113.1", right, 200),
            ("203.0.113.2", wrong, 401),
            ("203.0.113.1", wrong, 429),
        ):
            one = await wire.ask(behind(client, raw))
            assert one is not None
            assert one.status == status
        _, shown = await role.admin("/metrics")
        assert 'tccc_receiver_pushes_total{action="cdr",outcome="too-many"} 3.0' in shown
        assert "203.0.113" not in shown


async def test_credentials_are_exchanged_under_load_without_a_refusal(
    topics: Settings, tmp_path: Path
) -> None:
    rotated = await rotate(replace(topics, ack_timeout_s=20.0), tmp_path)
    assert rotated.pushes > 3 * PUSHES_BETWEEN
    assert (rotated.refused, rotated.old_after) == (0, 401)
    assert "two" not in rotated.log


async def test_without_credentials_it_does_not_start(topics: Settings) -> None:
    async with running("receiver", replace(topics, auth="basic", basic_user=USER)) as role:
        assert await role.process.wait() == 2
        await wait_until(lambda: "TCCC_BASIC_PASSWORD is needed" in str(role.log))
