"""Rules, dashboards and RUNBOOK, compared with the code and each other. Running them: make rules, make dashboards."""

import re
import shlex

import click
import pytest
import yaml

from console.__main__ import tccc
from tests.deployment import ROOT, Object, compose
from tests.observability import (
    DASHBOARDS,
    RULE_TESTS,
    RUNBOOK,
    metrics_in,
    metrics_of_the_code,
    panels,
    rules,
)

ALERTS = [rule for rule in rules() if "alert" in rule]
RECORDED = {rule["record"] for rule in rules() if "record" in rule}
SECTIONS = set(re.findall(r"^### (\w+)$", RUNBOOK.read_text(), re.MULTILINE))
PROVISIONING = ROOT / "deploy" / "grafana" / "provisioning"


def test_every_metric_that_is_asked_for_is_there() -> None:
    asked = set[str]().union(
        *(metrics_in(rule["expr"]) for rule in rules()),
        *(metrics_in(panel.query) for panel in panels() if panel.source == "prometheus"),
    )
    assert asked - metrics_of_the_code() - RECORDED == set()
    assert asked >= RECORDED
    assert {"tccc_worker_lag_records", "tccc_receiver_ack_seconds_bucket"} <= metrics_of_the_code()


@pytest.mark.parametrize("alert", ALERTS, ids=lambda alert: alert["alert"])
def test_an_alert_says_what_it_is_and_where_to_read_on(alert: Object) -> None:
    assert alert["labels"]["severity"] in {"critical", "warning", "info"}
    assert alert["annotations"]["summary"]
    assert alert["annotations"]["runbook"] == f"deploy/RUNBOOK.md#{alert['alert'].lower()}"
    assert alert["alert"] in SECTIONS


def test_the_runbook_tells_of_no_alert_that_is_gone() -> None:
    assert {name for name in SECTIONS if name.startswith("Tccc")} == {alert["alert"] for alert in ALERTS}


def test_each_alert_is_tried_with_its_fault_and_without() -> None:
    fires: set[str] = set()
    silent: set[str] = set()
    for path in RULE_TESTS.glob("*.yml"):
        for test in yaml.safe_load(path.read_text())["tests"]:
            for tried in test["promql_expr_test"]:
                names = re.findall(r'alertname="(\w+)",alertstate="firing"', tried["expr"])
                (fires if tried["exp_samples"] else silent).update(names)
    assert fires == silent == {alert["alert"] for alert in ALERTS}


def test_panels_ask_sources_that_are_provisioned() -> None:
    files = [yaml.safe_load(path.read_text()) for path in (PROVISIONING / "datasources").glob("*.yml")]
    assert {panel.source for panel in panels()} == {
        each["uid"] for file in files for each in file["datasources"]
    }
    (provider,) = yaml.safe_load((PROVISIONING / "dashboards" / "files.yml").read_text())["providers"]
    grafana = compose()["services"]["grafana"]
    mounted = dict(volume.split(":")[:2] for volume in grafana["volumes"])
    assert mounted["./" + str(DASHBOARDS.relative_to(ROOT))] == provider["options"]["path"]
    for name in re.findall(r"\$__env\{(\w+)\}", (PROVISIONING / "datasources" / "postgres.yml").read_text()):
        assert name in grafana["environment"]


def test_the_runbooks_commands_exist() -> None:
    commands = re.findall(r"(?<!-n )(?<![\w.=/-])tccc ([a-z][^`#|\n;)]*)", RUNBOOK.read_text())
    assert len(commands) > 30
    for line in commands:
        words = shlex.split(line.rstrip("\\ "))
        command: click.Command = tccc
        while isinstance(command, click.Group):
            name = words.pop(0)
            found = command.get_command(click.Context(command), name)
            assert found is not None, line
            command = found
        options = {option for each in command.params for option in each.opts}
        assert {word for word in words if word.startswith("--")} <= options, line
