"""Good, bad, poison and hostile input, crashes and failed logins: no log, metric or crash output shows any of it."""

import asyncio
import base64
import json
import signal
import sys
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any
from urllib.parse import quote, urlsplit, urlunsplit

import pytest
from msgspec.structs import replace

from schemas.envelope import push_headers
from schemas.errors import OperatorError
from schemas.settings import FIELDS, SECRETS, Settings
from tests import leaks
from tests.contract.wire import connected
from tests.logins import login
from tests.pipeline import Database, now_us, produce, tccc
from tests.processes import Role, environment, port_of, running
from tests.records import body
from worker import migrate

Until = Callable[..., Awaitable[Any]]

NUMBER, MAIL, NAME, SECRET = (
    "0086139" + "55550123",
    "wang.wu@person.example",
    "Wang Wu 王五",
    "s3cret-of-basic-auth",
)
WRONG = "wr0ng-but-maybe-right-elsewhere"
SENT = (
    NUMBER[4:],
    MAIL,
    NAME,
    "王五",
    "Wang Wu",
    SECRET,
    WRONG,
    base64.b64encode(WRONG.encode()).decode()[:20],
)


def _person(session: str, **fields: Any) -> bytes:
    seat = {"Name": NAME, "Mail": MAIL, "Phone": NUMBER, "Nick": NAME}
    everything = {
        "Caller": NUMBER,
        "UserRemark": NAME,
        "Uui": MAIL,
        "SeatUser": seat,
        "Other": [NUMBER, NAME],
    }
    return body(SessionId=session, **(everything | fields))


def _request(
    sent: bytes, *, target: str = "/?action=cdr&version=1", password: str = SECRET, extra: str = ""
) -> bytes:
    credentials = base64.b64encode(f"tccc:{password}".encode()).decode()
    head = f"POST {target} HTTP/1.1\r\nHost: x\r\nAuthorization: Basic {credentials}\r\n{extra}"
    return head.encode() + f"Content-Length: {len(sent)}\r\n\r\n".encode() + sent


def _requests() -> list[bytes]:
    good = _person("good")
    spelled = quote(f"{NUMBER} {MAIL} {NAME}")
    return [
        _request(good),
        _request(good, extra=f"X-TCCC-PUSH-UUID: {NUMBER}\r\n"),
        _request(good[:-1]),
        _request(good + NAME.encode("gb18030")),
        _request(_person(NUMBER + "\x07")),
        _request(_person("nan").replace(b'"Caller"', b'"n": NaN, "Caller"')),
        _request(
            b'{"SessionId": "deep", "a": "' + MAIL.encode() + b'", "b": ' + b"[" * 300 + b"]" * 300 + b"}"
        ),
        _request(good, target=f"/?action={spelled}&version={spelled}"),
        _request(good, target=f"/{spelled}?action=cdr&version=1"),
        _request(good, password=WRONG),
        _request(good, extra=f"Authorization: Bearer {WRONG}\r\n"),
        _request(good).replace(b"Basic ", b"Basic " + MAIL.encode()),
        _request(good, extra=f"Content-Encoding: {MAIL}\r\n"),
        _request(_person("large", UserRemark=NAME * 200_000)),
        f"POST / HTTP/1.1\r\nHost: x\r\nBroken\x00{MAIL}: {NUMBER}\r\n\r\n".encode(),
        f"{NUMBER} {MAIL} {WRONG}\r\n\r\n".encode(),
    ]


async def test_what_was_sent_stands_in_no_log_metric_or_crash(
    settings: Settings, eventually: Until, tmp_path: Path
) -> None:
    database = Database(settings)
    await database.execute("ALTER TABLE tccc.call ADD CONSTRAINT c CHECK (agent_nick <> 'refused')")
    logs = tmp_path / "searched"
    logs.mkdir()
    debug = replace(settings, log_level="debug", dead_max_ratio=1.0)
    secret = replace(debug, auth="basic", basic_user="tccc", basic_password=SECRET)
    async with login(settings.database_url, "tccc_writer") as url:
        password = str(urlsplit(url).password)
        await produce(settings, _poison())
        async with (
            running("receiver", secret) as receiver,
            running("worker", replace(debug, database_url=url)) as worker,
        ):
            await _push_all(receiver)
            await eventually(lambda: database.has_settled(8))
            for role in (receiver, worker):
                for path in ("/metrics", "/readyz", "/livez"):
                    _note(logs, path[1:], (await role.admin(path))[1])
            await worker.stop(signal.SIGKILL)
            await receiver.stop(signal.SIGABRT)
            for role in (receiver, worker):
                _note(logs, "log", "\n".join(map(str, role.log)))
            assert receiver.log
            assert worker.log
        mistyped = urlunsplit(urlsplit(url)._replace(netloc=urlsplit(url).netloc.replace(password, WRONG)))
        async with running("worker", replace(debug, database_url=mistyped)) as worker:
            await worker.process.wait()
            await worker.stop()
            _note(logs, "log", "\n".join(map(str, worker.log)))
        for words in (["status"], ["doctor"], ["config", "show"], ["config", "show", "--json"], ["audit"]):
            for asked in (secret, replace(secret, database_url=mistyped)):
                ran = await tccc(asked, *words)
                _note(logs, words[0], ran.out + ran.err)
    assert leaks.search(logs, [*SENT, password]) == []


def _poison() -> list[tuple[str | None, Any, bytes]]:
    def headers(action: str = "cdr") -> Any:
        return push_headers(action.encode(), b"1", f"push of {NAME}".encode(), now_us())

    return [
        ("poison", headers(), b"not json " + NUMBER.encode()),
        ("action", headers(MAIL), _person("action")),
        (f"{NUMBER}\x07", headers(), _person("key")),
        (None, headers(), _person("none")),
        ("refused", headers(), _person("refused", SeatUser={"Nick": "refused", "Name": NAME})),
        ("fine", headers(), _person("fine", EndStatusString=NUMBER, IVRKeyPressed=[NAME])),
    ]


async def _push_all(receiver: Role) -> None:
    port = await port_of(receiver)
    for raw in _requests():
        async with connected(port) as wire:
            await wire.send(raw)
            await wire.answer()


_CRASHES = """
import asyncio, gc, sys, threading
from unittest import mock
sent = {sent!r}

class Careless:
    def __repr__(self): return sent
    def __del__(self): raise ValueError(sent)

async def fail(*_args, **_more): raise ValueError(sent)

async def forgotten():
    asyncio.get_running_loop().create_task(fail(), name="task")
    await asyncio.sleep(0.01)
    gc.collect()
    Careless()
    thread = threading.Thread(target=lambda: [][Careless()] if False else int(sent))
    thread.start(); thread.join()
    asyncio.get_running_loop().call_soon(int, sent)
    await asyncio.sleep(0.01)
    await fail()

from {module} import __main__ as program
with mock.patch("{module}.__main__.serve", lambda *_: forgotten()):
    status = program.main()
assert status == 1
raise KeyError(sent)
"""


@pytest.mark.parametrize("module", ["receiver", "worker"])
async def test_a_crash_is_told_by_type_and_place(settings: Settings, module: str) -> None:
    script = _CRASHES.format(sent=f"{NUMBER} {MAIL} {NAME}", module=module)
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-X", "faulthandler", "-c", script),
        env=environment(settings), stdout=-1, stderr=-1,
    )  # fmt: skip
    out, err = await process.communicate()
    said = (out + err).decode()
    assert [text for text in SENT if text in said] == []
    events = [json.loads(line) for line in said.splitlines() if line.startswith("{")]
    assert [event["error"] for event in events if event["event"] == "crashed"] == ["ValueError"]
    assert [event["error"] for event in events if event["logger"] == "asyncio"].count("ValueError") == 1
    # a thread, an object that dies badly, and the end
    assert (said.count("ValueError\n"), said.count("KeyError\n")) == (2, 1)


async def test_a_failed_migration_quotes_no_row(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    database = Database(settings)
    await database.execute(
        "INSERT INTO tccc.call (session_id, caller, source, push_id, received_at)"
        f" SELECT n, '{NUMBER}', 'push', 'u', now() FROM generate_series(1, 2) n"
    )
    broken = migrate.Migration(99, "0099_broken.sql", 1, "CREATE UNIQUE INDEX callers ON tccc.call (caller)")
    monkeypatch.setattr(migrate, "migrations", lambda: [broken])
    with pytest.raises(OperatorError) as failed:
        await migrate.migrate(settings.database_url)
    assert "0099_broken.sql failed: UniqueViolationError, sqlstate 23505" in str(failed.value)
    assert NUMBER not in str(failed.value)


def test_whatever_may_be_a_secret_is_one() -> None:
    """A new setting of such a name has to be marked, so that no command shows it."""
    telling = ("PASSWORD", "SECRET", "TOKEN", "DATABASE_URL")
    suspects = {name for name in FIELDS if any(word in name for word in telling)}
    shown = {
        name for name in suspects - SECRETS if not name.endswith(("_URL", "_S", "_TTL_S", "_FILE", "_PATH"))
    }
    assert shown == set()


def _note(folder: Path, name: str, text: str) -> None:
    (folder / f"{len(list(folder.iterdir())):03}-{name}.log").write_text(text)


def test_the_search_finds_what_it_is_for(tmp_path: Path) -> None:
    (tmp_path / "a.log").write_text(
        f'{{"event": "called {NUMBER}"}}\n{{"detail": "{MAIL}"}}\n{NAME}\n1763877600123\n'
    )
    found = [(leak.line, leak.text) for leak in leaks.search(tmp_path, [NAME])]
    assert found == [(1, NUMBER), (2, MAIL), (3, NAME)]
    assert leaks.main(["leaks", str(tmp_path)]) == 1
