"""Runs docker-compose.yml on the Docker engine there is, as a project of its own beside any other."""

import json
import os
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from aiohttp.test_utils import unused_port

from tests.deployment import ROOT

DEADLINE_S = 300.0
_LOOK_S = 0.5


class Stack:
    """The services of some profiles; ports are free ones. What it does is printed, as `make compose-test` shows it."""

    def __init__(self, project: str, profiles: str, **variables: str) -> None:
        self.project = project
        self.port, self.tls_port, self.prometheus_port = unused_port(), unused_port(), unused_port()
        self.push_url = f"http://127.0.0.1:{self.port}/"
        self._senders: list[subprocess.Popen[str]] = []
        self._environ = os.environ | {
            "COMPOSE_PROFILES": profiles,
            "PUSH_ADDRESS": f"127.0.0.1:{self.port}",
            "PUSH_TLS_ADDRESS": f"127.0.0.1:{self.tls_port}",
            "PROMETHEUS_ADDRESS": f"127.0.0.1:{self.prometheus_port}",
            "GRAFANA_ADDRESS": f"127.0.0.1:{unused_port()}",
            **variables,
        }

    def compose(self, *arguments: str, check: bool = True) -> str:
        """What it prints; with `check`, an exit status other than 0 fails."""
        return self._run(["docker", "compose", "-p", self.project, *arguments], check=check).stdout

    def up(self, *scales: str) -> None:
        """As the README has it; each scale is SERVICE=N."""
        self.compose("up", "--wait", *(word for scale in scales for word in ("--scale", scale)))

    def containers(self, service: str) -> list[str]:
        """The ids of those that run."""
        return self.compose("ps", "--quiet", service).split()

    def kill(self, container: str) -> None:
        """As a crash would, without a word of warning."""
        self.docker("kill", "--signal", "KILL", container)

    def docker(self, *arguments: str) -> str:
        return self._run(["docker", *arguments]).stdout

    def inspect(self, container: str) -> Any:
        return json.loads(self.docker("inspect", container))[0]

    def inside(self, container: str, *command: str) -> subprocess.CompletedProcess[str]:
        return self._run(["docker", "exec", container, *command], check=False)

    def tccc(self, *arguments: str, check: bool = True) -> str:
        """A one-off command, as an operator would run it."""
        return self.compose("run", "--rm", "-T", "tccc", *arguments, check=check)

    def query(self, statement: str) -> list[str]:
        """Rows, as psql prints them bare."""
        psql = ("psql", "-U", "tccc", "-d", "tccc", "-v", "ON_ERROR_STOP=1", "-tA", "-c", statement)
        return self.compose("exec", "-T", "postgres", *psql).splitlines()

    def send(self, output: Path, *, count: int, rate: int, seed: int) -> subprocess.Popen[str]:
        """A simulated contact centre that pushes; each try is written to `output`."""
        given = {"--count": count, "--rate": rate, "--seed": seed, "--output": output, "--url": self.push_url}
        words = [str(word) for pair in given.items() for word in pair]
        command = [sys.executable, "-m", "console", "send", *words, "--duplicates", "3%", "--json"]
        sender = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True)
        self._senders.append(sender)
        return sender

    def close(self) -> None:
        """Leave nothing behind, whatever failed before."""
        for sender in self._senders:
            if sender.poll() is None:
                sender.kill()
                sender.communicate()
        self.compose("--profile", "*", "down", "--volumes", check=False)

    def _run(self, command: Sequence[str], *, check: bool = True) -> subprocess.CompletedProcess[str]:
        ran = subprocess.run(
            command, cwd=ROOT, env=self._environ, capture_output=True, text=True, check=False
        )
        if check and ran.returncode != 0:
            raise AssertionError(f"{' '.join(command)}: {ran.returncode}\n{ran.stdout}\n{ran.stderr}")
        return ran


def taken(output: Path) -> set[str]:
    """The ids of the pushes that were acknowledged."""
    tries = map(json.loads, output.read_text().splitlines())
    return {each["push_id"] for each in tries if each["status"] == 200 and each["err_code"] == 0}


def wait_until(condition: Callable[[], object], what: str) -> None:
    """Look again and again; the deadline only ends a test that hangs."""
    give_up_at = time.monotonic() + DEADLINE_S
    while not condition():
        if time.monotonic() > give_up_at:
            raise AssertionError(f"not within {DEADLINE_S:.0f} s: {what}")
        time.sleep(_LOOK_S)


def say(*facts: object) -> None:
    print(*facts, flush=True)
