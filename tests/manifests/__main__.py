"""`make manifests`: validates what each overlay amounts to against the published schemas, strictly and offline.

Offline but for the first time, when the Go proxy gives kustomize and the custom resource definitions.
"""

import sys
from pathlib import Path
from typing import Any

import jsonschema
import kubernetes_validate
import yaml

from tests.deployment import KUBERNETES
from tests.manifests import tools
from tests.observability import RULES

# The oldest and the newest release that the files are for.
RELEASES = ("1.30", "1.35")


def main() -> int:
    sources = {path.name: tools.build(path) for path in sorted((KUBERNETES / "overlays").iterdir())}
    # no overlay has these
    sources["drain"] = tools.build(KUBERNETES / "drain")
    sources["reconcile"] = list(
        yaml.safe_load_all((KUBERNETES / "components" / "reconcile" / "reconcile.yaml").read_text())
    )
    sources["rules"] = [prometheus_rule(path) for path in sorted(RULES.glob("*.yml"))]
    failed = 0
    for source, objects in sources.items():
        for each in objects:
            faults = check(each)
            failed += len(faults)
            print(f"{source}: {each['kind']} {each['metadata']['name']}: {'; '.join(faults) or 'valid'}")
    return 1 if failed else 0


def prometheus_rule(path: Path) -> dict[str, Any]:
    """As deploy/RUNBOOK.md has it made of a file of rules."""
    head = {"apiVersion": "monitoring.coreos.com/v1", "kind": "PrometheusRule"}
    return head | {"metadata": {"name": f"tccc-{path.stem}"}, "spec": yaml.safe_load(path.read_text())}


def check(each: dict[str, Any]) -> list[str]:
    """What is wrong with one object."""
    schema = tools.custom_schema(each["apiVersion"], each["kind"])
    if schema is not None:
        found = jsonschema.Draft202012Validator(schema).iter_errors(each)
        return [f"{fault.json_path}: {fault.message}" for fault in found]
    faults = []
    for release in RELEASES:
        try:
            kubernetes_validate.validate(each, release, strict=True)
        except kubernetes_validate.ValidationError as exc:
            faults.append(f"{release}: {'.'.join(map(str, exc.path))}: {exc.message}")
    return faults


if __name__ == "__main__":
    sys.exit(main())
