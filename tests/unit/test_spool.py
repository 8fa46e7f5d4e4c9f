"""The spool's promises, on real files: what was put comes out whole and in order, or the put fails."""

import asyncio
import random
import shutil
import sqlite3
import threading
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from receiver.spool import wal
from receiver.spool.drainer import Drainer
from receiver.spool.folder import list_files
from receiver.spool.frame import PAGE_BYTES, Framer, Part
from receiver.spool.inspection import inspect
from receiver.spool.lease import Lease, is_owned
from receiver.spool.spool import Drained, Spool
from schemas.envelope import Record
from schemas.errors import BrokerAway, OperatorError, SpoolAway

ROOMY = 256 * 2**20


def make_record(number: int, size: int = 300) -> Record:
    value = b"%d:" % number + random.Random(number).randbytes(size)
    key = b"key-%d" % number if number % 3 else None
    return Record(
        "tccc.push", key, value, [("action", b"cdr"), ("push-id", b"\x00\xff%d" % number), ("a", b"")]
    )


class Sink:
    """Stands for Kafka: takes records, or refuses those it is told to."""

    def __init__(self) -> None:
        self.records: list[Record] = []
        self.refuses: Callable[[Record], bool] = lambda _: False

    async def publish(self, records: Sequence[Record]) -> Sequence[Exception | None]:
        outcomes: list[Exception | None] = []
        for record in records:
            refused = self.refuses(record)
            outcomes.append(BrokerAway("refused") if refused else None)
            if not refused:
                self.records.append(record)
        return outcomes


class Disk:
    """A failpoint that fails commits as a disk would, as often as it is told to."""

    def __init__(self) -> None:
        self.failures: dict[str, list[tuple[int, str]]] = {}
        self.seen: list[str] = []

    def fail(self, point: str, code: int, times: int = 1) -> None:
        self.failures[point] = [(code, "injected")] * times

    def __call__(self, point: str) -> None:
        self.seen.append(point)
        if self.failures.get(point):
            code, name = self.failures[point].pop()
            error = sqlite3.OperationalError(name)
            error.sqlite_errorcode, error.sqlite_errorname = code, name
            raise error


@asynccontextmanager
async def opened(
    directory: Path, *, max_bytes: int = ROOMY, failpoint: Callable[[str], None] = lambda _: None
) -> AsyncIterator[Spool]:
    spool = await Spool.open(directory, max_bytes=max_bytes, failpoint=failpoint)
    try:
        yield spool
    finally:
        await spool.close()


async def drain_all(spool: Spool) -> list[Record]:
    sink = Sink()
    drainer = Drainer(spool, sink.publish, kafka_ready=lambda: True, rate_per_s=1_000_000)
    await drainer.drain_all()
    return sink.records


async def put_all(spool: Spool, records: Sequence[Record]) -> None:
    await asyncio.gather(*[spool.put(record) for record in records])


async def until(condition: Callable[[], bool]) -> None:
    async with asyncio.timeout(20):
        while not condition():
            await asyncio.sleep(0.005)


def names_in(directory: Path) -> list[str]:
    return [path.name for path in directory.iterdir()]


def bytes_in(directory: Path) -> int:
    return sum(path.stat().st_size for path in directory.iterdir())


async def put_until_refused(spool: Spool, records: Sequence[Record], taken: list[Record]) -> None:
    for record in records:
        await spool.put(record)
        taken.append(record)


async def test_records_come_out_in_order_and_byte_for_byte(tmp_path: Path) -> None:
    sizes = [0, 1, 2500, 16_000, 16_300, 40_000, 2**20, 7]
    records = [make_record(number, size) for number, size in enumerate(sizes * 3)]
    async with opened(tmp_path) as spool:
        for record in records:
            await spool.put(record)
        assert spool.status().records == len(records)
        assert await drain_all(spool) == records
        assert (spool.status().records, spool.status().bytes, spool.status().oldest_s) == (0, 0, 0.0)
    assert names_in(tmp_path) == []


async def test_what_waits_is_taken_in_one_commit(tmp_path: Path) -> None:
    entered, released, commits = threading.Event(), threading.Event(), []

    def hold_first(point: str) -> None:
        if point == "before-append":
            commits.append(point)
            entered.set()
            released.wait(20)

    async with opened(tmp_path, failpoint=hold_first) as spool:
        first = asyncio.create_task(spool.put(make_record(0)))
        await asyncio.to_thread(entered.wait, 20)
        others = [asyncio.create_task(spool.put(make_record(number))) for number in range(1, 50)]
        await asyncio.sleep(0)
        assert not first.done()
        released.set()
        await asyncio.gather(first, *others)
        assert len(commits) == 2
        assert await drain_all(spool) == [make_record(number) for number in range(50)]


async def test_at_its_bound_it_refuses_and_after_a_drain_it_takes_again(tmp_path: Path) -> None:
    async with opened(tmp_path, max_bytes=2**20) as spool:
        taken: list[Record] = []
        with pytest.raises(SpoolAway, match="TCCC_SPOOL_MAX_BYTES"):
            await put_until_refused(spool, [make_record(number, 2500) for number in range(1000)], taken)
        assert spool.status().full
        assert 250 < len(taken) < 400
        assert bytes_in(tmp_path) <= 1.1 * 2**20
        assert await drain_all(spool) == taken
        assert not spool.status().full
        await spool.put(make_record(1))
        assert bytes_in(tmp_path) <= 2**18


async def test_the_bound_counts_the_files_of_others(tmp_path: Path) -> None:
    async with opened(tmp_path, max_bytes=2**20) as one:
        with pytest.raises(SpoolAway):
            await put_until_refused(one, [make_record(number, 2500) for number in range(1000)], [])
        async with opened(tmp_path, max_bytes=2**20) as other:
            assert other.status().full
            with pytest.raises(SpoolAway):
                await other.put(make_record(1, 2500))


async def test_refused_records_stay_and_come_again(tmp_path: Path) -> None:
    async with opened(tmp_path) as spool:
        records = [make_record(number) for number in range(10)]
        await put_all(spool, records)
        sink = Sink()
        sink.refuses = lambda record: record in (records[2], records[3], records[7])
        assert await spool.drain(sink.publish, max_records=9) == Drained(6, 3)
        assert spool.status().records == 4
        assert await drain_all(spool) == [records[2], records[3], records[7], records[9]]


async def test_a_publish_that_raises_leaves_the_chunk_whole(tmp_path: Path) -> None:
    async def fail(records: Sequence[Record]) -> Sequence[Exception | None]:
        raise BrokerAway("gone")

    async with opened(tmp_path) as spool:
        await put_all(spool, [make_record(0), make_record(1)])
        with pytest.raises(BrokerAway):
            await spool.drain(fail, max_records=10)
        assert await drain_all(spool) == [make_record(0), make_record(1)]


async def test_cancelled_puts_harm_nobody(tmp_path: Path) -> None:
    async with opened(tmp_path) as spool:
        puts = [asyncio.create_task(spool.put(make_record(number))) for number in range(100)]
        await asyncio.sleep(0)
        for put in puts[::2]:
            put.cancel()
        await asyncio.gather(*puts, return_exceptions=True)
        drained = await drain_all(spool)
        assert all(make_record(number) in drained for number in range(1, 100, 2))


async def test_after_a_failed_fsync_it_goes_on_in_a_new_file(tmp_path: Path) -> None:
    disk = Disk()
    async with opened(tmp_path, failpoint=disk) as spool:
        await spool.put(make_record(0))
        disk.fail("before-append", sqlite3.SQLITE_IOERR_FSYNC)
        await spool.put(make_record(1))
        assert not spool.status().full
        assert await drain_all(spool) == [make_record(0), make_record(1)]
        await until(lambda: not spool.status().records)


async def test_while_the_disk_refuses_puts_fail_and_a_probe_finds_it_well_again(tmp_path: Path) -> None:
    disk = Disk()
    async with opened(tmp_path, failpoint=disk) as spool:
        await spool.put(make_record(0))
        for code in (sqlite3.SQLITE_FULL, sqlite3.SQLITE_IOERR_WRITE):
            disk.fail("before-append", code, times=2)
            with pytest.raises(SpoolAway):
                await spool.put(make_record(1))
            assert spool.status().full
            disk.failures.clear()
            await spool.probe()
            assert not spool.status().full
        await spool.put(make_record(2))
        assert await drain_all(spool) == [make_record(0), make_record(2)]


async def test_what_was_drained_does_not_come_again_if_the_disk_refuses_to_forget(tmp_path: Path) -> None:
    disk = Disk()
    async with opened(tmp_path, failpoint=disk) as spool:
        await put_all(spool, [make_record(number) for number in range(10)])
        disk.fail("before-forget", sqlite3.SQLITE_FULL, times=2)
        sink = Sink()
        await spool.drain(sink.publish, max_records=4)
        await spool.drain(sink.publish, max_records=6)
        assert sink.records == [make_record(number) for number in range(10)]
        await until(lambda: not any(path.suffix == ".db" for path in tmp_path.iterdir()))
        await spool.put(make_record(11))
        assert await drain_all(spool) == [make_record(11)]


async def test_a_removed_folder_costs_no_later_record(tmp_path: Path) -> None:
    async with opened(tmp_path / "spool") as spool:
        await spool.put(make_record(0))
        shutil.rmtree(tmp_path / "spool")
        await spool.put(make_record(1))
        assert [file.records for file in inspect(tmp_path / "spool")] == [1]
        assert sorted(await drain_all(spool), key=lambda record: record.value) == [
            make_record(0),
            make_record(1),
        ]


async def test_a_folder_that_cannot_be_used_is_said_at_the_start(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(OperatorError, match="TCCC_SPOOL_DIR"):
        await Spool.open(tmp_path / "file", max_bytes=ROOMY)


async def test_a_closed_spool_takes_nothing_and_leaves_what_it_has(tmp_path: Path) -> None:
    async with opened(tmp_path) as spool:
        await spool.put(make_record(0))
    with pytest.raises(SpoolAway):
        await spool.put(make_record(1))
    assert [(file.records, file.owned) for file in inspect(tmp_path)] == [(1, False)]
    async with opened(tmp_path) as spool:
        assert await drain_all(spool) == [make_record(0)]
    assert names_in(tmp_path) == []


async def test_an_orphan_goes_to_one_of_the_living(tmp_path: Path) -> None:
    for number in range(5):
        async with opened(tmp_path) as spool:
            await spool.put(make_record(number))
    async with opened(tmp_path) as one, opened(tmp_path) as other:
        await asyncio.gather(one.adopt(), other.adopt())
        assert one.status().records + other.status().records == 5
        drained = await drain_all(one) + await drain_all(other)
        assert sorted(drained, key=lambda record: record.value) == [
            make_record(number) for number in range(5)
        ]
    assert names_in(tmp_path) == []


async def test_the_drainer_waits_for_kafka_and_backs_off_while_it_refuses(tmp_path: Path) -> None:
    async with opened(tmp_path) as spool:
        records = [make_record(number) for number in range(100)]
        await put_all(spool, records)
        sink, asked, refused = Sink(), [0], [0]

        def ready() -> bool:
            asked[0] += 1
            if asked[0] <= 2:
                assert sink.records == []
            return asked[0] > 2

        def refuse(record: Record) -> bool:
            refused[0] += 1
            return refused[0] <= 30

        sink.refuses = refuse
        drainer = Drainer(spool, sink.publish, kafka_ready=ready, rate_per_s=400)
        drainer.start()
        await until(lambda: len(sink.records) == 100)
        assert sorted(sink.records, key=records.index) == records
        await drainer.stop()
        assert spool.status().records == 0


async def test_a_drainer_begins_with_small_chunks(tmp_path: Path) -> None:
    sizes: list[int] = []

    async def publish(records: Sequence[Record]) -> Sequence[Exception | None]:
        sizes.append(len(records))
        return [None] * len(records)

    async with opened(tmp_path) as spool:
        await put_all(spool, [make_record(number) for number in range(200)])
        assert await Drainer(spool, publish, kafka_ready=lambda: True, rate_per_s=1_600).drain_all() == 200
    assert sizes == [20, 40, 80, 60]


async def test_a_drainer_that_stops_lets_its_chunk_finish(tmp_path: Path) -> None:
    entered, released = asyncio.Event(), asyncio.Event()

    async def hold(records: Sequence[Record]) -> Sequence[Exception | None]:
        entered.set()
        await released.wait()
        return [None] * len(records)

    async with opened(tmp_path) as spool:
        await put_all(spool, [make_record(number) for number in range(30)])
        drainer = Drainer(spool, hold, kafka_ready=lambda: True, rate_per_s=200)
        drainer.start()
        await entered.wait()
        stopped = asyncio.create_task(drainer.stop())
        await asyncio.sleep(0)
        released.set()
        await stopped
        assert spool.status().records == 20


async def test_a_lease_is_one_process_s_and_its_removal_is_no_race(tmp_path: Path) -> None:
    lease = Lease.fresh(tmp_path)
    assert Lease.take(tmp_path, lease.stem) is None
    assert is_owned(tmp_path, lease.stem)
    lease.release()
    assert not is_owned(tmp_path, lease.stem)
    again = Lease.take(tmp_path, lease.stem)
    assert again is not None
    again.remove()
    assert names_in(tmp_path) == []
    assert not is_owned(tmp_path, lease.stem)


def test_a_value_cannot_pass_for_a_frame(tmp_path: Path) -> None:
    framer, other = Framer("0" * 32), Framer("1" * 32)
    forged = other.pack(Part(9, 0, 1, 0, b"forged"))
    (tmp_path / "raw").write_bytes(b"x" * 5 + forged + framer.pack(Part(1, 0, 1, 0, forged))[:-1])
    assert list(framer.scan(tmp_path / "raw")) == [None]


async def test_a_restarted_log_is_sound_and_a_torn_one_is_not(tmp_path: Path) -> None:
    async with opened(tmp_path, max_bytes=2**20) as spool:
        for number in range(80):
            await spool.put(make_record(number, 2500))
        (log,) = [tmp_path / name for name in names_in(tmp_path) if name.endswith("-wal")]
        assert wal.find_damage(log) is None
        copy = tmp_path / "copy"
        whole = log.read_bytes()
        first = bytearray(whole)
        first[32 + 24 + 100] ^= 1
        for damaged in (
            whole[:-1],
            whole[:31],
            bytes(first),
            b"\0" + whole[1:],
            whole[:17] + b"?" + whole[18:],
        ):
            copy.write_bytes(damaged)
            assert wal.find_damage(copy) is not None
        copy.write_bytes(whole[: wal.bytes_of(3) + 7])
        wal.trim(copy)
        assert copy.stat().st_size == wal.bytes_of(3)


class Damaged:
    """A folder as a killed process leaves it, and damage done to it."""

    def __init__(self, pristine: Path, folder: Path, seed: int) -> None:
        shutil.copytree(pristine, folder)
        self.folder = folder
        (self.database,) = folder.glob("*.db")
        self.log = self.database.with_name(self.database.name + "-wal")
        self._random = random.Random(seed)
        self.frames = self._frames()

    def damage(self) -> None:
        path = self._random.choice([self.database, self.log])
        data = bytearray(path.read_bytes())
        if self._random.random() < 0.5:
            del data[self._random.randrange(len(data)) :]
        else:
            for _ in range(self._random.choice([1, 1, 8, 64])):
                data[self._random.randrange(len(data))] ^= 1 << self._random.randrange(8)
        path.write_bytes(data)

    def readable(self) -> set[int]:
        """Numbers of parts whose frames are still there, byte for byte."""
        raw = self.database.read_bytes() + self.log.read_bytes()
        return {number for number, frame in self.frames.items() if frame in raw}

    def _frames(self) -> dict[int, bytes]:
        framer = Framer(self.database.stem)
        parts = [part for path in (self.database, self.log) for part in framer.scan(path)]
        return {part.number: framer.pack(part) for part in parts if part and part.count}


RECORDS = [make_record(number, 30_000 if number % 20 == 7 else 1200) for number in range(300)]
DRAINED = 60


@pytest.fixture(scope="module")
def pristine(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of a folder in use, which is what a kill leaves: some drained, some in the file, some in the log."""
    directory, copy = tmp_path_factory.mktemp("spool"), tmp_path_factory.mktemp("copies") / "pristine"

    async def fill() -> None:
        async with opened(directory, max_bytes=4 * 2**20) as spool:
            for at in range(0, len(RECORDS), 5):
                await put_all(spool, RECORDS[at : at + 5])
            await spool.drain(Sink().publish, max_records=DRAINED)
            shutil.copytree(directory, copy)

    asyncio.run(fill())
    return copy


def numbers_of(records: Sequence[Record]) -> list[int]:
    """The first number that each record has in its file."""
    numbers, number = [], 1
    for record in records:
        numbers.append(number)
        number += 2 if len(record.value) > PAGE_BYTES else 1
    return numbers


def test_an_undamaged_copy_is_drained_without_a_report(pristine: Path, tmp_path: Path) -> None:
    case = Damaged(pristine, tmp_path / "case", seed=0)
    published, set_aside = asyncio.run(drain_folder(case.folder))
    assert (published, set_aside) == (RECORDS[DRAINED:], 0)
    assert list(case.folder.iterdir()) == []


@pytest.mark.parametrize("seed", range(40))
def test_of_a_damaged_file_all_that_is_good_is_published(pristine: Path, tmp_path: Path, seed: int) -> None:
    check_damaged(pristine, tmp_path / "case", seed)


def check_damaged(pristine: Path, folder: Path, seed: int) -> bool:
    """One case; whether the file was set aside."""
    case = Damaged(pristine, folder, seed)
    case.damage()
    readable = case.readable()
    before = {path.name: path.read_bytes() for path in (case.database, case.log)}
    published, set_aside = asyncio.run(drain_folder(folder))
    expected = [
        record
        for record, number in list(zip(RECORDS, numbers_of(RECORDS), strict=True))[DRAINED:]
        if readable.issuperset(range(number, number + (2 if len(record.value) > PAGE_BYTES else 1)))
    ]
    assert all(record in RECORDS for record in published), "damaged or invented"
    assert len({record.value for record in published}) == len(published), "twice"
    assert [record for record in published if record in expected] == expected, "missing or out of order"
    if set_aside:
        aside = {path.name.split(".corrupt")[0]: path.read_bytes() for path in folder.glob("*.salvaged")}
        assert aside == before, "not whole"
        assert [file.corrupt and file.salvaged for file in inspect(folder)] == [True]
    else:
        assert published == RECORDS[DRAINED:], "lost without a word"
    return bool(set_aside)


async def drain_folder(folder: Path) -> tuple[list[Record], int]:
    async with opened(folder) as spool:
        published = await drain_all(spool)
        await spool.adopt()
        return published, spool.status().set_aside


@pytest.mark.parametrize("content", [b"", b"not a database" * 5000, None], ids=["empty", "text", "gone"])
def test_without_a_database_its_log_is_salvaged_once(
    pristine: Path, tmp_path: Path, content: bytes | None
) -> None:
    case = Damaged(pristine, tmp_path / "case", seed=0)
    case.database.unlink()
    if content is not None:
        case.database.write_bytes(content)
    published, set_aside = asyncio.run(drain_folder(case.folder))
    assert set_aside == 1
    assert published
    assert all(record in RECORDS for record in published)
    assert asyncio.run(drain_folder(case.folder)) == ([], 1)


@pytest.mark.parametrize("taken_over", [False, True])
async def test_damage_to_a_file_in_use_costs_only_what_is_damaged(tmp_path: Path, taken_over: bool) -> None:
    records = [make_record(number, 2500) for number in range(2500)]  # more than SQLite caches
    async with opened(tmp_path, max_bytes=16 * 2**20) as spool:
        await put_all(spool, records)
        if not taken_over:
            spoil(tmp_path, records[1000].value)
            drained = await drain_all(spool)
    if taken_over:
        async with opened(tmp_path) as spool:
            await spool.adopt()
            assert spool.status().records == len(records)
            spoil(tmp_path, records[1000].value)
            drained = await drain_all(spool)
    assert drained == records[:1000] + records[1001:]
    assert [file.salvaged for file in inspect(tmp_path)] == [True]


def spoil(directory: Path, value: bytes) -> None:
    """Flip a bit of a value wherever it lies."""
    for path in directory.glob("*.db*"):
        data, at = path.read_bytes(), 0
        while (at := data.find(value, at)) >= 0:
            with path.open("r+b") as file:
                file.seek(at + 100)
                file.write(bytes([data[at + 100] ^ 1]))
            at += 1


def test_files_of_one_stem_are_listed_together(tmp_path: Path) -> None:
    stem = "a" * 32
    for suffix in (
        "db",
        "db-wal",
        "lock",
        "part",
        "db.corrupt-20260101T000000Z",
        "db-wal.corrupt-1.salvaged",
    ):
        (tmp_path / f"{stem}.{suffix}").touch()
    (tmp_path / "other.txt").touch()
    files = list_files(tmp_path)
    assert list(files) == [stem]
    assert [len(paths) for paths in (files[stem].live, files[stem].aside, files[stem].salvaged)] == [2, 1, 1]
