"""docker-compose.yml as the README starts it: a push, its row, scaling, crashes, scaling in, a restart, HTTPS."""

import json
import re
import signal
import ssl
import subprocess
import urllib.request
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.compose.accounting import assert_nothing_is_lost, settled
from tests.compose.stack import Stack, say, taken, wait_until
from tests.deployment import ROOT, dockerfile

ROWS = "SELECT count(*) FROM tccc.call"


@pytest.fixture(scope="module")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    certificates = tmp_path_factory.mktemp("certificates")
    make_certificate(certificates)
    stack = Stack("tccc-check", "single", TLS_CERTS=str(certificates))
    try:
        stack.compose("build")
        stack.up()
        yield stack
    finally:
        stack.close()


def test_the_push_of_the_readme_becomes_its_row(stack: Stack) -> None:
    text = (ROOT / "README.md").read_text().replace("\\\n", " ")
    (command,) = {line.removeprefix("$ ") for line in text.splitlines() if line.startswith("$ curl")}
    ran = subprocess.run(
        command.replace("127.0.0.1:8080", f"127.0.0.1:{stack.port}"),
        shell=True, cwd=ROOT, capture_output=True, text=True, check=True,
    )  # fmt: skip
    say("\ncurl:", ran.stdout)
    assert json.loads(ran.stdout)["ErrCode"] == 0
    row = "SELECT session_id, direction, source, push_id FROM tccc.call"
    wait_until(lambda: stack.query(row), "the row")
    say("row:", *stack.query(row))
    assert stack.query(row) == ["99a1c8f8-eb3d-4xxx-8401-5f6aa8761232|outbound|push|8d3c"]


@pytest.mark.parametrize("service", ["receiver", "worker"])
def test_a_container_may_do_nothing_but_its_work(stack: Stack, service: str) -> None:
    (container,) = stack.containers(service)
    (user,) = [rest for word, rest in dockerfile() if word == "USER"]
    assert stack.inside(container, "id", "-u").stdout.strip() == user.split(":")[0]
    for path in ("/x", "/tmp/x", "/opt/tccc/x"):
        assert "Read-only file system" in stack.inside(container, "touch", path).stderr
    status = stack.inside(container, "cat", "/proc/1/status").stdout
    facts = dict(re.findall(r"^(Name|CapEff|CapBnd|NoNewPrivs):\t(\S+)$", status, re.MULTILINE))
    assert facts == {"Name": "tccc", "CapEff": "0" * 16, "CapBnd": "0" * 16, "NoNewPrivs": "1"}
    say(f"\n{service}: uid {user}, root read-only, {facts}")


def test_one_of_each_killed_under_load_loses_nothing(stack: Stack, tmp_path: Path) -> None:
    scales = ("receiver=2", "worker=3")
    stack.up(*scales)
    output = tmp_path / "tries"
    sender = stack.send(output, count=9000, rate=300, seed=1)
    wait_until(lambda: output.exists() and len(taken(output)) > 1500, "pushes under way")
    for service in ("receiver", "worker"):
        stack.kill(stack.containers(service)[0])
        say(f"\n  {service} killed after {len(taken(output))} pushes")
    wait_until(lambda: len(taken(output)) > 4500, "pushes go on")
    stack.up(*scales)
    summary = json.loads(sender.communicate()[0])
    say("  sent", {name: summary[name] for name in ("sent", "taken", "not_taken", "retried", "refusals")})
    assert summary["not_taken"] == 0
    assert_nothing_is_lost(stack, output)


def test_what_a_receiver_holds_that_is_scaled_in_is_published(stack: Stack, tmp_path: Path) -> None:
    """Without Kafka both receivers spool; one is removed; the other takes its file over."""
    stack.compose("stop", "kafka")
    output = tmp_path / "tries"
    summary = json.loads(stack.send(output, count=400, rate=100, seed=2).communicate()[0])
    assert summary["not_taken"] == 0
    assert len(spooled(stack)) == 2
    say(
        "\n  without Kafka:",
        summary["taken"],
        "taken, spooled by each",
        [file["records"] for file in spooled(stack)],
    )
    # What Kubernetes asks before it ends a receiver: not while its spool holds a push.
    held = ("timeout", "5", "sh", "-c", "until tccc spool drain; do sleep 1; done")
    receivers = stack.containers("receiver")
    assert stack.inside(receivers[0], *held).returncode == 124
    stack.compose("up", "--detach", "--no-deps", "--scale", "receiver=1", "receiver")
    (left,) = stack.containers("receiver")
    stack.compose("start", "kafka")
    wait_until(lambda: stack.inside(left, *held).returncode == 0, "the spool drained")
    assert_nothing_is_lost(stack, output)


def spooled(stack: Stack) -> list[dict[str, int]]:
    """The files of the spool that hold records."""
    files = json.loads(stack.tccc("spool", "status", "--json"))["files"]
    return [file for file in files if file["records"]]


def test_roles_drain_at_sigterm_and_data_outlives_the_containers(stack: Stack) -> None:
    before = (stack.query(ROWS), settled(stack))
    containers = stack.containers("receiver") + stack.containers("worker")
    stack.compose("stop", "receiver", "worker")
    ends = [stack.inspect(container)["State"] for container in containers]
    assert [(end["ExitCode"], end["OOMKilled"]) for end in ends] == [(0, False)] * len(ends)
    stack.compose("down")
    assert not stack.compose("ps", "--all", "--quiet")
    stack.up()
    assert (stack.query(ROWS), settled(stack)) == before
    say(f"\n  after down and up: {before[0][0]} calls, {len(before[1])} pushes, as before")
    stack.tccc("audit")


def test_what_handles_no_sigterm_ends_at_it_all_the_same(stack: Stack) -> None:
    """As process 1, which the kernel spares: a role that has just begun, a command without an init."""
    image = stack.inspect(stack.containers("worker")[0])["Config"]["Image"]
    container = stack.docker("run", "--detach", image, "status", "--watch", "1").strip()
    try:
        wait_until(lambda: stack.docker("logs", container), "its first screen")
        stack.docker("stop", "--time", "60", container)
        assert stack.inspect(container)["State"]["ExitCode"] == 128 + signal.SIGTERM
    finally:
        stack.docker("rm", "--force", container)


def test_https_is_terminated_in_its_profile(stack: Stack) -> None:
    stack.compose("up", "--wait", "--no-deps", "balancer-tls")
    context = ssl.create_default_context()
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    request = urllib.request.Request(
        f"https://127.0.0.1:{stack.tls_port}/?action=cdr&version=1",
        data=(ROOT / "tests" / "payloads" / "cdr-outbound.json").read_bytes(),
        headers={"X-TCCC-PUSH-UUID": "by-tls"},
    )
    with urllib.request.urlopen(request, context=context) as answer:
        assert json.loads(answer.read())["ErrCode"] == 0
    wait_until(lambda: "by-tls" in settled(stack), "the push that came by HTTPS")


def test_prometheus_reads_every_process(stack: Stack) -> None:
    stack.up("receiver=2")
    stack.compose("up", "--wait", "--no-deps", "prometheus")
    expected = {"tccc-receiver": 2, "tccc-worker": 1, "haproxy": 1, "prometheus": 1}
    wait_until(lambda: targets(stack) == expected, f"targets that are up: {expected}")
    say("\n  targets that are up:", targets(stack))


def targets(stack: Stack) -> Counter[str]:
    with urllib.request.urlopen(f"http://127.0.0.1:{stack.prometheus_port}/api/v1/targets") as answer:
        found = json.loads(answer.read())["data"]["activeTargets"]
    return Counter(each["labels"]["job"] for each in found if each["health"] == "up")


def make_certificate(folder: Path) -> None:
    key, certificate = folder / "key", folder / "certificate"
    command = (
        "openssl",
        "req",
        "-x509",
        "-newkey",
        "rsa:2048",
        "-nodes",
        "-days",
        "2",
        "-subj",
        "/CN=localhost",
    )
    subprocess.run([*command, "-keyout", key, "-out", certificate], check=True, capture_output=True)
    together = folder / "push.pem"
    together.write_text(certificate.read_text() + key.read_text())
    key.unlink()
    certificate.unlink()
    folder.chmod(0o755)
    together.chmod(0o644)  # HAProxy runs as a user of its own
