"""The Dockerfile and the image's health check, compared with the code. Building it is `make compose-test`."""

import asyncio
import json
import re
import socket
import subprocess
import sys
import tomllib

import pytest
from prometheus_client import CollectorRegistry

from deploy import healthcheck
from receiver.app import DEFAULT_ADMIN_LISTEN
from runtime.admin import admin_server
from schemas.settings import Settings, host_port, load
from tests.deployment import ROOT, compose, dockerfile
from worker.app import DEFAULT_ADMIN

INSTRUCTIONS = dockerfile()
STAGES = [index for index, (word, _) in enumerate(INSTRUCTIONS) if word == "FROM"]
FINAL = INSTRUCTIONS[STAGES[-1] :]


def one(word: str) -> str:
    (found,) = [rest for each, rest in FINAL if each == word]
    return found


def test_the_image_runs_tccc_itself_as_nobody_in_particular() -> None:
    assert json.loads(one("ENTRYPOINT")) == ["tccc"]  # the exec form: no shell between SIGTERM and tccc
    user, group = map(int, one("USER").split(":"))
    assert user > 0
    assert group > 0
    assert not [word for word, _ in FINAL if word == "VOLUME"]  # a worker would get one, too


def test_the_environment_of_the_image_is_settings() -> None:
    given = dict(item.split("=", 1) for item in one("ENV").split())
    settings = load(given)
    assert host_port(settings.admin_listen) == ("0.0.0.0", host_port(DEFAULT_ADMIN_LISTEN)[1])
    assert settings.spool_dir == compose()["services"]["receiver"]["environment"]["TCCC_SPOOL_DIR"]


def test_ports_are_those_of_the_roles() -> None:
    ports = {host_port(each)[1] for each in (Settings().listen, DEFAULT_ADMIN_LISTEN, DEFAULT_ADMIN)}
    assert set(map(int, one("EXPOSE").split())) == ports


def test_every_package_and_only_what_is_copied_is_sent_to_the_engine() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())
    packages = set(project["tool"]["hatch"]["build"]["targets"]["wheel"]["packages"])
    sources = {
        path
        for word, rest in INSTRUCTIONS
        if word == "COPY" and "--" not in rest
        for path in rest.split()[:-1]
    }
    assert packages < sources
    sent = {line[1:] for line in (ROOT / ".dockerignore").read_text().splitlines() if line.startswith("!")}
    assert sources - {"deploy"} == {path for path in sent if not path.startswith("deploy/")}
    assert one("LABEL").count("org.opencontainers.image.") == 5
    assert f"ARG VERSION={project['project']['version']}" in (ROOT / "deploy" / "Dockerfile").read_text()


def test_the_image_has_the_packages_that_the_tests_have() -> None:
    tested = pins("dev.txt")
    for name in ("production.txt", "build.txt"):
        assert pins(name).items() <= tested.items(), "make lock"
        assert "://" not in (ROOT / "requirements" / name).read_text()


def pins(name: str) -> dict[str, str]:
    text = (ROOT / "requirements" / name).read_text()
    return dict(re.findall(r"^([\w.-]+)==(\S+)", text, re.MULTILINE))


def test_the_command_does_without_what_only_tccc_up_needs() -> None:
    """The image has no embedded Kafka."""
    without = "import sys; sys.modules['jgo'] = None; from console.__main__ import main; main(sys.argv[1:])"
    shown = subprocess.run(
        [sys.executable, "-c", without, "--help"], check=True, capture_output=True, text=True
    )
    assert "Run the whole pipeline on this machine" in shown.stdout
    ran = subprocess.run([sys.executable, "-c", without, "up"], check=False, capture_output=True, text=True)
    assert (ran.returncode, ran.stdout) == (1, "")
    assert ran.stderr.startswith("tccc: the embedded Kafka and Postgres are not installed here")


@pytest.mark.parametrize(("reason", "expected"), [(None, True), ("Kafka is away", False)])
async def test_the_health_check_tells_whether_a_process_is_ready(
    reason: str | None, *, expected: bool
) -> None:
    async def ready() -> str | None:
        return reason

    async with admin_server("0.0.0.0:0", ready=ready, registry=CollectorRegistry()) as url:
        found = await asyncio.to_thread(healthcheck.check, url.removeprefix("http://"))
    assert (found is None) is expected
    assert expected or (found is not None and "Kafka is away" in found)


def test_the_health_check_tells_that_nothing_is_there(monkeypatch: pytest.MonkeyPatch) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
    monkeypatch.setenv("TCCC_ADMIN_LISTEN", f"127.0.0.1:{port}")
    assert healthcheck.main() == 1
