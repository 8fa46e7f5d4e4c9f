"""`tccc erase` and `tccc purge`, on real Kafka and Postgres: what goes, what stays, and that nobody comes back."""

import asyncio
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest

from console.__main__ import FAILED, USAGE
from console.erase import rows
from console.erase.subject import Subject
from console.postgres import open_database
from receiver.spool.spool import Spool
from schemas.envelope import Record, push_headers
from schemas.phone import one_form
from schemas.rows import TABLES
from schemas.settings import Settings
from tests.pipeline import Database, Sent, cdr, now_us, produce, tccc
from tests.processes import running
from tests.records import body
from tests.unit.test_phone import OTHERS, SPELLINGS

Until = Callable[..., Awaitable[Any]]

NUMBER = "13800138000"


def _pushes(at_us: int) -> list[Sent]:
    """One session for each place where the number can stand, and one where it does not."""
    participant = {"Sequence": 0, "Phone": f"+86{NUMBER}"}
    return [
        cdr(1, session="caller", at_us=at_us, Callee=f"0086{NUMBER}"),
        cdr(2, session="caller", push_id="newer", at_us=at_us, Callee=f"0086{NUMBER}"),
        cdr(1, session="caller", at_us=at_us, Callee=f"0086{NUMBER}"),
        ("caller", push_headers(b"record", b"1", b"r1", at_us), body(EndpointUser="agent@example.com")),
        ("caller", push_headers(b"cdr", b"1", b"poison", at_us), b"not json " + NUMBER.encode()),
        cdr(3, session="uui", at_us=at_us, Uui="call 138-0013-8000 back"),
        cdr(4, session="extra", at_us=at_us, Unknown={"deep": [int(NUMBER)]}),
        cdr(5, session="repairs", HungUpSide=NUMBER, at_us=at_us, SdkAppId=f"no {NUMBER}"),
        cdr(6, session="participant", at_us=at_us, ServeParticipants=[participant]),
        (
            "mail",
            push_headers(b"voicemail", b"", b"v1", at_us),
            body(EndpointUser=int(NUMBER), RecordURL="x"),
        ),
        ("chat", push_headers(b"imcdr", b"1", b"i1", at_us), body(UserId=NUMBER)),
        cdr(7, session="other", at_us=at_us, Callee="0086" + OTHERS[0]),
    ]


async def test_a_number_is_erased_and_does_not_come_back(
    settings: Settings, eventually: Until, tmp_path: Path
) -> None:
    database = Database(settings)
    sent = _pushes(now_us() - 60_000_000)
    await produce(settings, sent)
    folder = tmp_path / "left"
    await _spool(settings, folder)
    words = ("erase", "--number", "+86 138-0013-8000", "--spool", str(folder), "--json")
    async with running("worker", settings) as worker:
        await eventually(lambda: database.has_settled(len(sent)))
        before = await _everything(database)
        assert before.count(NUMBER) > 3

        planned = await tccc(settings, *words, "--dry-run")
        assert (planned.status, await _everything(database)) == (0, before)
        done = await tccc(settings, *words)
        assert done.status == 0, done.err
        for result in (planned.result, done.result):
            assert result["sessions"] == 7
            assert result["rows"] == {
                "call": 5,
                "call_participant": 1,
                "recording": 1,
                "voicemail": 1,
                "chat": 1,
                "reconcile_finding": 0,
            }
            assert result["ledger_rows"] == 11
            remaining = result["remaining"]
            # everything of those sessions in the topic, and the letter of the one that died
            assert [copy["topic"] for copy in remaining["kafka"]].count(settings.kafka_topic) == 11
            assert [copy["topic"] for copy in remaining["kafka"]].count(settings.kafka_dead_topic) == 1
            assert all(
                copy["published_at"] < copy["expires_from"] < copy["expires_until"]
                for copy in remaining["kafka"]
            )
        assert planned.result["remaining"]["spool_left"] == 2
        assert (done.result["spooled"], done.result["remaining"]["spool_left"]) == (2, 0)
        assert NUMBER not in done.out + done.err

        await _is_gone(settings, folder)
        again = await tccc(settings, *words)
        assert (again.status, again.result["rows"]["call"], again.result["ledger_rows"]) == (0, 0, 0)
        assert again.result["remaining"]["kafka_records"] == 12

        # the same pushes once more, as a replay or the vendor's retry would bring them; the other one is known
        await produce(settings, sent)
        await produce(settings, [_from_api(sent[0][2])])
        # whoever calls after that is a customer as any other
        await produce(settings, [cdr(8, session="later", at_us=now_us(), Callee=NUMBER)])
        await eventually(lambda: database.has_settled(2 * len(sent) + 2))
        await worker.stop()
    assert await database.fetch("SELECT session_id FROM tccc.call ORDER BY 1") == [("later",), ("other",)]
    assert [await database.count(table.name) for table in TABLES.values()] == [2, 0, 0, 0]
    assert (await tccc(settings, "audit")).status == 0
    # a letter of an erased session is written as any other; the next erasure drops it too
    assert (await tccc(settings, *words)).result["rows"]["call"] == 1
    replayed = await tccc(settings, "dead", "replay", "--reason", "not-json", "--json")
    assert (replayed.status, replayed.result["replayed"]) == (0, 0)


async def _is_gone(settings: Settings, folder: Path) -> None:
    database = Database(settings)
    everything = await _everything(database)
    assert OTHERS[0] in everything
    assert NUMBER not in everything.replace(OTHERS[0], "")
    assert not [
        session for session in ("caller", "uui", "participant", "poison") if f"'{session}'" in everything
    ]
    assert not _files_with(folder, NUMBER)
    assert (await tccc(settings, "audit")).status == 0
    traced = await tccc(settings, "trace", "uui", "--json")
    assert [event["event"] for event in traced.result["events"]] == ["erased"]
    assert traced.result["rows"] == []


async def test_a_session_is_erased_also_before_it_is_stored(settings: Settings, eventually: Until) -> None:
    """Its records wait in the topic: workers that come later settle them, and store nothing."""
    database = Database(settings)
    await produce(settings, [cdr(1, session="gone"), cdr(2, session="stays"), ("gone", [], b"poison")])
    ran = await tccc(settings, "erase", "--session", "gone", "--json")
    assert (ran.result["ledger_rows"], ran.result["remaining"]["kafka_records"]) == (0, 2)
    async with running("worker", settings) as worker:
        await eventually(lambda: database.has_settled(3))
        await worker.stop()
    assert await database.fetch("SELECT session_id FROM tccc.call") == [("stays",)]
    assert await database.fetch("SELECT session_id, push_id, outcome FROM tccc.push ORDER BY 1, 3") == [
        ("", "erased", "dead"),
        ("", "erased", "stale"),
        ("stays", "u2", "applied"),
    ]
    assert (await tccc(settings, "audit")).status == 0


async def test_an_erasure_that_was_interrupted_is_finished_by_the_next(
    settings: Settings, eventually: Until, monkeypatch: pytest.MonkeyPatch
) -> None:
    database = Database(settings)
    sent = _pushes(now_us())
    await produce(settings, sent)
    async with running("worker", settings) as worker:
        await eventually(lambda: database.has_settled(len(sent)))
        await worker.stop()
    sessions = {"caller", "uui", "extra", "repairs", "participant", "mail", "chat"}
    monkeypatch.setattr(rows, "_some", lambda wanted: ([one] for one in sorted(wanted)))

    def cut_off(line: str) -> None:
        if line.startswith("erase: 3 of"):
            raise KeyboardInterrupt

    async with open_database(settings.database_url) as open_one:
        with pytest.raises(KeyboardInterrupt):
            await rows.remove(open_one, sessions, cut_off)
        left = [session async for session in rows.sessions_with(open_one, Subject("number", NUMBER), print)]
    assert len(left) == 4
    assert (await tccc(settings, "audit")).status == 0
    assert (await tccc(settings, "erase", "--number", NUMBER)).status == 0
    assert NUMBER not in (await _everything(database)).replace(OTHERS[0], "")
    assert (await tccc(settings, "audit")).status == 0


async def test_a_worker_in_the_middle_of_a_batch_is_waited_for(settings: Settings) -> None:
    """It has looked whether anybody was erased: what it stores on that answer is there when we go on."""
    async with open_database(settings.database_url) as worker, open_database(settings.database_url) as eraser:
        async with worker.transaction():
            assert await worker.all("SELECT FROM tccc.erasure") == []
            waiting = asyncio.create_task(rows.remember(eraser, "session", ["s"]))
            await asyncio.wait({waiting}, timeout=0.3)
            assert not waiting.done()
        await waiting
        assert await worker.one("SELECT count(*) FROM tccc.erasure") == 1


async def test_a_hotline_is_not_erased_by_mistake(settings: Settings, eventually: Until) -> None:
    database = Database(settings)
    await produce(settings, [cdr(n, Callee=NUMBER) for n in range(3)])
    async with running("worker", settings) as worker:
        await eventually(lambda: database.has_settled(3))
        await worker.stop()
    ran = await tccc(settings, "erase", "--number", NUMBER, "--max-sessions", "2")
    assert (ran.status, await database.count("call"), await database.count("erasure")) == (FAILED, 3, 0)
    assert "--max-sessions" in ran.err
    assert (await tccc(settings, "erase")).status == USAGE
    assert (await tccc(settings, "erase", "--number", "nobody")).status == FAILED


async def test_a_hotline_in_records_alone_is_not_erased_either(settings: Settings) -> None:
    """No row has it yet: what the topic tells is refused before anything is remembered."""
    await produce(settings, [cdr(n, Callee=NUMBER) for n in range(3)])
    for more in ([], ["--dry-run"]):
        ran = await tccc(settings, "erase", "--number", NUMBER, "--max-sessions", "2", *more)
        assert (ran.status, await Database(settings).count("erasure")) == (FAILED, 0)
        assert "--max-sessions" in ran.err


async def test_a_short_number_is_not_taken_for_the_vendors_integers(
    settings: Settings, eventually: Until
) -> None:
    database = Database(settings)
    ids: dict[str, Any] = {
        "SkillGroupId": 12345,
        "QueuedSkillGroupId": 12345,
    }  # the first is of the API: it goes to `extra`
    await produce(settings, [cdr(1, session="group", **ids), cdr(2, session="deep", Unknown=12345)])
    async with running("worker", settings) as worker:
        await eventually(lambda: database.has_settled(2))
        await worker.stop()
    async with open_database(settings.database_url) as one:
        found = [session async for session in rows.sessions_with(one, Subject("number", "12345"), print)]
    assert found == ["deep"]


async def test_python_and_postgres_agree_on_what_a_number_is(settings: Settings) -> None:
    async with open_database(settings.database_url) as database:
        for spelled in (*SPELLINGS, "+44 20 7946 0958", "0755 8288 1234", "10086"):
            if not spelled.startswith("("):  # masked as it is: no column of numbers begins with a bracket
                assert await database.one("SELECT tccc_private.one_form($1)", spelled) == one_form(spelled)


async def test_old_rows_are_purged_by_table(settings: Settings, eventually: Until) -> None:
    database = Database(settings)
    day_us = 86_400_000_000
    old, young = now_us() - 100 * day_us, now_us() - day_us
    participants = [{"Sequence": n} for n in range(2)]
    sent = [cdr(n, at_us=old if n < 30 else young, ServeParticipants=participants) for n in range(50)]
    sent += [
        (f"s-{n}", push_headers(b"record", b"1", b"r%d" % n, old), body(RecordId=str(n))) for n in range(5)
    ]
    await produce(settings, sent)
    async with running("worker", settings) as worker:
        await eventually(lambda: database.has_settled(55))
        await worker.stop()
    words = ("purge", "--older-than", "90d", "--json")
    planned = await tccc(settings, *words, "--dry-run")
    assert planned.result["rows"] == {"call": 30, "recording": 5, "voicemail": 0, "chat": 0}
    assert [await database.count(table) for table in ("call", "call_participant", "recording")] == [
        50,
        100,
        5,
    ]
    only = await tccc(settings, *words, "--table", "recording")
    assert only.result["rows"] == {"recording": 5}
    assert (await tccc(settings, *words)).result["rows"]["call"] == 30
    assert [await database.count(table) for table in ("call", "call_participant", "recording")] == [20, 40, 0]
    assert (await tccc(settings, *words)).result["rows"]["call"] == 0
    assert (await tccc(settings, "audit")).status == 0
    assert (await tccc(settings, "purge", "--older-than", "soon")).status == USAGE


def _from_api(value: bytes) -> Sent:
    headers = push_headers(b"cdr", b"1", b"api:1", now_us(), b"api")
    return "caller-by-another-name", headers, value.replace(b"{", b'{"StartTimestamp": 1700000000, ', 1)


async def _spool(settings: Settings, folder: Path) -> None:
    spool = await Spool.open(folder, max_bytes=2**24)
    long = "x" * 40_000
    for key, value in (
        (b"spooled", body(Callee=NUMBER, Uui=long)),
        (b"stays", body(Callee="1", Uui=long)),
        (b"caller", body(Callee="2")),
    ):
        headers = push_headers(b"cdr", b"1", key, now_us())
        await spool.put(Record(settings.kafka_topic, key, value, headers))
    await spool.close()


def _files_with(folder: Path, text: str) -> list[str]:
    return [file.name for file in folder.iterdir() if text.encode() in file.read_bytes()]


async def _everything(database: Database) -> str:
    """The database's text, of every table but the one that a worker writes beside its work, of no person."""
    tables = await database.fetch(
        "SELECT c.oid::regclass::text FROM pg_class c WHERE relkind IN ('r', 'p') AND relnamespace = 'tccc'::regnamespace"
        " AND relname NOT IN ('drift', 'rollup_mark')"
    )
    rows = [
        row
        for (table,) in sorted(tables)
        for row in sorted(map(str, await database.fetch(f"SELECT * FROM {table}")))
    ]
    return "\n".join(rows)
