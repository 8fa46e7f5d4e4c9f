"""Starting, stopping and readiness of a receiver process."""

import asyncio
import signal
import socket
import uuid

from msgspec.structs import replace

from schemas.settings import Settings
from tests.conftest import wait_until
from tests.contract.http_cases import CHUNKED, GOOD, body, chunks, request
from tests.contract.reading import read_topic
from tests.contract.wire import connected
from tests.processes import Role, port_of, running


async def test_sigterm_drains(topics: Settings) -> None:
    """Unready at once, serving for the drain time, then refusing; what is in flight is finished; exit 0."""
    settings = replace(topics, drain_s=60.0, ack_timeout_s=20.0)
    async with running("receiver", settings) as role:
        port = await port_of(role)
        await wait_until(role.ready)
        async with connected(port) as slow, connected(port) as idle, connected(port) as late:
            assert (await idle.ask(request())).status == 200  # type: ignore[union-attr]
            assert (await late.ask(request())).status == 200  # type: ignore[union-attr]
            whole = request()
            await slow.send(whole[:-5])
            await wait_until(lambda: _shows(role, "tccc_receiver_in_flight 1.0"))

            role.process.send_signal(signal.SIGTERM)
            await role.event("stopping")
            assert await role.admin("/readyz") == (503, '{"status": "unready", "reason": "stopping"}')
            assert (await role.admin("/livez"))[0] == 200
            answered = await idle.ask(request())
            assert answered is not None
            assert (answered.status, answered.headers["connection"]) == (200, "close")
            async with connected(port) as new:
                assert (await new.ask(request())).status == 200  # type: ignore[union-attr]

            role.process.send_signal(signal.SIGTERM)  # skips the rest of the drain time
            await wait_until(lambda: not _listens(port))
            answered = await late.ask(request())
            assert answered is not None
            assert (answered.status, answered.body["ErrCode"]) == (503, 50301)
            assert answered.headers["connection"] == "close"
            assert int(answered.headers["retry-after"]) > 0
            await slow.send(whole[-5:])
            answered = await slow.answer()
            assert answered is not None
            assert answered.status == 200
        assert await role.stop() == 0
    assert len(await read_topic(settings, settings.kafka_topic)) == 5


async def test_the_drain_time_ends_by_itself(topics: Settings) -> None:
    async with running("receiver", replace(topics, drain_s=0.1)) as role:
        await role.event("started")
        assert await role.stop(signal.SIGINT) == 0


async def test_kafka_away_and_no_spool(topics: Settings) -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        bootstrap = f"127.0.0.1:{silent.getsockname()[1]}"
        settings = replace(topics, kafka_bootstrap=bootstrap, spool_dir="", ack_timeout_s=0.2)
        async with running("receiver", settings) as role:
            async with connected(await port_of(role)) as wire:
                for sent in (GOOD, b"to be kept"):  # neither can be
                    answered = await wire.ask(request(sent=sent))
                    assert answered is not None
                    assert (answered.status, answered.body["ErrCode"]) == (503, 50301)
                    assert int(answered.headers["retry-after"]) > 0
            assert not await role.ready()
            assert (await role.admin("/livez"))[0] == 200
            assert await role.stop() == 0


async def test_kafka_away_and_a_spool(topics: Settings) -> None:
    """What the spool took while Kafka was away, a good push and a bad one, is published by the next receiver."""
    with socket.create_server(("127.0.0.1", 0)) as silent:
        bootstrap = f"127.0.0.1:{silent.getsockname()[1]}"
        async with running("receiver", replace(topics, kafka_bootstrap=bootstrap)) as role:
            async with connected(await port_of(role)) as wire:
                answers = [await wire.ask(request(sent=sent)) for sent in (GOOD, b"to be kept")]
            assert [one and one.body["ErrCode"] for one in answers] == [0, 40001]
            assert await role.ready()
            assert "tccc_spool_records 2.0" in (await role.admin("/metrics"))[1]
            assert await role.stop(signal.SIGKILL) == -signal.SIGKILL
    async with running("receiver", topics) as role:
        await role.event("kafka_connected")
        await wait_until(lambda: _published(topics))
        assert await role.stop() == 0


async def _published(settings: Settings) -> bool:
    found = [await read_topic(settings, topic) for topic in (settings.kafka_topic, settings.kafka_dead_topic)]
    return [[one.value for one in records] for records in found] == [[GOOD], [b"to be kept"]]


async def test_bad_settings_are_refused_before_a_socket_opens(topics: Settings) -> None:
    async with running("receiver", topics, TCCC_DRIAN_S="5") as role:
        assert await role.stop(signal.SIGCONT) == 2
    assert "TCCC_DRIAN_S is not a setting" in str(role.log)


async def test_an_address_in_use_is_said(topics: Settings) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        address = f"127.0.0.1:{taken.getsockname()[1]}"
        async with running("receiver", replace(topics, listen=address)) as role:
            assert await role.stop(signal.SIGCONT) == 2
    assert "TCCC_LISTEN: cannot listen" in str(role.log)


async def test_receivers_share_a_port(topics: Settings) -> None:
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    settings = replace(topics, listen=f"127.0.0.1:{port}", reuse_port=True)
    async with running("receiver", settings) as one, running("receiver", settings) as other:
        await asyncio.gather(one.event("started"), other.event("started"))
        assert await one.stop() == 0
        async with connected(port) as wire:
            answered = await wire.ask(request(headers={"X-TCCC-PUSH-UUID": uuid.uuid4().hex}))
        assert answered is not None
        assert answered.status == 200


async def _shows(role: Role, line: str) -> bool:
    return line in (await role.admin("/metrics"))[1]


def _listens(port: int) -> bool:
    try:
        socket.create_connection(("127.0.0.1", port), timeout=1).close()
    except ConnectionError:
        return False
    return True


async def test_large_bodies_and_the_bound_on_them(topics: Settings) -> None:
    """Bodies far beyond a socket's buffer pass; those that would be too many bytes at once get 503."""
    large = body(Uui="x" * (2**20 - len(body(Uui=""))))
    parts = [large[at : at + 9000] for at in range(0, len(large), 9000)]
    whole = request(sent=large)
    chunked = request(sent=chunks(*parts), framing=CHUNKED)
    settings = replace(topics, max_in_flight_bytes=2**20, ack_timeout_s=20.0)
    async with running("receiver", settings) as role:
        await role.event("kafka_connected")
        port = await port_of(role)
        async with connected(port) as wire:
            answers = [await wire.ask(raw) for raw in (whole, chunked)]
            assert [one and one.status for one in answers] == [200, 200]
        async with connected(port) as slow, connected(port) as other:
            await slow.send(whole[:-1])
            await wait_until(lambda: _shows(role, "in_flight_bytes 1.048575e+06"))
            answered = await other.ask(request())
            assert answered is not None
            assert (answered.status, answered.body["ErrCode"]) == (503, 50301)
            await slow.send(whole[-1:])
            answered = await slow.answer()
            assert answered is not None
            assert answered.status == 200
            assert (await other.ask(request())).status == 200  # type: ignore[union-attr]
    published = [one.value for one in await read_topic(settings, settings.kafka_topic)]
    assert published.count(large) == 3
