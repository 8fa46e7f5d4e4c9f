"""The rules of the contract, on a real Postgres."""

import asyncio
import json
from collections import Counter
from collections.abc import AsyncIterator, Sequence
from typing import Any

import pytest

from schemas.errors import SchemaMismatch
from schemas.rows import TABLES, CallParticipant, LedgerRow, Provenance
from tests.databases import CITUS_URL, prepared
from tests.records import T0_US, body, item, payload
from worker import ledger, migrate, store
from worker.batch import Item
from worker.database import Conflict, Connection, Refused, connect

S = 1_000_000


@pytest.fixture
async def db(database_url: str) -> AsyncIterator[Connection]:
    async with prepared(database_url) as connection:
        yield connection


def push(n: int, push_id: str, at_s: int, *, session: str = "s-1", **fields: Any) -> Item:
    """A cdr push at offset n, received at_s seconds after the start."""
    return item(
        body(SessionId=session, **fields),
        key=session,
        push_id=push_id,
        received_at_us=T0_US + at_s * S,
        offset=n,
    )


async def settle(db: Connection, *items: Item) -> list[str]:
    settled = await store.settle(db, items)
    return [row.outcome for row in settled.ledger]


async def shown(db: Connection, session: str = "s-1") -> tuple[Any, ...]:
    row = await db.fetchrow(
        "SELECT push_id, caller, earlier_push_ids FROM tccc.call WHERE session_id = $1", session
    )
    assert row is not None
    return tuple(row)


async def everything(db: Connection) -> dict[str, list[tuple[Any, ...]]]:
    tables = [*(table.name for table in TABLES.values()), "call_participant", "push"]
    return {
        name: [tuple(row) for row in await db.fetch(f"SELECT * FROM tccc.{name} ORDER BY 1, 2, 3")]
        for name in tables
    }


async def test_the_columns_are_those_of_the_rows(db: Connection) -> None:
    async def columns(table: str) -> list[str]:
        rows = await db.fetch(
            "SELECT column_name FROM information_schema.columns WHERE table_schema = 'tccc' AND table_name = $1"
            " ORDER BY ordinal_position",
            table,
        )
        return [row[0] for row in rows]

    for table in TABLES.values():
        expected = [*table.row.__struct_fields__, *Provenance.__struct_fields__, "updated_at"]
        assert await columns(table.name) == expected
    assert await columns("call_participant") == list(CallParticipant.__struct_fields__)
    assert await columns("push") == [*LedgerRow.__struct_fields__, "settled_at"]


async def test_every_table_and_column_has_a_comment(db: Connection) -> None:
    bare = await db.fetch("""
        SELECT c.relname, a.attname FROM pg_class c JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum > 0
        WHERE c.relnamespace = 'tccc'::regnamespace AND c.relkind IN ('r', 'p') AND NOT c.relispartition
          AND c.relname <> 'schema_version' AND col_description(c.oid, a.attnum) IS NULL
    """)
    assert [tuple(row) for row in bare] == []


async def test_all_four_kinds_become_rows(db: Connection) -> None:
    kinds = {"cdr": "cdr-inbound-transfer", "record": "record", "voicemail": "voicemail", "imcdr": "imcdr"}
    items = [
        item(payload(name), action=action, key=json.loads(payload(name))["SessionId"], offset=n)
        for n, (action, name) in enumerate(kinds.items())
    ]
    assert await settle(db, *items) == ["applied"] * 4
    rows = await everything(db)
    assert {name: len(found) for name, found in rows.items()} == {
        "call": 1, "recording": 1, "voicemail": 1, "chat": 1, "call_participant": 2, "push": 4,
    }  # fmt: skip
    text = await db.fetchval("SELECT started_at::text FROM tccc.call")
    assert text == "2023-02-23 08:13:20+00"


async def test_a_retry_after_a_newer_push_changes_nothing(db: Connection) -> None:
    a, b = push(0, "u1", 0, Caller="A"), push(1, "u2", 1, Caller="B")
    assert await settle(db, a) + await settle(db, b) == ["applied", "applied"]
    before = await db.fetch("SELECT * FROM tccc.call")
    assert await settle(db, push(2, "u1", 2, Caller="A")) == ["duplicate"]
    assert await db.fetch("SELECT * FROM tccc.call") == before
    assert await shown(db) == ("u2", "B", ["u1"])


async def test_the_retry_of_a_push_is_known_after_the_ledger_was_trimmed(db: Connection) -> None:
    await settle(db, push(0, "u1", 0), push(1, "u2", 1))
    await db.execute("DELETE FROM tccc.push")
    assert await settle(db, push(2, "u1", 5), push(3, "u2", 6)) == ["duplicate", "duplicate"]


async def test_b_consumed_before_a_shows_b(db: Connection) -> None:
    assert await settle(db, push(0, "u2", 1, Caller="B")) == ["applied"]
    assert await settle(db, push(1, "u1", 0, Caller="A")) == ["stale"]
    assert await shown(db) == ("u2", "B", ["u1"])


async def test_within_a_batch_the_winner_so_far_is_applied(db: Connection) -> None:
    items = [push(0, "u2", 5, Caller="2"), push(1, "u1", 1), push(2, "u3", 9, Caller="3"), push(3, "u2", 9)]
    assert await settle(db, *items) == ["applied", "stale", "applied", "duplicate"]
    assert await shown(db) == ("u3", "3", ["u1", "u2"])


async def test_participants_are_those_of_the_shown_push(db: Connection) -> None:
    await settle(db, push(0, "u1", 0, ServeParticipants=[{"Sequence": n} for n in range(3)]))
    await settle(db, push(1, "u2", 1, ServeParticipants=[{"Sequence": 7}]))
    await settle(db, push(2, "u0", -1, ServeParticipants=[{"Sequence": 9}]))
    assert [row[0] for row in await db.fetch("SELECT sequence FROM tccc.call_participant")] == [7]


async def test_a_record_delivered_again_leaves_all_as_it_was(db: Connection) -> None:
    items = [push(0, "u1", 0), push(1, "u2", 1), item(b"[]", key="s-2", offset=2)]
    await settle(db, *items)
    before = await everything(db)
    await db.execute("DELETE FROM tccc.call")  # erased since: delivery again must not bring it back
    assert await settle(db, *items) == []
    assert await everything(db) == before | {"call": []}


async def test_api_rows_only_fill_what_no_push_has(db: Connection) -> None:
    def api(n: int, session: str) -> Item:
        return item(
            body(SessionId=session, Caller="api"), key=session, push_id=f"api:{n}", source="api",
            received_at_us=T0_US + 99 * S, offset=n,
        )  # fmt: skip

    await settle(db, push(0, "u1", 0, Caller="pushed"))
    assert await settle(db, api(1, "s-1"), api(2, "s-2")) == ["stale", "applied"]
    assert await settle(db, push(3, "u2", 1, session="s-2", Caller="late")) == ["applied"]
    sources = await db.fetch("SELECT session_id, source, caller FROM tccc.call ORDER BY 1")
    assert [tuple(row) for row in sources] == [("s-1", "push", "pushed"), ("s-2", "push", "late")]


async def test_a_push_that_the_row_forgot_is_known_by_the_ledger(db: Connection) -> None:
    await settle(db, *[push(n, f"u{n}", n) for n in range(40)])
    assert await settle(db, push(40, "u0", 99)) == ["duplicate"]
    assert (await shown(db))[0] == "u39"


@pytest.mark.skipif(bool(CITUS_URL), reason="there the settler takes the batch apart, without savepoints")
async def test_what_the_database_refuses_is_left_out_and_all_else_stored(db: Connection) -> None:
    """A row, one of its participants, and the update of a row that then stays as it was."""
    await settle(db, push(0, "u0", 0, session="s-05", Caller="old", ServeParticipants=[{"Sequence": 1}]))
    await db.execute("ALTER TABLE tccc.call ADD CONSTRAINT c CHECK (caller <> 'bad')")
    await db.execute("ALTER TABLE tccc.call_participant ADD CONSTRAINT c CHECK (sequence <> 13)")
    items = [
        push(n, f"u{n}", 1, session=f"s-{n:02}", Caller="good", ServeParticipants=[{"Sequence": 1}])
        for n in range(1, 100)
    ]
    items[4] = push(5, "u5", 1, session="s-05", Caller="bad")
    items[41] = push(42, "u42", 1, session="s-42", Caller="bad")
    items[79] = push(80, "u80", 1, session="s-80", ServeParticipants=[{"Sequence": 1}, {"Sequence": 13}])
    settled = await store.settle(db, items)
    assert {(one.session_id, one.stage) for one in settled.dead} == {
        (session, "store") for session in ("s-05", "s-42", "s-80")
    }
    assert [row.outcome for row in settled.ledger] == ["applied"] * 96
    assert await shown(db, "s-05") == ("u0", "old", None)
    assert await db.fetchval("SELECT count(*) FROM tccc.call") == 97
    assert await db.fetchval("SELECT count(*) FROM tccc.call_participant") == 97
    assert await db.fetchval("SELECT count(*) FROM tccc.push") == 97


@pytest.mark.skipif(bool(CITUS_URL), reason="distributed tables have no triggers")
async def test_what_cannot_be_told_apart_is_undone_whole(db: Connection) -> None:
    """A refusal that comes only with COMMIT."""
    await db.execute(
        "CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS"
        " $$ BEGIN RAISE check_violation; END $$;"
        " CREATE CONSTRAINT TRIGGER late AFTER INSERT ON tccc.call DEFERRABLE INITIALLY DEFERRED"
        " FOR EACH ROW WHEN (NEW.caller = 'bad') EXECUTE FUNCTION refuse()"
    )
    with pytest.raises(Refused):
        await settle(db, push(0, "u1", 0), push(1, "u2", 0, session="s-2", Caller="bad"))
    assert Counter(map(len, (await everything(db)).values())) == {0: 6}


async def test_two_writers_of_the_same_records_settle_them_once(db: Connection, database_url: str) -> None:
    """What a zombie and the new owner of its partition do, many times over and at once."""
    batches = [
        [push(n, f"u{n % 7}", n, session=f"s-{n % 5}", Caller=str(n)) for n in range(start, start + 40)]
        for start in range(0, 400, 40)
    ]

    async def writer() -> list[str]:
        connection = await connect(database_url)
        await store.prepare(connection)
        outcomes = []
        for batch in batches:
            while True:
                try:
                    outcomes += await settle(connection, *batch)
                    break
                except Conflict:
                    await asyncio.sleep(0.001)
        await connection.close()
        return outcomes

    outcomes = await asyncio.gather(writer(), writer(), writer())
    assert sum(map(len, outcomes)) == 400
    assert await db.fetchval("SELECT count(*) FROM tccc.push") == 400
    concurrent = await contents(db)
    await db.execute("TRUNCATE tccc.call, tccc.call_participant, tccc.push")
    for batch in batches:
        await settle(db, *batch)
    assert await contents(db) == concurrent


async def contents(db: Connection) -> Sequence[Any]:
    rows = await db.fetch("SELECT session_id, caller, push_id, earlier_push_ids FROM tccc.call ORDER BY 1")
    return [tuple(row) for row in rows]


async def test_days_are_made_ahead_filled_and_dropped(db: Connection) -> None:
    now_s = await db.fetchval("SELECT extract(epoch FROM now())::bigint")
    today = item(body(), key="s", push_id="u1", received_at_us=now_s * S, offset=1)
    old = item(body(), key="s", push_id="u0", received_at_us=(now_s - 90 * 86400) * S, offset=0)
    await settle(db, old, today)
    assert await db.fetchval("SELECT count(*) FROM tccc.push_default") == 2
    made = await ledger.maintain(db, ledger_days=35)
    assert len(made) == 9
    assert await db.fetchval("SELECT array_agg(push_id) FROM tccc.push_default") == ["u0"]
    assert await ledger.maintain(db, ledger_days=35) == []
    # what was received long ago and settled just now is kept as long as all else
    await db.execute("UPDATE tccc.push_default SET settled_at = now() - interval '36 days'")
    assert await ledger.maintain(db, ledger_days=35) == []
    assert await db.fetchval("SELECT array_agg(push_id) FROM tccc.push") == ["u1"]
    await db.execute("CREATE TABLE tccc.push_20200101 PARTITION OF tccc.push"
                     " FOR VALUES FROM ('2020-01-01 00:00Z') TO ('2020-01-02 00:00Z')")  # fmt: skip
    assert await ledger.maintain(db, ledger_days=35) == ["dropped push_20200101"]
    # a record that is delivered again is found in its day
    assert await settle(db, today) == []


async def test_two_migrations_at_once(empty_database_url: str) -> None:
    applied = await asyncio.gather(*[migrate.migrate(empty_database_url) for _ in range(3)])
    assert sorted(map(len, applied)) == [0, 0, len(migrate.migrations())]


async def test_a_program_refuses_a_database_that_does_not_fit(empty_database_url: str) -> None:
    connection = await connect(empty_database_url)
    with pytest.raises(SchemaMismatch, match="run 'tccc migrate'"):
        await migrate.check(connection)
    await migrate.migrate(empty_database_url)
    await migrate.check(connection)
    newest = migrate.migrations()[-1].version
    newer = "INSERT INTO tccc.schema_version (version, name, compatible_from) VALUES ($1, 'newer', $2)"
    await connection.execute(newer, newest + 1, newest)
    await migrate.check(connection)  # a rolling upgrade: the newer schema still works with this program
    await connection.execute(newer, newest + 2, newest + 2)
    with pytest.raises(SchemaMismatch, match="install a newer"):
        await migrate.check(connection)
    await connection.close()
