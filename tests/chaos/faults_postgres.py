"""Faults of Postgres and of the network before it."""

import asyncio
import os
import signal
from contextlib import suppress
from pathlib import Path

import asyncpg

from tests.chaos.fault import Scene, fault
from tests.chaos.waiting import until
from worker.migrate import migrate

FIRE_TIMEOUT_S = 20.0
LOST_COMMITS = 3
DEADLOCK_TRIES = 5
_OURS = "application_name = 'tccc-ingest'"
_IN_TRANSACTION = f"SELECT count(*) FROM pg_stat_activity WHERE {_OURS} AND xact_start IS NOT NULL"
_WAITING = f"SELECT count(*) FROM pg_stat_activity WHERE {_OURS} AND wait_event_type = 'Lock'"
_DEADLOCKS = "SELECT deadlocks FROM pg_stat_database WHERE datname = current_database()"
# A transaction that has read the ledger, and now wants the calls.
_HALF_WAY = f"""
SELECT count(*) FROM pg_stat_activity JOIN pg_locks wanted USING (pid) JOIN pg_locks held USING (pid)
WHERE {_OURS} AND wanted.relation = 'tccc.call'::regclass AND NOT wanted.granted
  AND held.relation = 'tccc.push'::regclass AND held.granted
"""
_BACKENDS = f"SELECT pid FROM pg_stat_activity WHERE {_OURS} ORDER BY xact_start NULLS LAST, pid"


@fault("postgres-killed", hold_s=(3, 8))
async def killed(scene: Scene) -> int:
    """An immediate stop, as a power cut would, while a transaction is under way."""
    postgres = scene.stack.postgres
    in_transaction = await _seen(scene, _IN_TRANSACTION)
    await asyncio.to_thread(postgres.stop, immediate=True)
    try:
        await scene.hold()
    finally:
        await asyncio.to_thread(postgres.start)
    return int(in_transaction)


@fault("postgres-restarted", hold_s=(1, 2))
async def restarted(scene: Scene) -> int:
    postgres = scene.stack.postgres
    await asyncio.to_thread(postgres.stop)
    await asyncio.to_thread(postgres.start)
    await scene.hold()
    return 1


@fault("postgres-backend-frozen", hold_s=(5, 14))
async def backend_frozen(scene: Scene) -> int:
    """A server process that serves a worker, preferably in mid-transaction, stops in its tracks."""
    pid = await scene.stack.fetch_value(_BACKENDS)
    if pid is None:
        return 0
    with suppress(ProcessLookupError):
        os.kill(pid, signal.SIGSTOP)
    try:
        happened = await until(lambda: _state(pid) == "T", timeout_s=2.0)
        await scene.hold()
    finally:
        with suppress(ProcessLookupError):
            os.kill(pid, signal.SIGCONT)
    return int(happened)


@fault("postgres-commit-lost", hold_s=(1, 2))
async def commit_lost(scene: Scene) -> int:
    """COMMIT arrives and is done, its answer does not come back."""
    proxy = scene.stack.postgres_proxy
    before = proxy.counted["commit-lost"]
    proxy.loses_commits = LOST_COMMITS
    await until(lambda: proxy.counted["commit-lost"] - before >= LOST_COMMITS, timeout_s=FIRE_TIMEOUT_S)
    proxy.loses_commits = 0
    return proxy.counted["commit-lost"] - before


@fault("postgres-connections-reset", hold_s=(3, 6))
async def connections_reset(scene: Scene) -> int:
    broken = 0
    until_s = asyncio.get_running_loop().time() + scene.hold_s
    while asyncio.get_running_loop().time() < until_s:
        broken += scene.stack.postgres_proxy.break_off()
        await asyncio.sleep(scene.rng.uniform(0.2, 1.0))
    return broken


@fault("postgres-answers-swallowed", hold_s=(4, 8))
async def answers_swallowed(scene: Scene) -> int:
    proxy = scene.stack.postgres_proxy
    before = proxy.counted["swallowed"]
    proxy.swallows_answers = True
    try:
        await scene.hold()
    finally:
        proxy.swallows_answers = False
        proxy.break_off()
    return proxy.counted["swallowed"] - before


@fault("postgres-locked", hold_s=(3, 6))
async def locked(scene: Scene) -> int:
    """Somebody holds tables for himself for some seconds."""
    connection = await asyncpg.connect(scene.stack.direct.database_url)
    try:
        async with connection.transaction():
            # In the order in which a worker reads them: in the other one this may be a deadlock, and the victim of it.
            await connection.execute("LOCK TABLE tccc.push, tccc.call IN ACCESS EXCLUSIVE MODE")
            happened = await _seen(scene, _WAITING)
            await scene.hold()
    finally:
        await connection.close()
    return int(happened)


@fault("postgres-deadlock", hold_s=(1, 2))
async def deadlock(scene: Scene) -> int:
    """Counted by Postgres itself."""
    before = await scene.stack.fetch_value(_DEADLOCKS) or 0

    async def broken() -> bool:
        return (await scene.stack.fetch_value(_DEADLOCKS) or 0) > before

    for _ in range(DEADLOCK_TRIES):
        await _lock_across(scene)
        if await until(broken, timeout_s=5.0):
            break
    await scene.hold()
    return int(await scene.stack.fetch_value(_DEADLOCKS) or 0) - int(before)


async def _lock_across(scene: Scene) -> None:
    """Take both tables in the other order than a worker that is half-way, which Postgres makes the victim."""
    connection = await asyncpg.connect(scene.stack.direct.database_url)
    try:
        with suppress(asyncpg.DeadlockDetectedError):
            async with connection.transaction():
                # Who waits so long looks for a deadlock: the worker, after the second that is the default, first.
                await connection.execute("SET LOCAL deadlock_timeout = '5s'")
                await connection.execute("LOCK TABLE tccc.call IN ACCESS EXCLUSIVE MODE")
                await _seen(scene, _HALF_WAY)
                await connection.execute("LOCK TABLE tccc.push IN ACCESS EXCLUSIVE MODE")
    finally:
        await connection.close()


@fault("postgres-ddl", hold_s=(3, 6))
async def ddl(scene: Scene) -> int:
    """Columns and indexes come and go, and migrations run, while workers write."""
    count = 0
    until_s = asyncio.get_running_loop().time() + scene.hold_s
    while asyncio.get_running_loop().time() < until_s:
        await scene.stack.execute("ALTER TABLE tccc.call ADD COLUMN chaos integer DEFAULT 7")
        await scene.stack.execute("CREATE INDEX chaos_index ON tccc.recording (record_url)")
        await asyncio.gather(*[migrate(scene.stack.direct.database_url) for _ in range(2)])
        await scene.stack.execute("DROP INDEX tccc.chaos_index")
        await scene.stack.execute("ALTER TABLE tccc.call DROP COLUMN chaos")
        count += 1
        await asyncio.sleep(0.3)
    return count


async def _seen(scene: Scene, query: str) -> bool:
    return await until(lambda: scene.stack.fetch_value(query), timeout_s=FIRE_TIMEOUT_S, poll_s=0.01)


def _state(pid: int) -> str:
    try:
        stat = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8")
    except OSError:
        return ""
    return stat.rpartition(")")[2].split()[0]
