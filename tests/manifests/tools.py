"""What `make manifests` takes from Go modules: kustomize, and the schemas of custom resources as they are published."""

import json
import subprocess
from pathlib import Path
from typing import Any

import yaml

KUSTOMIZE = "sigs.k8s.io/kustomize/kustomize/v5@v5.7.1"
# Where the custom resource definitions are, by the group of their API.
DEFINITIONS = {
    "keda.sh": ("github.com/kedacore/keda/v2@v2.17.0", "config/crd/bases/keda.sh_{plural}.yaml"),
    "monitoring.coreos.com": (
        "github.com/prometheus-operator/prometheus-operator@v0.83.0",
        "example/prometheus-operator-crd/monitoring.coreos.com_{plural}.yaml",
    ),
}


def build(overlay: Path) -> list[dict[str, Any]]:
    """The objects of an overlay, as `kubectl apply -k` would send them."""
    return list(yaml.safe_load_all(_run("go", "run", KUSTOMIZE, "build", str(overlay))))


def custom_schema(api_version: str, kind: str) -> dict[str, Any] | None:
    """The JSON schema of a custom resource, strict about names; None if it is none that we know."""
    group, _, version = api_version.partition("/")
    if group not in DEFINITIONS:
        return None
    module, path = DEFINITIONS[group]
    folder = Path(json.loads(_run("go", "mod", "download", "-json", module))["Dir"])
    definition = yaml.safe_load((folder / path.format(plural=kind.lower() + "s")).read_text())
    (served,) = [each for each in definition["spec"]["versions"] if each["name"] == version]
    schema: dict[str, Any] = _strict(served["schema"]["openAPIV3Schema"])
    schema["properties"]["metadata"] = {"type": "object"}
    return schema


def _strict(schema: Any) -> Any:
    """As the API server takes it: a name that the schema does not have is refused."""
    if isinstance(schema, list):
        return [_strict(each) for each in schema]
    if not isinstance(schema, dict):
        return schema
    strict = {name: _strict(value) for name, value in schema.items()}
    is_open = "additionalProperties" in schema or schema.get("x-kubernetes-preserve-unknown-fields")
    if isinstance(schema.get("properties"), dict) and not is_open and schema.get("type") == "object":
        strict["additionalProperties"] = False
    return strict


def _run(*command: str) -> str:
    return subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True).stdout
