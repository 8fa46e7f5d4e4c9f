"""`tccc trace` and `tccc spool`, on real Kafka and Postgres."""

from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

from msgspec.structs import replace

from receiver.spool.spool import Spool
from schemas.envelope import Record, dead_headers, push_headers
from schemas.settings import Settings
from tests.pipeline import Database, cdr, now_us, produce, records_of, tccc
from tests.processes import running
from tests.records import body

Until = Callable[..., Awaitable[Any]]


async def test_a_push_is_traced_through_all_that_happened_to_it(
    settings: Settings, eventually: Until
) -> None:
    database = Database(settings)
    at_us = now_us()
    await database.execute("ALTER TABLE tccc.call ADD CONSTRAINT c CHECK (uui IS DISTINCT FROM 'refused')")
    twice = cdr(1, session="s", push_id="first", at_us=at_us, Uui="008613800000000")
    refused = cdr(2, session="s", push_id="second", at_us=at_us, Uui="refused")
    await produce(settings, [twice, twice, refused])
    await _bury(settings, "door", at_us)
    async with running("worker", settings) as worker:
        await eventually(lambda: database.has_settled(3))
        await database.execute("ALTER TABLE tccc.call DROP CONSTRAINT c")
        ran = await tccc(settings, "dead", "replay", "--reason", "refused-by-database", "--json")
        assert ran.result["replayed"] == 1
        await eventually(lambda: database.has_settled(4))
        assert await worker.stop() == 0
    await produce(settings, [cdr(3, session="s", push_id="third", at_us=at_us)])

    session = await tccc(settings, "trace", "s", "--json")
    assert session.status == 0
    told = [(event["push_id"], event["event"], event.get("outcome")) for event in session.result["events"]]
    assert [one for one in told if one[0] == "first"] == [
        ("first", "received", None),
        ("first", "published", None),
        ("first", "published", None),
        ("first", "settled", "applied"),
        ("first", "settled", "duplicate"),
    ]
    assert sorted(one for one in told if one[0] == "second") == sorted(
        [
            ("second", "received", None),
            ("second", "published", None),
            ("second", "dead", None),
            ("second", "settled", "dead"),
            ("second", "replayed", None),
            ("second", "published", None),
            ("second", "settled", "applied"),
        ]
    )
    assert [one[1] for one in told if one[0] == "third"] == ["received", "published"]
    assert [(row["push_id"], row["earlier"]) for row in session.result["rows"]] == [("second", ["first"])]

    push = await tccc(settings, "trace", "first")
    assert (push.status, "second" in push.out, "008613800000000" in push.out) == (0, True, False)
    waiting = await tccc(settings, "trace", "third", "--json")
    assert [event["event"] for event in waiting.result["events"]] == ["received", "published"]
    door = await tccc(settings, "trace", "door", "--json")
    assert [event["event"] for event in door.result["events"]] == ["received", "refused"]
    nothing = await tccc(settings, "trace", "no-such")
    assert (nothing.status, "nothing is known" in nothing.err) == (1, True)


async def _bury(settings: Settings, push_id: str, at_us: int) -> None:
    headers = push_headers(b"cdr", b"1", push_id.encode(), at_us)
    headers += dead_headers(stage="receive", reason="not-json", detail="not an object", at_us=at_us)
    await produce(settings, [(None, headers, b"[]")], topic=settings.kafka_dead_topic)


async def test_a_spool_left_behind_is_shown_and_drained(settings: Settings, tmp_path: Path) -> None:
    folder = tmp_path / "left"
    spool = await Spool.open(folder, max_bytes=2**24)
    for n in range(30):
        headers = push_headers(b"cdr", b"1", b"u%d" % n, now_us())
        key = f"s{n}".encode()
        await spool.put(Record(settings.kafka_topic, key, body(SessionId=f"s{n}"), headers))
    owned = await tccc(settings, "spool", "drain", str(folder), "--json")
    assert (owned.status, owned.result["held_by_receivers"], owned.result["published"]) == (1, 30, 0)
    await spool.close()

    shown = await tccc(settings, "spool", "status", str(folder), "--json")
    [file] = shown.result["files"]
    assert (shown.status, file["records"], file["owned"], file["corrupt"]) == (0, 30, False, False)
    planned = await tccc(settings, "spool", "drain", str(folder), "--dry-run", "--json")
    assert (planned.status, planned.result["left"]) == (0, 30)

    drained = await tccc(settings, "spool", "drain", str(folder), "--json")
    assert drained.status == 0, drained.err
    assert (drained.result["published"], drained.result["left"]) == (30, 0)
    assert {record.key for record in await records_of(settings, settings.kafka_topic)} == {
        f"s{n}".encode() for n in range(30)
    }
    assert (await tccc(settings, "spool", "drain", str(folder))).status == 0
    assert (await tccc(settings, "spool", "status", str(tmp_path / "none"))).status == 2


async def test_a_spool_stays_whole_while_kafka_is_away(settings: Settings, tmp_path: Path) -> None:
    spool = await Spool.open(tmp_path / "left", max_bytes=2**24)
    await spool.put(Record(settings.kafka_topic, b"s", b"{}", push_headers(b"cdr", b"1", b"u", now_us())))
    await spool.close()
    away = replace(settings, kafka_topic="no-such-topic")
    ran = await tccc(away, "spool", "drain", str(tmp_path / "left"), "--json")
    assert (ran.status, ran.result["left"]) == (1, 1)
