"""The tools of a run: the proxy does what it counts, the schedule is the seed's, the journal is ahead of the push."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from itertools import islice
from pathlib import Path

import pytest

from tests.chaos.driver import Driver
from tests.chaos.fault import FAULTS
from tests.chaos.feed import Shares, feed
from tests.chaos.journal import Journal, Past
from tests.chaos.mount import can_mount
from tests.chaos.proxy import COMMIT, HOST, Proxy
from tests.chaos.schedule import plan
from tests.chaos.small_disk import LEFT_BYTES, SmallDisk

Until = Callable[..., Awaitable[object]]


@pytest.fixture
async def proxy() -> AsyncIterator[Proxy]:
    """Before a server that sends back what it gets."""

    async def echo(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while chunk := await reader.read(1000):
            writer.write(chunk)
        writer.close()

    server = await asyncio.start_server(echo, HOST, 0)
    async with server, Proxy(server.sockets[0].getsockname()[1]) as proxy:
        yield proxy


async def _ask(proxy: Proxy, question: bytes) -> bytes:
    reader, writer = await asyncio.open_connection(HOST, proxy.port)
    try:
        writer.write(question)
        return await reader.read(1000)
    except ConnectionResetError:
        return b""
    finally:
        writer.close()


async def test_the_proxy_passes_on(proxy: Proxy) -> None:
    assert await _ask(proxy, b"hello") == b"hello"


async def test_the_proxy_loses_the_answer_of_a_commit(proxy: Proxy) -> None:
    proxy.loses_commits = 1
    assert await _ask(proxy, b"Q\0\0\0\x0c" + COMMIT) == b""
    assert await _ask(proxy, b"Q\0\0\0\x0c" + COMMIT) != b""
    assert proxy.counted["commit-lost"] == 1


async def test_the_proxy_swallows_answers_and_breaks_off(proxy: Proxy, eventually: Until) -> None:
    proxy.swallows_answers = True
    asking = asyncio.create_task(_ask(proxy, b"hello"))
    await eventually(lambda: proxy.counted["swallowed"])
    assert proxy.break_off() > 0
    assert await asking == b""


def test_a_seed_makes_one_schedule_and_a_long_one_has_every_fault() -> None:
    schedule = plan(1, 2000, list(FAULTS))
    assert schedule == plan(1, 2000, list(FAULTS))
    assert schedule != plan(2, 2000, list(FAULTS))
    assert {one.name for one in schedule} == FAULTS.keys()


@pytest.mark.parametrize("allowed", [False, *([True] if can_mount() else [])])
def test_a_folder_is_whole_after_it_was_on_a_full_disk(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, allowed: bool
) -> None:
    """Or, where nothing may be mounted, after it was not."""
    folder = tmp_path / "data"
    folder.mkdir(mode=0o700)
    (folder / "file").write_bytes(b"kept")
    disk = SmallDisk(folder)
    if allowed:
        disk.move_in()
        disk.fill()
        with pytest.raises(OSError, match="No space left"):
            (folder / "more").write_bytes(bytes(2 * LEFT_BYTES))
        disk.empty()
        (folder / "more").write_bytes(bytes(2 * LEFT_BYTES))
        disk.move_out()
        (folder / "more").unlink()
    else:
        monkeypatch.setattr("tests.chaos.small_disk.mount_tmpfs", lambda *_: False)
        with pytest.raises(OSError, match="no small disk"):
            disk.move_in()
    assert [path.name for path in tmp_path.iterdir()] == ["data"]
    assert [path.name for path in folder.iterdir()] == ["file"]
    assert (folder / "file").read_bytes() == b"kept"
    assert folder.stat().st_mode & 0o777 == 0o700


async def test_a_push_is_in_the_journal_before_it_is_sent(tmp_path: Path, eventually: Until) -> None:
    """A server that never answers sees no push that the file does not hold."""
    path = tmp_path / "journal"
    unknown, seen = [], []

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = await reader.readuntil(b"\r\n\r\n")
        push_id = head.partition(b"UUID: ")[2].partition(b"\r\n")[0]
        seen.append(push_id)
        if push_id not in path.read_bytes():
            unknown.append(push_id)
        writer.close()

    server = await asyncio.start_server(serve, HOST, 0)
    url = f"http://{HOST}:{server.sockets[0].getsockname()[1]}/"
    deliveries = list(islice(feed(1, Shares()), 2000))
    async with server, Journal(path) as journal:
        driver = Driver(url, journal, iter(deliveries), rate_per_s=1000)
        driving = asyncio.create_task(driver.run())
        await eventually(lambda: len(seen) >= 30)
        driving.cancel()
        await asyncio.gather(driving, return_exceptions=True)
    assert unknown == []
    past = Past(path)
    first = past.sent[deliveries[0].push.push_id]
    assert past.body(first) == deliveries[0].push.body
    past.close()
