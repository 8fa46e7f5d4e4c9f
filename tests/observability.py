"""Reads what watches the product: Prometheus' rules, Grafana's dashboards, and the metrics that the code has."""

import ast
import json
import re
from collections.abc import Iterator

import yaml
from msgspec import Struct

from tests.deployment import ROOT, Object

RULES = ROOT / "deploy" / "prometheus" / "rules"
RULE_TESTS = ROOT / "deploy" / "prometheus" / "tests"
DASHBOARDS = ROOT / "deploy" / "grafana" / "dashboards"
RUNBOOK = ROOT / "deploy" / "RUNBOOK.md"
# What a kind of metric is called when it is asked for.
_ENDINGS = {
    "Counter": ("_total",),
    "CounterMetricFamily": ("_total",),
    "Gauge": ("",),
    "GaugeMetricFamily": ("",),
    "Histogram": ("_bucket", "_sum", "_count"),
    "PlainHistogram": ("_bucket", "_sum", "_count"),
}


class Panel(Struct, frozen=True):
    """One query of a panel; `source` is the uid of its data source."""

    dashboard: str
    title: str
    source: str
    query: str


def rules() -> list[Object]:
    """Recording rules and alerts, as they stand in the files."""
    files = [yaml.safe_load(path.read_text()) for path in sorted(RULES.glob("*.yml"))]
    return [rule for each in files for group in each["groups"] for rule in group["rules"]]


def panels() -> Iterator[Panel]:
    for path in sorted(DASHBOARDS.glob("*.json")):
        for panel in json.loads(path.read_text())["panels"]:
            for target in panel.get("targets", []):
                query = target.get("expr") or target["rawSql"]
                yield Panel(path.stem, panel["title"], target["datasource"]["uid"], query)


def metrics_of_the_code() -> set[str]:
    """Names of all series that receivers and workers may show, found without running them."""
    names: set[str] = set()
    for package in ("receiver", "worker", "runtime"):
        for path in (ROOT / package).rglob("*.py"):
            for node in ast.walk(ast.parse(path.read_text())):
                names.update(_series(node))
    return names


def _series(node: ast.AST) -> Iterator[str]:
    match node:
        case ast.Call(func=ast.Name(id=kind), args=[ast.Constant(value=str(name)), *_]) if kind in _ENDINGS:
            yield from (name + ending for ending in _ENDINGS[kind])


def metrics_in(query: str) -> set[str]:
    """Names of ours in PromQL: metrics (tccc_…) and what rules record (tccc:…)."""
    return set(re.findall(r"\btccc[_:][a-zA-Z0-9_:]+", query))
