"""What each role of the database may do: the whole pipeline with no more than tccc_writer."""

import asyncio
import json
from collections.abc import Awaitable, Callable
from typing import Any

import asyncpg
import pytest
from msgspec.structs import replace

from console.__main__ import FAILED
from schemas.envelope import push_headers
from schemas.settings import Settings
from tests.logins import login
from tests.pipeline import Database, Sent, cdr, dead_letters, now_us, produce, tccc
from tests.processes import running
from tests.records import T0_US, payload
from worker import migrate, roles
from worker.database import connected

Until = Callable[..., Awaitable[Any]]

TABLES = ("call", "call_participant", "recording", "voicemail", "chat")


def _kinds(at_us: int) -> list[Sent]:
    """A push of each kind, as the vendor documents them, and one that holds a number wherever there is text."""
    sent: list[Sent] = []
    for action, name in (
        ("cdr", "cdr-inbound-transfer"),
        ("record", "record"),
        ("voicemail", "voicemail"),
        ("imcdr", "imcdr"),
    ):
        value = payload(name)
        headers = push_headers(action.encode(), b"1", b"kind-" + action.encode(), at_us)
        sent.append((json.loads(value)["SessionId"], headers, value))
    return [*sent, _everywhere(at_us)]


def _everywhere(at_us: int) -> Sent:
    number = "0086 138-0013-8000"
    words = (
        "EndStatusString",
        "HungUpSide",
        "QueuedSkillGroupName",
        "UserRemark",
        "Uui",
        "RecordId",
        "Unknown",
    )
    fields: dict[str, Any] = dict.fromkeys(words, number)
    fields["IVRKeyPressedEx"] = [
        {"Key": "13800138000", "Label": number},
        {"Key": "1", "OriginalContent": number},
    ]
    fields["TelLocation"] = dict.fromkeys(("TelNumber", "Country", "Province", "City", "Operator"), number)
    fields["SeatUser"] = {"Mail": "li.si@example.com", "Name": "Li Si", "SkillGroupNameList": [number]}
    fields["ServeParticipants"] = [dict.fromkeys(("Type", "TransferTo", "SkillGroupName"), number)]
    return cdr(
        13800138000, session="everywhere", at_us=at_us - 13800138000, Callee="+8613800138000", **fields
    )


async def test_the_pipeline_runs_as_tccc_writer(settings: Settings, eventually: Until) -> None:
    owner = Database(settings)
    await owner.execute("ALTER TABLE tccc.call ADD CONSTRAINT c CHECK (user_remark <> 'refused')")
    sent = [
        *_kinds(now_us()),
        cdr(1, session="s", push_id="first"),
        cdr(1, session="s", push_id="first"),
        cdr(2, session="s", push_id="second"),
        cdr(0, session="s", push_id="older"),
        ("poison", push_headers(b"cdr", b"1", b"p", T0_US), b"not json"),
        cdr(3, session="refused", UserRemark="refused"),
    ]
    async with login(settings.database_url, "tccc_writer") as url:
        await produce(settings, sent)
        async with running("worker", replace(settings, database_url=url)) as worker:
            await eventually(lambda: owner.has_settled(len(sent)))
            await eventually(worker.ready)
            assert (await worker.event("ledger maintained"))["detail"].startswith("made push_")
            examined = await tccc(replace(settings, database_url=url), "doctor", "--json")
            states = {finding["check"]: finding["state"] for finding in examined.result["findings"]}
            assert states["privileges"] == "ok"
            assert await worker.stop() == 0
        assert await owner.outcomes() == {"applied": 7, "duplicate": 1, "stale": 1, "dead": 2}
        assert len(await dead_letters(settings)) == 2
        assert await owner.fetch(
            "SELECT push_id, earlier_push_ids FROM tccc.call WHERE session_id = 's'"
        ) == [("second", ["older", "first"])]


async def test_tccc_writer_may_do_no_more_than_it_needs(settings: Settings) -> None:
    async with login(settings.database_url, "tccc_writer") as url:
        await _refused(
            url,
            "DROP TABLE tccc.call",
            "DROP TABLE tccc.push_default",
            "DROP SCHEMA tccc CASCADE",
            "TRUNCATE tccc.call",
            "ALTER TABLE tccc.call ADD COLUMN x int",
            "CREATE TABLE tccc.x (x int)",
            "SELECT caller FROM tccc.call",
            "SELECT * FROM tccc.call_participant",
            "UPDATE tccc.call SET caller = 'x'",
            "DELETE FROM tccc.push",
            "UPDATE tccc.push SET outcome = 'dead'",
            "INSERT INTO tccc.schema_version VALUES (99, 'x', 1)",
            "DELETE FROM tccc.erasure",
            "SELECT * FROM tccc_private.hash_key",
            "SELECT * FROM tccc_masked.call",
        )
        connection = await asyncpg.connect(url)
        await connection.fetch("SELECT tccc.maintain_ledger(1, 7)")
        # however little it asks to keep: the ledger of today and yesterday stays
        kept = await connection.fetchval(
            "SELECT count(*) FROM pg_inherits WHERE inhparent = 'tccc.push'::regclass"
        )
        await connection.close()
        assert kept == 10


async def test_tccc_masked_sees_no_person(settings: Settings, eventually: Until) -> None:
    owner = Database(settings)
    await produce(settings, _kinds(now_us()))
    async with running("worker", settings):
        await eventually(lambda: owner.has_settled(5))
    secrets = await _personal(owner)
    assert len(secrets) > 15
    async with login(settings.database_url, "tccc_masked") as url:
        await _refused(
            url,
            *[f"SELECT FROM tccc.{table}" for table in (*TABLES, "push", "dead_state", "erasure")],
            "SELECT * FROM tccc_private.hash_key",
            "SELECT * FROM tccc.erased_among('number', '{13800138000}')",
        )
        connection = await asyncpg.connect(url)
        seen = ""
        for table in TABLES:
            rows = await connection.fetch(f"SELECT * FROM tccc_masked.{table}")
            assert rows
            seen += "\n".join(str(dict(row)) for row in rows)
        # all spellings of a number have one hash, and it joins
        assert await connection.fetchval(
            "SELECT caller = callee AND caller = tel_number AND length(caller) = 32 FROM tccc_masked.call"
            " WHERE session_id = 'everywhere'"
        )
        await connection.close()
    assert [secret for secret in secrets if secret in seen] == []


async def test_tccc_analyst_reads_and_runs_the_console(settings: Settings, eventually: Until) -> None:
    owner = Database(settings)
    await produce(settings, [cdr(n) for n in range(3)])
    async with running("worker", settings):
        await eventually(lambda: owner.has_settled(3))
    await owner.execute("CREATE VIEW tccc.made_later AS SELECT session_id FROM tccc.call")
    async with login(settings.database_url, "tccc_analyst") as url:
        analyst = replace(settings, database_url=url)
        assert await Database(analyst).count("made_later") == 3
        for words in (["audit", "--json"], ["trace", "s-1", "--json"]):
            ran = await tccc(analyst, *words)
            assert (ran.status, ran.err) == (0, "")
        await _refused(
            url,
            "UPDATE tccc.call SET caller = 'x'",
            "DELETE FROM tccc.push",
            "SELECT * FROM tccc_private.hash_key",
        )


async def test_a_login_that_may_make_no_roles_migrates_all_the_same(
    empty_database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As on a managed Postgres; what is missing is told, and granted as soon as it is there."""
    role = "tccc_role_nobody_made"
    async with login(empty_database_url) as url:
        async with connected(empty_database_url) as admin:
            name = url.partition("://")[2].partition(":")[0]
            await admin.execute(
                f'GRANT CREATE ON DATABASE "{empty_database_url.rpartition("/")[2].partition("?")[0]}" TO {name}'
            )
        own = roles._grants().replace("tccc_writer", role)
        monkeypatch.setattr(roles, "_grants", lambda: own)
        monkeypatch.setattr(roles, "ROLES", (role, "tccc_analyst"))
        assert len(await migrate.migrate(url)) == len(migrate.migrations())
        async with connected(url) as connection:
            assert await roles.missing(connection) == [role]
        async with connected(empty_database_url) as admin:
            await admin.execute(f"CREATE ROLE {role} NOLOGIN")
            try:
                assert await migrate.migrate(url) == []
                assert await admin.fetchval("SELECT has_table_privilege($1, 'tccc.push', 'INSERT')", role)
            finally:
                await admin.execute(f"DROP OWNED BY {role}; DROP ROLE {role}")


async def test_migrations_of_two_databases_at_once_make_the_roles_once(
    empty_database_url: str, database_url: str
) -> None:
    await asyncio.gather(
        *[migrate.migrate(url) for url in (empty_database_url, database_url) for _ in range(3)]
    )
    async with connected(empty_database_url) as connection:
        assert await roles.missing(connection) == []


async def test_migrate_says_which_roles_are_missing(settings: Settings) -> None:
    ran = await tccc(settings, "migrate", "--json")
    assert (ran.status, ran.result["roles_missing"]) == (0, [])
    async with login(settings.database_url) as url:
        assert (await tccc(replace(settings, database_url=url), "migrate")).status == FAILED


async def _refused(url: str, *statements: str) -> None:
    connection = await asyncpg.connect(url)
    try:
        for statement in statements:
            with pytest.raises(asyncpg.InsufficientPrivilegeError):
                await connection.execute(statement)
    finally:
        await connection.close()


async def _personal(owner: Database) -> set[str]:
    """Every text that the rows hold of persons."""
    columns = (
        "caller, callee, agent_name, agent_nick, agent_mail, agent_phone, agent_staff_number, agent_user_id"
    )
    found = await owner.fetch(f"SELECT {columns}, user_remark, uui, tel_number, tel_city FROM tccc.call")
    found += await owner.fetch("SELECT mail, phone, transfer_to, transfer_from FROM tccc.call_participant")
    found += await owner.fetch("SELECT endpoint_user, record_url, custom_record_url FROM tccc.recording")
    found += await owner.fetch("SELECT endpoint_user, record_url FROM tccc.voicemail")
    found += await owner.fetch(
        "SELECT agent_name, agent_mail, agent_phone, client_user_id, client_user_nick, client_data, user_remark"
        " FROM tccc.chat"
    )
    return {text for row in found for text in row if text and len(text) > 3} | {
        "13800138000",
        "138-0013-8000",
    }
