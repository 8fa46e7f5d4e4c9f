"""Reads what deployments are made of: the compose file, the Dockerfile and the manifests, without running any."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import yaml

from runtime.spans import FLUSH_S
from schemas.settings import FIELDS, Settings

ROOT = Path(__file__).parents[1]
KUBERNETES = ROOT / "deploy" / "kubernetes"

Object = dict[str, Any]


def compose() -> Object:
    """The compose file, with its anchors and merges resolved and its variables as they stand there."""
    loaded: Object = yaml.safe_load((ROOT / "docker-compose.yml").read_text())
    return loaded


def env_file(path: Path) -> dict[str, str]:
    """NAME=VALUE lines; later ones win."""
    lines = [line for line in path.read_text().splitlines() if line and not line.startswith("#")]
    return dict(line.split("=", 1) for line in lines)


def dockerfile() -> list[tuple[str, str]]:
    """Instructions and their arguments, in order, continued lines joined."""
    text = (ROOT / "deploy" / "Dockerfile").read_text().replace("\\\n", " ")
    lines = [line for line in text.splitlines() if line and not line.startswith("#")]
    return [(word, rest.strip()) for word, _, rest in (line.partition(" ") for line in lines)]


def manifests() -> Iterator[Object]:
    """Every object of deploy/kubernetes, kustomizations among them."""
    for path in sorted(KUBERNETES.rglob("*.yaml")):
        yield from yaml.safe_load_all(path.read_text())


def manifest(kind: str, name: str) -> Object:
    (found,) = [each for each in manifests() if each["kind"] == kind and each["metadata"]["name"] == name]
    return found


def drain_needs_s(settings: Settings) -> float:
    """How long a receiver may take from SIGTERM to its end, by receiver/app.py."""
    in_flight_s = settings.body_timeout_s + 2 * settings.ack_timeout_s + 1
    closing_s = 5.0 + FLUSH_S
    return settings.drain_s + in_flight_s + closing_s


def assert_settings(names: set[str], because: str) -> None:
    """That these are exactly the product's settings."""
    assert names == set(FIELDS), f"{because}: differs in {sorted(names ^ set(FIELDS))}"
