"""From HTTP to rows, all parts as processes; and `tccc up`, as a user runs it."""

import asyncio
import json
import os
import signal
import sys
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from typing import Any

import aiohttp
import asyncpg
import msgspec
import pytest
from msgspec.structs import replace

from deploy.local.state import StackState
from schemas.settings import Settings
from tests.processes import Role, environment, running
from tests.records import payload

Until = Callable[..., Awaitable[Any]]
TCCC = (sys.executable, "-m", "console")
SAMPLES = {
    "cdr-documented": "cdr",
    "cdr-inbound-transfer": "cdr",
    "record": "record",
    "voicemail": "voicemail",
    "imcdr": "imcdr",
}


class Rows:
    def __init__(self, url: str) -> None:
        self._url = url

    async def fetch(self, query: str, *values: Any) -> list[dict[str, Any]]:
        connection = await asyncpg.connect(self._url)
        try:
            return [dict(row) for row in await connection.fetch(query, *values)]
        finally:
            await connection.close()

    async def counts(self) -> dict[str, int]:
        rows = await self.fetch("SELECT outcome, count(*) AS n FROM tccc.push GROUP BY 1")
        return {row["outcome"]: row["n"] for row in rows}

    async def settled(self) -> int:
        return sum((await self.counts()).values())


async def post(url: str, name: str, action: str, push_id: str) -> dict[str, Any]:
    async with (
        aiohttp.ClientSession() as session,
        session.post(
            url,
            params={"action": action, "version": "1"},
            data=payload(name),
            headers={"X-TCCC-PUSH-UUID": push_id, "Content-Type": "application/json;charset=utf8"},
        ) as answer,
    ):
        result: dict[str, Any] = await answer.json()
        return result


async def tccc(*arguments: str, env: dict[str, str] | None = None) -> tuple[int, bytes]:
    process = await asyncio.create_subprocess_exec(
        *TCCC, *arguments, env=env, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE
    )
    output, errors = await process.communicate()
    assert b"Traceback" not in errors, errors
    return process.returncode or 0, output


async def send(url: str, *arguments: str) -> dict[str, Any]:
    status, output = await tccc("send", "--url", url, "--json", *arguments)
    assert status == 0, output
    result: dict[str, Any] = json.loads(output)
    return result


@asynccontextmanager
async def pipeline(
    settings: Settings, eventually: Until, *, workers: int = 1
) -> AsyncIterator[tuple[str, Role, list[Role]]]:
    async with AsyncExitStack() as stack:
        receiver = await stack.enter_async_context(running("receiver", settings))
        roles = [await stack.enter_async_context(running("worker", settings)) for _ in range(workers)]
        for role in (receiver, *roles):
            await eventually(role.ready)
        yield (await receiver.event("started"))["push"], receiver, roles


async def test_each_sample_goes_from_http_to_its_row(settings: Settings, eventually: Until) -> None:
    rows = Rows(settings.database_url)
    async with pipeline(settings, eventually) as (url, receiver, _):
        for name, action in SAMPLES.items():
            assert await post(url, name, action, f"id-{name}") == {"ErrMsg": "ok", "ErrCode": 0}
        await eventually(lambda: _at_least(rows, len(SAMPLES)))
        assert await rows.counts() == {"applied": len(SAMPLES)}
        call = (await rows.fetch("SELECT * FROM tccc.call WHERE push_id = 'id-cdr-documented'"))[0]
        assert {name: call[name] for name in ("caller", "direction", "agent_skill_groups", "repairs")} == {
            "caller": "0086400xxx6666",
            "direction": "outbound",
            "agent_skill_groups": ["Outbound Consultant"],
            "repairs": None,
        }
        assert call["queued_at"] is None
        assert call["accepted_at"] is None
        assert call["rang_at"].isoformat() == "2023-02-23T08:14:32+00:00"
        assert len(await rows.fetch("SELECT * FROM tccc.call_participant")) == 3
        voicemail = (await rows.fetch("SELECT * FROM tccc.voicemail"))[0]
        assert voicemail["endpoint_user"] == "13123456789"
        _, metrics = await receiver.admin("/metrics")
        assert "tccc_receiver_pushes_total" in metrics


async def test_the_same_simulation_twice_changes_nothing(settings: Settings, eventually: Until) -> None:
    rows = Rows(settings.database_url)
    async with pipeline(settings, eventually) as (url, _, _):
        simulation = ("--count", "3000", "--duplicates", "5%", "--reorder", "5%", "--seed", "7")
        first = await send(url, *simulation)
        await eventually(lambda: _at_least(rows, first["sent"]), timeout_s=60)
        assert await rows.counts() == {"applied": 3000, "duplicate": first["duplicates"]}
        before = {name: await rows.fetch(f"SELECT * FROM tccc.{name} ORDER BY 1, 2, 3") for name in TABLES}
        assert len(before["call"]) == first["sessions"]
        second = await send(url, *simulation)
        await eventually(lambda: _at_least(rows, first["sent"] + second["sent"]), timeout_s=60)
        assert await rows.counts() == {
            "applied": 3000,
            "duplicate": first["duplicates"] + second["sent"],
        }
        after = {name: await rows.fetch(f"SELECT * FROM tccc.{name} ORDER BY 1, 2, 3") for name in TABLES}
        assert after == before


TABLES = ("call", "call_participant", "recording", "voicemail", "chat")


async def test_kafka_not_there_yet(settings: Settings, eventually: Until) -> None:
    """A receiver that starts while Kafka is away takes pushes into its spool."""
    away = replace(settings, kafka_bootstrap="127.0.0.1:1")
    async with running("receiver", away) as receiver:
        await eventually(receiver.ready)
        url = (await receiver.event("started"))["push"]
        assert (await send(url, "--count", "200"))["taken"] == 200
        assert await receiver.stop() == 0
    rows = Rows(settings.database_url)
    async with pipeline(settings, eventually):
        await eventually(lambda: _at_least(rows, 200))
    assert await rows.counts() == {"applied": 200}


@pytest.mark.own_services("tccc up starts them")
@pytest.mark.timeout(300)
async def test_tccc_up_keeps_what_it_acknowledged(tmp_path: Path, eventually: Until) -> None:
    """Ctrl-C under load, started again: every acknowledged push is a row; nothing is left behind."""
    log = tmp_path / "sent.ndjson"
    async with up(tmp_path / "home", "--receivers", "2", "--workers", "2") as (process, state):
        status = await tccc_json("status", home=tmp_path / "home")
        assert status["pids"] == msgspec.to_builtins(state.pids)
        sending = asyncio.create_task(
            tccc("send", "--url", state.push_url, "--rate", "400", "--count", "4000", "--retries", "0",
                 "--seed", "3", "--quirks", "0", "--output", str(log)),
        )  # fmt: skip
        rows = Rows(state.database_url)
        await eventually(lambda: _at_least(rows, 500))
        process.send_signal(signal.SIGINT)
        assert await process.wait() == 0
        assert (await sending)[0] == 1  # some were not taken any more
        await eventually(lambda: not any(map(_alive, _pids(state))))
    taken = {
        line["push_id"] for line in map(json.loads, log.read_bytes().splitlines()) if line["err_code"] == 0
    }
    assert len(taken) >= 500
    async with up(tmp_path / "home") as (process, state):
        rows = Rows(state.database_url)
        await eventually(lambda: _all_settled(rows, taken))
        process.send_signal(signal.SIGINT)
        assert await process.wait() == 0


@asynccontextmanager
async def up(home: Path, *arguments: str) -> AsyncIterator[tuple[asyncio.subprocess.Process, StackState]]:
    env = environment(Settings()) | {"TCCC_HOME": str(home)}
    process = await asyncio.create_subprocess_exec(
        *TCCC, "up", "--json", *arguments, env=env, stdout=asyncio.subprocess.PIPE
    )
    assert process.stdout is not None
    try:
        line = await process.stdout.readline()
        yield process, msgspec.json.decode(line, type=StackState)
        assert await process.stdout.read() == b""
    finally:
        if process.returncode is None:
            process.send_signal(signal.SIGINT)
        await process.wait()


async def tccc_json(*arguments: str, home: Path) -> dict[str, Any]:
    status, output = await tccc(*arguments, "--json", "--home", str(home))
    assert status == 0, output
    result: dict[str, Any] = json.loads(output)
    return result


def _pids(state: StackState) -> list[int]:
    return [pid for pids in msgspec.structs.astuple(state.pids) for pid in pids]


def _alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    state = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8").rpartition(")")[2].split()[0]
    return state != "Z"


async def _at_least(rows: Rows, count: int) -> bool:
    return await rows.settled() >= count


async def _all_settled(rows: Rows, push_ids: set[str]) -> bool:
    found = await rows.fetch("SELECT DISTINCT push_id FROM tccc.push WHERE outcome = 'applied'")
    return push_ids <= {row["push_id"] for row in found}
