"""`tccc dead`, on real Kafka and Postgres: letters are looked at, replayed once however often asked, and dropped."""

import asyncio
import signal
import sys
from collections.abc import Awaitable, Callable
from typing import Any

from msgspec.structs import replace

from schemas.envelope import Headers, dead_headers, push_headers
from schemas.settings import Settings
from tests.pipeline import Database, Sent, cdr, dead_letters, now_us, produce, records_of, tccc
from tests.processes import environment, running
from tests.records import T0_US, body

Until = Callable[..., Awaitable[Any]]
REFUSING = "ALTER TABLE tccc.call ADD CONSTRAINT c CHECK (uui IS DISTINCT FROM 'refused')"
MENDED = "ALTER TABLE tccc.call DROP CONSTRAINT c"


def door_letter(
    push_id: str, value: bytes, reason: Any, *, action: str = "cdr", detail: str = "why", at_us: int = T0_US
) -> Sent:
    """A dead letter as the receiver writes it."""
    headers: Headers = push_headers(action.encode(), b"1", push_id.encode(), T0_US)
    return None, [*headers, *dead_headers(stage="receive", reason=reason, detail=detail, at_us=at_us)], value


async def bury(settings: Settings, *letters: Sent) -> None:
    await produce(settings, letters, topic=settings.kafka_dead_topic)


async def test_letters_are_settled_by_a_replay_and_a_second_one_changes_nothing(
    settings: Settings, eventually: Until
) -> None:
    database = Database(settings)
    await database.execute(REFUSING)
    poison = [(f"p{n}", push_headers(b"cdr", b"1", b"p%d" % n, T0_US), b"not json") for n in range(3)]
    refused = [cdr(n, Uui="refused") for n in range(5)]
    await produce(settings, [*refused, *poison, *(cdr(n) for n in range(5, 20))])
    async with running("worker", settings):
        await eventually(lambda: database.has_settled(23))
        assert await database.outcomes() == {"applied": 15, "dead": 8}
        await database.execute(MENDED)

        planned = await tccc(settings, "dead", "replay", "--reason", "refused-by-database", "--dry-run")
        assert (planned.status, "5 would be replayed" in planned.out) == (0, True)
        first = await tccc(settings, "dead", "replay", "--json")
        assert (first.status, first.result["replayed"]) == (0, 8)
        await eventually(lambda: database.has_settled(31))
        assert await database.outcomes() == {"applied": 20, "dead": 11}
        assert await database.count("call") == 20

        # The poison has died again, as letters of their own, and would only do so once more.
        second = await tccc(settings, "dead", "replay", "--json")
        assert (second.result["replayed"], second.result["settled_before"]) == (0, 8)
        assert second.result["refused"] == 3
        assert await database.count("push") == 31
    replayed = [record for record in await records_of(settings, settings.kafka_topic) if _replays(record)]
    assert {record.key: record.value for record in replayed} == {
        key.encode(): value for key, _, value in (*refused, *poison) if key
    }
    original = {key: dict(headers) for key, headers, _ in (*refused, *poison) if key}
    for record in replayed:
        assert dict(record.headers) == original[(record.key or b"").decode()] | {"replays": b"1"}
    assert (await tccc(settings, "audit")).status == 0


async def test_one_record_is_replayed_so_often_and_no_more(settings: Settings, eventually: Until) -> None:
    database = Database(settings)
    settings = replace(settings, replay_max=2)
    await database.execute(REFUSING)
    await produce(settings, [cdr(0, Uui="refused")])
    async with running("worker", settings):
        for settled in (1, 2, 3):
            await eventually(lambda count=settled: database.has_settled(count))
            ran = await tccc(settings, "dead", "replay", "--json")
            assert ran.result["replayed"] == (1 if settled < 3 else 0)
        assert ran.result["exhausted"] == 1
    listed = await tccc(settings, "dead", "list", "--json", "--state", "all")
    assert listed.result["count"] == 3
    [line] = listed.result["letters"]
    assert (line["push_id"], line["replays"], line["state"], len(line["letters"])) == ("u0", 2, "open", 3)


async def test_what_was_refused_at_the_door_is_checked_anew(settings: Settings) -> None:
    good, comma = body(SessionId="s1"), b'{"SessionId":"s2","IVRKeyPressed":["1",]}'
    await bury(
        settings,
        door_letter("good", good, "too-large"),
        door_letter("comma", comma, "not-json"),
        door_letter("bad", b"[", "not-json"),
        door_letter("nobody", b"{}", "bad-session-id"),
        door_letter("twice", good, "bad-action", detail="action is repeated"),
        door_letter("nameless", good, "bad-action", action="", detail="action is missing"),
    )
    ran = await tccc(settings, "dead", "replay", "--json")
    assert (ran.status, ran.result["replayed"], ran.result["refused"]) == (0, 2, 4)
    assert sorted(letter["reason"] for letter in ran.result["refused_letters"]) == [
        "bad-action",
        "bad-action",
        "bad-session-id",
        "not-json",
    ]
    records = {record.key: record for record in await records_of(settings, settings.kafka_topic)}
    assert {key: record.value for key, record in records.items()} == {
        b"s1": good,
        b"s2": b'{"SessionId":"s2","IVRKeyPressed":["1"]}',
    }
    assert dict(records[b"s2"].headers) == {
        **dict(push_headers(b"cdr", b"1", b"comma", T0_US)),
        "replays": b"1",
        "repaired": b"trailing-commas",
    }


async def test_letters_are_listed_shown_and_dropped(settings: Settings) -> None:
    now = now_us()
    secret = b"+8613800000000 is not JSON"
    same = door_letter("same", secret, "not-json", at_us=now)
    await bury(settings, same, same, door_letter("other", b"[1]", "not-json", at_us=now - 60_000_000))
    await bury(settings, door_letter("same", b"{}", "bad-session-id", at_us=now + 1))
    listed = await tccc(settings, "dead", "list", "--json")
    assert [(line["push_id"], line["reason"], len(line["letters"])) for line in listed.result["letters"]] == [
        ("other", "not-json", 1),
        ("same", "bad-session-id", 2),
    ]
    letter = (
        await tccc(settings, "dead", "list", "--json", "--push-id", "same", "--reason", "not-json")
    ).result["letters"][0]
    shown = await tccc(settings, "dead", "show", letter["id"][:8])
    assert (shown.status, letter["id"] in shown.out, "13800000000" in shown.out) == (0, True, False)
    whole = await tccc(settings, "dead", "show", letter["id"], "--body", "--json")
    assert whole.result["body"] == secret.decode()

    assert (await tccc(settings, "dead", "drop")).status == 2
    dropped = await tccc(
        settings, "dead", "drop", "--reason", "not-json", "--reason-text", "a test", "--json"
    )
    assert dropped.result["dropped"] == 2
    assert (await tccc(settings, "dead", "list", "--json")).result["count"] == 1
    assert (await tccc(settings, "dead", "list", "--json", "--state", "dropped")).result["count"] == 2
    assert len(await dead_letters(settings)) == 4
    assert (await tccc(settings, "dead", "show", "no-such")).status == 1


async def test_replay_killed_half_way_is_resumed(settings: Settings, eventually: Until) -> None:
    database = Database(settings)
    letters = [door_letter(f"u{n}", body(SessionId=f"s{n}"), "too-large") for n in range(300)]
    await bury(settings, *letters)
    replaying = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "console", "dead", "replay", "--rate", "10"),
        env=environment(settings),
        stdout=asyncio.subprocess.DEVNULL,
    )
    await eventually(lambda: _count(database, 10))
    other = await tccc(settings, "dead", "replay")
    assert (other.status, "another" in other.err) == (1, True)
    replaying.send_signal(signal.SIGKILL)
    await replaying.wait()
    remembered = await database.count("dead_state")
    assert remembered < 300

    async def resumed() -> int | None:
        # Postgres releases the lock of the dead as soon as it sees that they are gone.
        ran = await tccc(settings, "dead", "replay", "--json")
        return int(ran.result["replayed"]) if ran.status == 0 else None

    replayed = await eventually(resumed)
    assert remembered + replayed == 300
    records = await records_of(settings, settings.kafka_topic)
    assert {record.key for record in records} == {f"s{n}".encode() for n in range(300)}


async def _count(database: Database, count: int) -> bool:
    return await database.count("dead_state") >= count


def _replays(record: Any) -> bool:
    return "replays" in dict(record.headers)
