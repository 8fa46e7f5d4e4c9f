"""Writes the manifest of the Debezium sink's jars anew: `python -m tests.bench.pin_connect`; review what it changes."""

from deploy.local.pin_jars import Versions, manifest_of, resolved
from tests.bench.connect import MANIFEST

# Each is resolved by itself; where two disagree the first has its way. JsonConverter takes a schema since 4.2.
_ROOTS = (
    "org.apache.kafka:connect-runtime:4.2.0",
    "org.apache.kafka:connect-json:4.2.0",
    "org.apache.kafka:connect-transforms:4.2.0",
    "io.debezium:debezium-connector-jdbc:3.3.1.Final",
    "org.slf4j:slf4j-simple:1.7.36",
)


def main() -> None:
    wanted: Versions = {}
    for root in _ROOTS:
        wanted = resolved(root) | wanted
    MANIFEST.write_text(manifest_of(wanted), encoding="ascii")


if __name__ == "__main__":
    main()
