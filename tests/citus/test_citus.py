"""What is different where the database is spread over the nodes of a Citus cluster; `make citus-test` runs it on one."""

import asyncio
from collections.abc import AsyncIterator
from random import Random
from typing import Any
from urllib.parse import urlsplit

import asyncpg
import pytest

from console.erase import rows
from console.erase.subject import Subject
from console.postgres import open_database
from schemas.errors import DatabaseAway, OperatorError
from tests.chaos.proxy import Proxy
from tests.citus.contents import TABLES, digests
from tests.commands import tccc
from tests.conftest import wait_until
from tests.databases import CITUS_URL, SHARDS, Cluster, prepared, with_database
from tests.fuzz.storing import Store
from tests.logins import login
from tests.records import T0_US, body, item, payload, record
from tests.services import execute
from worker import ledger, migrate, store
from worker.batch import Item
from worker.citus import distribute
from worker.citus.forms import is_distributed
from worker.database import Conflict, Connection, Database, connected
from worker.migrate import Migration

pytestmark = pytest.mark.skipif(not CITUS_URL, reason="CITUS_URL names no cluster")

SINCE, UNTIL = "2023-11-14 00:00Z", "2023-11-16 00:00Z"


@pytest.fixture
async def db(database_url: str) -> AsyncIterator[Connection]:
    async with prepared(database_url) as connection:
        yield connection


def pushes(count: int = 60) -> list[Item]:
    """Of every kind, some of them older than what their row shows, one that can never be stored."""
    dice = Random(1)
    items = [item(payload("voicemail"), action="voicemail", key="v", offset=0)]
    items.append(item(payload("record"), action="record", key="s-1", offset=1))
    items.append(item(payload("imcdr"), action="imcdr", key="c", offset=2))
    items.append(item(b"[]", key=None, offset=3))
    for offset in range(4, count):
        n = dice.randrange(count // 2)
        fields = {
            "SessionId": f"s-{n}",
            "Caller": f"00861380013{n % 5:04}",
            "Direction": "0",
            "StartTimestamp": T0_US // 1_000_000 + n * 60,
            "ServeParticipants": [{"Sequence": 1, "Mail": f"a{n % 3}@example.com"}],
        }
        at_us = T0_US + dice.randrange(1000)
        items.append(
            item(body(**fields), key=f"s-{n}", push_id=f"u{offset}", received_at_us=at_us, offset=offset)
        )
    return items


def sound() -> list[Item]:
    """Those that one transaction settles: what is dead is entered by another, once its letter is written."""
    return [push for push in pushes() if push.fault is None]


async def entered(db: Connection, items: list[Item]) -> None:
    """Settle all, those that are dead too."""
    settled = await store.settle(db, items)
    await store.settle_dead(db, settled.dead)


async def answers(db: Connection) -> list[list[tuple[object, ...]]]:
    return [
        sorted((tuple(row) for row in await db.fetch(question)), key=str)
        for question in (
            f"SELECT * FROM tccc.call_answers('{SINCE}', '{UNTIL}', 'UTC', 'hour', 'number')",
            f"SELECT * FROM tccc.agent_answers('{SINCE}', '{UNTIL}', 'Asia/Shanghai', 'day')",
            "SELECT * FROM tccc.call_fact",
            "SELECT * FROM tccc.participant_fact",
            "SELECT session_id, caller, agent_mail FROM tccc_masked.call",
        )
    ]


async def objects(db: Connection) -> list[tuple[object, ...]]:
    """Columns, indexes, comments, views and functions of the schemas."""
    found = await db.fetch("""
        SELECT c.oid::regclass::text, c.relkind::text, a.attname, format_type(a.atttypid, a.atttypmod), a.attnotnull,
            pg_get_expr(d.adbin, d.adrelid), col_description(c.oid, a.attnum), obj_description(c.oid, 'pg_class'),
            (SELECT array_agg(r::text ORDER BY r::text) FROM unnest(c.relacl) AS r)::text,
            (SELECT array_agg(r::text ORDER BY r::text) FROM unnest(a.attacl) AS r)::text, CASE c.relkind WHEN 'v' THEN pg_get_viewdef(c.oid) WHEN 'i' THEN pg_get_indexdef(c.oid) END
        FROM pg_class AS c JOIN pg_attribute AS a ON a.attrelid = c.oid AND a.attnum > 0
        LEFT JOIN pg_attrdef AS d ON d.adrelid = c.oid AND d.adnum = a.attnum
        WHERE c.relnamespace IN ('tccc'::regnamespace, 'tccc_private'::regnamespace, 'tccc_masked'::regnamespace)
        UNION ALL
        SELECT f.oid::regprocedure::text, f.prokind::text, pg_get_functiondef(f.oid), NULL, NULL, NULL,
            obj_description(f.oid, 'pg_proc'), NULL, (SELECT array_agg(r::text ORDER BY r::text) FROM unnest(f.proacl) AS r)::text, NULL, NULL
        FROM pg_proc AS f WHERE f.prokind = 'f'
          AND f.pronamespace IN ('tccc'::regnamespace, 'tccc_private'::regnamespace, 'tccc_masked'::regnamespace)
    """)
    return sorted((tuple(row) for row in found), key=str)


async def test_what_a_constraint_refuses_becomes_a_dead_letter(database_url: str) -> None:
    """Where Citus does not tell which record it is, and goes back to no savepoint."""
    await execute(database_url, "ALTER TABLE tccc.call ADD CONSTRAINT c CHECK (caller <> 'bad')")
    records = [
        record(
            body(SessionId=f"s-{n}", Caller="bad" if n == 7 else "good"),
            key=f"s-{n}",
            push_id=f"u{n}",
            offset=n,
        )
        for n in range(40)
    ]
    database = Database(database_url, timeout_s=60.0, prepare=store.prepare)
    try:
        ends = await Store(database).settle(records)
    finally:
        database.close()
    assert ends == {("stored", "applied"): 39, ("dead letter", "refused-by-database"): 1}


async def test_there_and_back_everything_is_as_it_was(empty_database_url: str) -> None:
    """Also from a database that has rows, and a ledger of several days, before it meets Citus."""
    url = empty_database_url
    await migrate.migrate(url)
    async with prepared(url) as db:
        await entered(db, pushes())
        await ledger.maintain(db, ledger_days=35)
        before = (await digests(url), await answers(db), await objects(db))
        assert await distribute.distribute(url, shards=SHARDS)
        assert not await distribute.distribute(url, shards=SHARDS)
        shards = await db.fetch(
            "SELECT table_name::text, shard_count FROM citus_tables WHERE table_name::text !~ '_[0-9d]'"
        )
        assert {row[0]: row[1] for row in shards} == {f"tccc.{name}": SHARDS for name in TABLES}
        assert (await digests(url), await answers(db)) == before[:2]
        assert await distribute.gather(url)
        assert not await distribute.gather(url)
        assert (await digests(url), await answers(db), await objects(db)) == before
        assert await db.fetchval("SELECT tccc.rollup_kept()")


async def test_a_database_that_was_there_before_citus(databases: Cluster, template_database: str) -> None:
    """Functions that run on the data nodes are made there too."""
    name = f"tccc_older_{template_database[-12:]}"
    nodes = await databases.nodes()
    for node in nodes:
        await execute(databases.url_of(node), f"CREATE DATABASE {name}")
    url = with_database(CITUS_URL, name)
    try:
        await migrate.migrate(url)
        with pytest.raises(OperatorError, match="has no Citus"):
            await distribute.distribute(url)
        for node in nodes:
            await execute(with_database(databases.url_of(node), name), "CREATE EXTENSION citus")
        await execute(url, f"SELECT citus_set_coordinator_host('{nodes[0].host}', {nodes[0].port})")
        with pytest.raises(OperatorError, match="no data node"):
            await distribute.distribute(url)
        for node in nodes[1:]:
            await execute(url, f"SELECT citus_add_node('{node.host}', {node.port})")
        async with prepared(url) as db:
            await entered(db, pushes())
            before = await answers(db)
            assert await distribute.distribute(url, shards=SHARDS)
            assert await answers(db) == before
        with pytest.raises(OperatorError, match="data node"):
            await distribute.distribute(with_database(databases.url_of(nodes[1]), name))
    finally:
        await databases.drop(name)


async def test_a_batch_whose_commit_was_not_answered_is_settled_once(database_url: str) -> None:
    parts = urlsplit(database_url)
    batch = sound()
    async with Proxy(parts.port or 5432) as proxy:
        url = parts._replace(netloc=parts.netloc.replace(f":{parts.port}", f":{proxy.port}")).geturl()
        proxy.loses_commits = 1
        async with prepared(url) as db:
            with pytest.raises(DatabaseAway):
                await store.settle(db, batch)
        assert proxy.counted["commit-lost"] == 1
        async with prepared(url) as db:
            again = await store.settle(db, batch)
            once = await digests(database_url)
            assert await db.fetchval("SELECT count(DISTINCT kafka_offset) FROM tccc.push") == len(batch)
            # whichever way the first COMMIT went, nothing is left to do, and nothing is there twice
            assert await db.fetchval("SELECT count(*) FROM tccc.push") == len(batch)
            assert len(again.ledger) in (0, len(batch))
            assert (await store.settle(db, batch)).ledger == []
            assert await digests(database_url) == once


async def test_a_later_migration_is_written_as_if_there_were_no_citus(
    database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    known = migrate.migrations()
    sql = """
        ALTER TABLE tccc.call ADD COLUMN mood text;
        CREATE INDEX call_mood ON tccc.call (mood);
        ALTER TABLE tccc.chat ALTER COLUMN updated_at SET DEFAULT now();
        CREATE TABLE tccc.later (n integer);
        CREATE OR REPLACE FUNCTION tccc.rollup_reset() RETURNS void LANGUAGE sql BEGIN ATOMIC
            DELETE FROM tccc.rollup_mark;
            INSERT INTO tccc.rollup_mark SELECT DISTINCT started_at, false FROM tccc.call;
        END;
        SELECT tccc.rollup_start();
    """
    later = Migration(known[-1].version + 1, "later.sql", 1, sql)
    monkeypatch.setattr(migrate, "migrations", lambda: [*known, later])
    assert await migrate.migrate(database_url) == ["later.sql"]
    assert await migrate.migrate(database_url) == []
    async with prepared(database_url) as db:
        await entered(db, pushes())
        assert await db.fetchval("SELECT count(*) FROM tccc.call WHERE mood IS NULL") > 10
        assert "BEGIN ATOMIC" not in await db.fetchval(
            "SELECT pg_get_functiondef('tccc.rollup_reset'::regproc)"
        )
        assert await distribute.gather(database_url)
        assert "BEGIN ATOMIC" in await db.fetchval("SELECT pg_get_functiondef('tccc.rollup_reset'::regproc)")


async def test_who_sees_no_persons_reads_the_masked_views_only(db: Connection, database_url: str) -> None:
    await entered(db, pushes())
    async with login(database_url, "tccc_masked") as url, connected(url) as masked:
        calls = await masked.fetch("SELECT caller FROM tccc_masked.call WHERE session_id LIKE 's-%'")
        assert {len(row["caller"]) for row in calls} == {32}
        for name in ("tccc.call", "tccc_private.hash_key", "tccc_private.masked_call"):
            with pytest.raises(asyncpg.InsufficientPrivilegeError):
                await masked.fetch(f"SELECT * FROM {name}")


async def test_a_search_by_blocks_reads_all_of_every_shard(
    db: Connection, database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    number = "13800138000"
    batch = [
        item(body(SessionId=f"w-{n}", Uui="x" * 2000, Caller=number), key=f"w-{n}", push_id=f"w{n}", offset=n)
        for n in range(200)
    ]
    await store.settle(db, batch)
    monkeypatch.setattr(rows, "_BLOCKS", 1)
    async with open_database(database_url) as database:
        subject = Subject("number", number)
        found = {s async for s in rows.sessions_with(database, subject, lambda _: None)}
    assert found == {f"w-{n}" for n in range(200)}


async def test_what_is_not_distributed_stays_on_the_coordinator(db: Connection) -> None:
    assert await is_distributed(db)
    found = await db.fetch("SELECT table_name::text FROM citus_tables ORDER BY 1")
    assert [row[0] for row in found] == sorted([*(f"tccc.{name}" for name in TABLES), "tccc.push_default"])


class Cutting(Proxy):
    """Before a data node; breaks off where the coordinator would have it commit what it has prepared."""

    def __init__(self, target_port: int) -> None:
        super().__init__(target_port)
        self.cuts = False

    def _request(self, pair: Any, chunk: bytes) -> bytes:
        if self.cuts and b"COMMIT PREPARED" in chunk:
            self.counted["cut"] += 1
            raise ConnectionResetError
        return super()._request(pair, chunk)


async def _waits(node: Connection) -> bool:
    return bool(await node.fetchval("SELECT count(*) FROM pg_locks WHERE NOT granted"))


async def test_what_a_node_has_prepared_is_waited_for_and_settled_once(
    databases: Cluster, database_url: str
) -> None:
    """A node is lost between the two phases of a COMMIT that was answered: its part is in doubt until it is recovered."""
    node, batch = (await databases.nodes())[1], sound()
    its_url = with_database(databases.url_of(node), urlsplit(database_url).path.removeprefix("/"))
    async with Cutting(node.port) as proxy, connected(database_url) as admin:
        await admin.execute(
            "SELECT citus_update_node(nodeid, nodename, $1) FROM pg_dist_node WHERE nodeport = $2",
            proxy.port,
            node.port,
        )
        async with prepared(database_url) as db:
            proxy.cuts = True
            assert len((await store.settle(db, batch)).ledger) == len(batch)
            proxy.cuts = False
        assert proxy.counted["cut"] > 0
        assert await admin.fetchval("SELECT count(*) FROM tccc.push") < len(batch)

        async def again() -> store.Settled:
            async with prepared(database_url) as db:
                while True:
                    try:
                        return await store.settle(db, batch)
                    except Conflict:
                        pass

        second = asyncio.create_task(again())
        async with connected(its_url) as there:
            await wait_until(lambda: _waits(there), what="for who holds its rows")
        await admin.fetchval("SELECT recover_prepared_transactions()")
        assert (await second).ledger == []
        assert await admin.fetchval("SELECT count(DISTINCT kafka_offset) FROM tccc.push") == len(batch)
        assert await admin.fetchval("SELECT count(*) FROM tccc.push") == len(batch)


async def test_migrate_tells_what_it_moves(empty_database_url: str) -> None:
    environ = {"TCCC_DATABASE_URL": empty_database_url}
    await tccc("migrate", environ=environ)
    names = ", ".join(distribute.TABLES)
    would = await tccc("migrate", "--citus", "--dry-run", environ=environ)
    assert would == (0, f"would be distributed: {names}\n", "")
    assert await tccc("migrate", "--citus", "--shards", "4", environ=environ) == (
        0,
        f"distributed: {names}\n",
        "",
    )
    again = await tccc("migrate", "--citus", "--json", environ=environ)
    assert "moved" not in again.json
    doctor = await tccc("doctor", "--json", environ=environ)
    checks = {finding["check"]: finding["state"] for finding in doctor.json["findings"]}
    assert (checks["Citus"], checks["privileges"]) == ("ok", "ok")
    back = await tccc("migrate", "--no-citus", "--json", environ=environ)
    assert back.json["moved"] == "gathered"
