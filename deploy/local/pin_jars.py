"""Writes the manifest of jars anew: `python -m deploy.local.pin_jars 4.1.2`, for whoever moves to another Kafka.

Review what it changes: from then on the manifest is what is trusted.
"""

import hashlib
import sys
import tempfile
from pathlib import Path

import jgo
from jgo.maven import MavenContext

from deploy.local.jars import MANIFEST

Versions = dict[tuple[str, str], str]  # of group and artifact

# Resolved apart from Kafka: together, jgo lets the binding's own build file move Kafka's versions.
_LOG_BINDING = ("org.apache.logging.log4j", "log4j-slf4j-impl")


def main(version: str) -> None:
    wanted = resolved(f"org.apache.kafka:kafka_2.13:{version}")
    wanted[_LOG_BINDING] = wanted["org.apache.logging.log4j", "log4j-core"]
    MANIFEST.write_text(manifest_of(wanted), encoding="ascii")


def resolved(coordinates: str) -> Versions:
    """What an artifact needs, itself among it."""
    return {(a.groupId, a.artifactId): a.version for a in jgo.resolve(coordinates)}


def manifest_of(wanted: Versions) -> str:
    """Download all, and write down what came."""
    with tempfile.TemporaryDirectory() as folder:
        context = MavenContext(repo_cache=Path(folder), timeout=60)
        lines = []
        for (group, artifact), of_version in wanted.items():
            jar = context.project(group, artifact).at_version(of_version).artifact().resolve()
            lines.append(
                f"{hashlib.sha256(jar.read_bytes()).hexdigest()}  {jar.relative_to(folder).as_posix()}\n"
            )
    return "".join(sorted(lines, key=lambda line: line[64:]))


if __name__ == "__main__":
    main(sys.argv[1])
