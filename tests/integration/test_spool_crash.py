"""Processes that die or meet a full disk while they spool: what they had acknowledged is there, whole.

Run as a program, this file is the process that dies.
"""

import asyncio
import os
import random
import resource
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import pytest

from receiver.spool.drainer import Drainer
from receiver.spool.inspection import inspect
from receiver.spool.spool import Spool
from schemas.envelope import Record
from schemas.errors import SpoolAway

ROOT = Path(__file__).parents[2]
ROOMY = 256 * 2**20


def make_record(writer: str, number: int) -> Record:
    value = f"{writer}:{number}:".encode() + random.Random(number).randbytes(number * 37 % 6000)
    return Record("tccc.push", b"%d" % number, value, [("push-id", f"{writer}:{number}".encode())])


def name_of(record: Record) -> str:
    return dict(record.headers)["push-id"].decode()


# The process that dies


async def write(directory: Path, acks: Path, writer: str, die_at: str) -> None:
    """Put records from eight sides for ever, drain some, and note each put that returned."""
    noted = os.open(acks, os.O_WRONLY | os.O_CREAT | os.O_APPEND)
    numbers = iter(range(10**9))
    spool = await Spool.open(directory, max_bytes=ROOMY, failpoint=killer(die_at))

    async def put_all() -> None:
        for number in numbers:
            try:
                await spool.put(make_record(writer, number))
            except SpoolAway:
                os.write(noted, b"refused\n")
                await asyncio.sleep(0.01)
            else:
                os.write(noted, f"{writer}:{number}\n".encode())

    async def publish(records: Sequence[Record]) -> Sequence[Exception | None]:
        for record in records:
            os.write(noted, f"drained {name_of(record)}\n".encode())
        return [None] * len(records)

    if die_at:
        Drainer(spool, publish, kafka_ready=lambda: True, rate_per_s=500).start()
    await asyncio.gather(*[put_all() for _ in range(8)])


def killer(die_at: str) -> Callable[[str], None]:
    """Kill this process when it comes to this point for the tenth time, or, in a takeover, the first."""
    left = [10 if die_at.endswith("append") else 1]

    def check(point: str) -> None:
        if point == die_at:
            left[0] -= 1
            if not left[0]:
                os.kill(os.getpid(), signal.SIGKILL)

    return check


# The tests


@contextmanager
def writing(
    directory: Path, writer: str, die_at: str = "", limit_bytes: int = 0
) -> Iterator[tuple[subprocess.Popen[bytes], Path]]:
    acks = directory.parent / f"acks-{writer}"

    def limit() -> None:
        if limit_bytes:
            resource.setrlimit(resource.RLIMIT_FSIZE, (limit_bytes, limit_bytes))

    command = [sys.executable, __file__, str(directory), str(acks), writer, die_at]
    environ = {**os.environ, "PYTHONPATH": str(ROOT)}
    with subprocess.Popen(command, env=environ, stdout=subprocess.DEVNULL, preexec_fn=limit) as process:  # noqa: PLW1509 -- no thread holds a lock that setrlimit needs
        try:
            yield process, acks
        finally:
            process.kill()


def noted(acks: Path) -> list[str]:
    """The lines of a writer, of which the last may be cut."""
    return acks.read_text().split("\n")[:-1] if acks.exists() else []


def acknowledged(acks: Path) -> set[str]:
    return {line for line in noted(acks) if " " not in line and line != "refused"}


def drained_before(acks: Path) -> set[str]:
    return {line.removeprefix("drained ") for line in noted(acks) if line.startswith("drained ")}


async def until(condition: Callable[[], bool]) -> None:
    async with asyncio.timeout(20):
        while not condition():
            await asyncio.sleep(0.002)


async def drain(directory: Path) -> list[Record]:
    """Take over and drain all that lies there; the folder must be empty after it."""
    records: list[Record] = []

    async def publish(chunk: Sequence[Record]) -> Sequence[Exception | None]:
        records.extend(chunk)
        return [None] * len(chunk)

    spool = await Spool.open(directory, max_bytes=ROOMY)
    drainer = Drainer(spool, publish, kafka_ready=lambda: True, rate_per_s=1_000_000)
    await drainer.drain_all()
    await spool.close()
    return records


def check(records: Sequence[Record], acks: Path, writer: str) -> None:
    """Every record acknowledged is there or was drained, once, and every one is what was put."""
    mine = [record for record in records if name_of(record).startswith(f"{writer}:")]
    names = [name_of(record) for record in mine]
    assert len(set(names)) == len(names)
    assert acknowledged(acks) - set(names) - drained_before(acks) == set()
    assert mine == [make_record(writer, int(name.split(":")[1])) for name in names]


def check_mended(directory: Path, killed: int = 1) -> None:
    """Nothing is left to be drained. Who is killed within a frame may leave a log that looks damaged, the one that he was
    writing: then it was salvaged, and is kept.
    """
    left = inspect(directory)
    assert [file for file in left if not file.salvaged] == []
    assert len(left) <= killed


@pytest.mark.parametrize("seed", range(15))
async def test_killed_at_any_instant_nothing_acknowledged_is_missing(tmp_path: Path, seed: int) -> None:
    directory = tmp_path / "spool"
    with writing(directory, "w") as (process, acks):
        await until(lambda: len(noted(acks)) > 20)
        await asyncio.sleep(random.Random(seed).random() * 0.15)
        process.kill()
        process.wait()
    records = await drain(directory)
    check(records, acks, "w")
    check_mended(directory)


@pytest.mark.parametrize("point", ["before-append", "after-append", "before-forget", "after-forget"])
async def test_killed_around_a_commit_nothing_acknowledged_is_missing(tmp_path: Path, point: str) -> None:
    directory = tmp_path / "spool"
    with writing(directory, "w", die_at=point) as (process, acks):
        assert await asyncio.to_thread(process.wait, 20) == -signal.SIGKILL
    check(await drain(directory), acks, "w")
    assert inspect(directory) == []


@pytest.mark.parametrize("point", ["set-aside", "salvaged"])
async def test_killed_while_it_salvages_another_does_it_again(tmp_path: Path, point: str) -> None:
    directory = tmp_path / "spool"
    with writing(directory, "w") as (process, acks):
        await until(lambda: len(noted(acks)) > 50)
        process.kill()
        process.wait()
    flip_a_bit(directory)
    with writing(directory, "other", die_at=point) as (process, _):
        assert await asyncio.to_thread(process.wait, 20) == -signal.SIGKILL
    records = await drain(directory)
    names = {name_of(record) for record in records}
    assert len(acknowledged(acks) - names) <= 1
    assert all(record == make_record(*split(name_of(record))) for record in records)
    assert [file.salvaged for file in inspect(directory)] == [True]


def flip_a_bit(directory: Path) -> None:
    """Damage the oldest record, whose value lies in the log."""
    (log,) = directory.glob("*-wal")
    data = bytearray(log.read_bytes())
    data[data.index(b"w:3:") + 1] ^= 4
    log.write_bytes(data)


def split(name: str) -> tuple[str, int]:
    writer, _, number = name.partition(":")
    return writer, int(number)


async def test_two_processes_share_a_folder_and_a_third_takes_over_from_both(tmp_path: Path) -> None:
    directory = tmp_path / "spool"
    with writing(directory, "one") as (one, acks_one), writing(directory, "two") as (two, acks_two):
        await until(lambda: len(noted(acks_one)) > 100 and len(noted(acks_two)) > 100)
        assert await drain(directory) == []  # both live, and keep what is theirs
        assert [file.owned for file in inspect(directory)] == [True, True]
        for process in (one, two):
            process.kill()
            process.wait()
    records = await drain(directory)
    check(records, acks_one, "one")
    check(records, acks_two, "two")
    check_mended(directory, killed=2)


async def test_a_limit_on_the_size_of_files_costs_nothing_acknowledged(tmp_path: Path) -> None:
    directory = tmp_path / "spool"
    with writing(directory, "w", limit_bytes=300_000) as (process, acks):
        await until(lambda: len(acknowledged(acks)) > 800)  # several files' worth
        process.kill()
        process.wait()
    records = await drain(directory)
    check_present(records, acks)
    check_mended(directory)


def check_present(records: Sequence[Record], acks: Path) -> None:
    """As `check`, where a group that was tried in two files may be there twice."""
    assert acknowledged(acks) - {name_of(record) for record in records} == set()
    assert all(record == make_record(*split(name_of(record))) for record in records)


async def test_a_disk_that_takes_nothing_refuses_every_put(tmp_path: Path) -> None:
    directory = tmp_path / "spool"
    with writing(directory, "w", limit_bytes=8192) as (process, acks):
        await until(lambda: noted(acks).count("refused") > 20)
        process.kill()
        process.wait()
    assert acknowledged(acks) == set()
    assert await drain(directory) == []
    assert inspect(directory) == []


if __name__ == "__main__":
    asyncio.run(write(Path(sys.argv[1]), Path(sys.argv[2]), sys.argv[3], sys.argv[4]))
