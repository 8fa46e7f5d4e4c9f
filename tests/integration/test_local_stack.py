"""The embedded stack: data outlives a restart, processes do not outlive us, a home has one holder, jars are pinned."""

import hashlib
import itertools
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path, PurePosixPath
from typing import Any

import asyncpg
import psutil
import pytest

from deploy.local import kafka_probe, ports
from deploy.local.jars import MANIFEST, Pin, read_manifest, verify
from deploy.local.kafka import new_cluster_id
from deploy.local.postgres import LocalPostgres
from deploy.local.process import Child
from deploy.local.stack import Size, Stack
from deploy.local.state import Pids, StackState, read_state, write_state
from deploy.local.supervisor import Supervisor, Unit
from schemas.errors import OperatorError

pytestmark = pytest.mark.own_services("is about the embedded services themselves")

STATE = StackState(
    push_url="http://127.0.0.1:8080/",
    receiver_admin_urls=[],
    worker_admin_urls=[],
    database_url="",
    kafka_bootstrap="",
    pids=Pids(receiver=[], worker=[], kafka=[], postgres=[]),
)

PARENT = """
import sys, time
from pathlib import Path
import psutil
from deploy.local.postgres import LocalPostgres
server = LocalPostgres(Path(sys.argv[1]), fast=True)
server.start()
print(server.pid, *(child.pid for child in psutil.Process(server.pid).children()), flush=True)
time.sleep(600)
"""


@pytest.fixture
def postgres(tmp_path: Path) -> Iterator[LocalPostgres]:
    server = LocalPostgres(tmp_path / "postgres", fast=True)
    server.start()
    yield server
    server.stop()


async def query(url: str, statement: str) -> Any:
    connection = await asyncpg.connect(url)
    try:
        return await connection.fetchval(statement)
    finally:
        await connection.close()


@pytest.mark.parametrize("immediate", [False, True])
async def test_postgres_keeps_address_and_data_over_a_restart(
    postgres: LocalPostgres, immediate: bool
) -> None:
    before = postgres.url
    await query(before, "CREATE TABLE kept AS SELECT 'Ünïcode' AS word")

    postgres.stop(immediate=immediate)
    assert postgres.pid is None
    postgres.start()

    assert postgres.url == before
    assert await query(before, "SELECT upper(word) FROM kept") == "ÜNÏCODE"


async def test_postgres_wants_its_password(postgres: LocalPostgres) -> None:
    stranger = postgres.url.replace("postgres:", "postgres:not-", 2).replace("not-//", "//", 1)
    with pytest.raises(asyncpg.InvalidPasswordError):
        await query(stranger, "SELECT 1")


def kill_a_parent(home: Path) -> list[int]:
    """Have another process start a server and kill it; returns the ids of the server's processes."""
    with subprocess.Popen([sys.executable, "-c", PARENT, home], stdout=subprocess.PIPE, text=True) as parent:
        assert parent.stdout is not None
        pids = [int(pid) for pid in parent.stdout.readline().split()]
        parent.kill()
    return pids


def is_alive(pid: int) -> bool:
    """Some containers' first process leaves the dead unburied for a while: a zombie is not alive."""
    try:
        return psutil.Process(pid).status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


async def test_killing_the_parent_leaves_no_child(tmp_path: Path, eventually: Callable[..., Any]) -> None:
    home = tmp_path / "postgres"
    pids = kill_a_parent(home)
    assert len(pids) > 1

    await eventually(lambda: not any(is_alive(pid) for pid in pids), what="children are gone")
    again = LocalPostgres(home, fast=True)
    again.start()
    again.stop()


def test_child_that_ignores_sigterm_is_killed(tmp_path: Path) -> None:
    script = "trap '' TERM; echo deaf; while :; do sleep 0.1; done"
    child = Child("deaf", ["/bin/sh", "-c", script], log=tmp_path / "deaf.log")
    child.start()
    while child.last_output() != "deaf":
        assert child.running()

    child.stop((signal.SIGTERM, 0.2))

    assert child.exit_status() == -signal.SIGKILL


def test_child_that_cannot_be_started_says_why(tmp_path: Path) -> None:
    child = Child("missing", ["/nonexistent/program"], log=tmp_path / "missing.log")
    child.start()
    assert child.wait(10) == 127
    assert "/nonexistent/program" in child.last_output()


def test_second_holder_of_a_home_is_refused(tmp_path: Path) -> None:
    first, second = (Stack(tmp_path, Size(), {}) for _ in range(2))
    first.claim()
    with pytest.raises(OperatorError, match=r"runs on .* already"):
        second.claim()
    first.stop()
    second.claim()
    second.stop()


def test_state_is_believed_only_while_the_home_is_held(tmp_path: Path) -> None:
    stack = Stack(tmp_path, Size(), {})
    stack.claim()
    write_state(tmp_path, STATE)
    assert read_state(tmp_path) == STATE
    stack.stop()
    assert read_state(tmp_path) is None


def test_tampered_jar_is_refused(tmp_path: Path) -> None:
    jar = tmp_path / "kafka.jar"
    jar.write_bytes(b"as published")
    pin = Pin(sha256=hashlib.sha256(b"as published").hexdigest(), path=PurePosixPath("org/kafka/1/kafka.jar"))
    verify(jar, pin)

    jar.write_bytes(b"as published, and more")

    with pytest.raises(OperatorError, match=r"kafka\.jar is not the pinned file"):
        verify(jar, pin)


def test_manifest_pins_every_jar_by_its_place() -> None:
    pins = read_manifest(MANIFEST)
    assert len(pins) == len({pin.path.name for pin in pins})
    for pin in pins:
        *_, artifact, version, file = pin.path.parts
        assert (len(bytes.fromhex(pin.sha256)), file) == (32, f"{artifact}-{version}.jar")


def test_supervisor_starts_again_with_growing_waits() -> None:
    now, starts = 0.0, list[float]()
    supervisor = Supervisor(clock=lambda: now)
    supervisor.watch(Unit(name="crashing", running=lambda: False, spawn=lambda: starts.append(now)))

    for _ in range(600):
        supervisor.step()
        now += 0.1

    waits = [later - earlier for earlier, later in itertools.pairwise(starts)]
    assert len(starts) < 12
    assert waits == sorted(waits)
    assert max(waits) < 16


def test_ports_stay_while_they_are_free(tmp_path: Path) -> None:
    file = tmp_path / "ports.json"
    first = ports.remembered_ports(file, ["a", "b"])
    assert ports.remembered_ports(file, ["a", "b"]) == first
    assert first["a"] != first["b"]


def test_probe_of_a_port_where_nothing_listens() -> None:
    assert kafka_probe.live_brokers(ports.free_port()) == set()


def test_no_cluster_id_looks_like_an_option() -> None:
    assert not [made for made in (new_cluster_id() for _ in range(1000)) if made.startswith("-")]
