"""deploy/kubernetes, compared with the code. Validation against published schemas is `make manifests`."""

import re
from typing import Any
from urllib.parse import urlsplit

import pytest
import yaml

from receiver.app import DEFAULT_ADMIN_LISTEN
from schemas.settings import FIELDS, SECRETS, Settings, host_port, load
from tests.deployment import KUBERNETES, Object, compose, drain_needs_s, env_file, manifest, manifests
from worker.app import DEFAULT_ADMIN

SHARED = env_file(KUBERNETES / "base" / "settings.env")
RECEIVER = manifest("StatefulSet", "tccc-receiver")
WORKER = manifest("Deployment", "tccc-worker")
JOBS = [manifest("Job", name) for name in ("tccc-migrate", "tccc-topics", "tccc-drain")]
WORKLOADS = [RECEIVER, WORKER, *JOBS]
RECONCILE = manifest("Deployment", "tccc-reconcile")


def pod(workload: Object) -> Object:
    found: Object = workload["spec"]["template"]["spec"]
    return found


def container(workload: Object) -> Object:
    (found,) = pod(workload)["containers"]
    return dict(found)


def environment(workload: Object) -> dict[str, str]:
    return SHARED | {each["name"]: each["value"] for each in container(workload).get("env", [])}


def settings(workload: Object) -> Settings:
    """What it starts with; secrets by file only have names here."""
    given = environment(workload)
    for name in [name for name in given if name.endswith("_FILE")]:
        assert name.removesuffix("_FILE") in SECRETS
        del given[name]
    return load(given)


def ports(workload: Object) -> dict[str, int]:
    return {port["name"]: port["containerPort"] for port in container(workload)["ports"]}


@pytest.mark.parametrize("workload", WORKLOADS, ids=lambda each: each["metadata"]["name"])
def test_variables_are_settings(workload: Object) -> None:
    assert settings(workload)
    assert container(workload)["envFrom"] == [{"configMapRef": {"name": "tccc-settings"}}]
    assert not SECRETS & set(environment(workload))


def test_overlays_set_nothing_that_is_no_setting() -> None:
    for path in KUBERNETES.glob("overlays/*/kustomization.yaml"):
        for name in re.findall(r"\bTCCC_\w+", path.read_text()):
            assert name in FIELDS or name.removesuffix("_FILE") in SECRETS


def test_ports_are_those_on_which_the_roles_listen() -> None:
    receiver, worker = settings(RECEIVER), settings(WORKER)
    assert host_port(receiver.listen) == ("0.0.0.0", host_port(Settings().listen)[1])
    assert host_port(receiver.admin_listen) == ("0.0.0.0", host_port(DEFAULT_ADMIN_LISTEN)[1])
    assert host_port(worker.admin_listen) == ("0.0.0.0", host_port(DEFAULT_ADMIN)[1])
    assert ports(RECEIVER) == {
        "push": host_port(receiver.listen)[1],
        "admin": host_port(receiver.admin_listen)[1],
    }
    assert ports(WORKER) == {"admin": host_port(worker.admin_listen)[1]}


@pytest.mark.parametrize(("name", "port"), [("tccc-receiver", "push"), ("tccc-receivers", "admin")])
def test_services_find_the_receivers(name: str, port: str) -> None:
    spec = manifest("Service", name)["spec"]
    assert spec["selector"] == RECEIVER["spec"]["template"]["metadata"]["labels"]
    (offered,) = spec["ports"]
    assert offered["targetPort"] == port
    assert port in ports(RECEIVER)


@pytest.mark.parametrize("workload", [RECEIVER, WORKER], ids=["receiver", "worker"])
def test_probes_ask_the_admin_address(workload: Object) -> None:
    asked = container(workload)
    for probe, path in (
        ("startupProbe", "/livez"),
        ("livenessProbe", "/livez"),
        ("readinessProbe", "/readyz"),
    ):
        assert asked[probe]["httpGet"] == {"path": path, "port": "admin"}


def test_commands_are_those_of_tccc() -> None:
    from console.__main__ import VERBS

    assert {container(each)["args"][0] for each in WORKLOADS} <= set(VERBS)
    assert container(RECEIVER)["args"] == ["receive"]
    assert container(WORKER)["args"] == ["work"]


def test_the_grace_period_covers_the_drain() -> None:
    (limit,) = re.findall(r"timeout (\d+) ", hook(RECEIVER))
    left_s = pod(RECEIVER)["terminationGracePeriodSeconds"] - int(limit)
    assert left_s > drain_needs_s(settings(RECEIVER))
    assert pod(WORKER)["terminationGracePeriodSeconds"] > settings(WORKER).store_timeout_s


def hook(workload: Object) -> str:
    command: list[str] = container(workload)["lifecycle"]["preStop"]["exec"]["command"]
    return command[-1]


def test_the_spool_outlives_its_receiver() -> None:
    (claim,) = RECEIVER["spec"]["volumeClaimTemplates"]
    (mount,) = container(RECEIVER)["volumeMounts"]
    assert mount == {"name": claim["metadata"]["name"], "mountPath": settings(RECEIVER).spool_dir}
    assert RECEIVER["spec"]["persistentVolumeClaimRetentionPolicy"] == {
        "whenScaled": "Retain",
        "whenDeleted": "Retain",
    }
    size = claim["spec"]["resources"]["requests"]["storage"]
    assert int(size.removesuffix("Gi")) * 2**30 > settings(RECEIVER).spool_max_bytes
    assert "until tccc spool drain;" in hook(RECEIVER)
    drain = container(manifest("Job", "tccc-drain"))
    assert drain["args"] == ["spool", "drain", drain["volumeMounts"][0]["mountPath"]]


@pytest.mark.parametrize("workload", [*WORKLOADS, RECONCILE], ids=lambda each: each["metadata"]["name"])
def test_pods_may_do_little(workload: Object) -> None:
    image = compose()["services"]["receiver"]["image"]
    assert container(workload)["image"] in image
    assert pod(workload)["enableServiceLinks"] is False
    assert pod(workload)["automountServiceAccountToken"] is False
    context = pod(workload)["securityContext"]
    assert context["runAsNonRoot"] is True
    assert context["seccompProfile"] == {"type": "RuntimeDefault"}
    assert container(workload)["securityContext"] == {
        "allowPrivilegeEscalation": False,
        "readOnlyRootFilesystem": True,
        "capabilities": {"drop": ["ALL"]},
    }


@pytest.mark.parametrize("workload", [RECEIVER, WORKER], ids=["receiver", "worker"])
def test_a_disruption_takes_one_at_a_time(workload: Object) -> None:
    budget = manifest("PodDisruptionBudget", workload["metadata"]["name"])["spec"]
    assert budget["maxUnavailable"] == 1
    assert budget["selector"] == workload["spec"]["selector"]


def test_workers_scale_by_the_lag_of_their_group_up_to_the_partitions() -> None:
    spec = manifest("ScaledObject", "tccc-worker")["spec"]
    worker = settings(WORKER)
    (trigger,) = spec["triggers"]
    assert spec["scaleTargetRef"] == {"name": WORKER["metadata"]["name"]}
    assert spec["maxReplicaCount"] == worker.topic_partitions
    expected = {
        "bootstrapServers": worker.kafka_bootstrap,
        "consumerGroup": worker.kafka_group,
        "topic": worker.kafka_topic,
    }
    assert expected.items() <= trigger["metadata"].items()


def test_prometheus_finds_both() -> None:
    service = manifest("ServiceMonitor", "tccc-receiver")["spec"]
    assert service["selector"]["matchLabels"] == manifest("Service", "tccc-receivers")["metadata"]["labels"]
    assert [each["port"] for each in service["endpoints"]] == ["admin"]
    pods = manifest("PodMonitor", "tccc-worker")["spec"]
    assert pods["selector"] == WORKER["spec"]["selector"]
    assert [each["port"] for each in pods["podMetricsEndpoints"]] == ["admin"]


def test_the_network_lets_in_and_out_what_is_needed() -> None:
    policies = {
        each["metadata"]["name"]: each["spec"] for each in manifests() if each["kind"] == "NetworkPolicy"
    }
    assert policies.pop("tccc-default-deny") == {"podSelector": {}, "policyTypes": ["Ingress", "Egress"]}
    kafka = {host_port(each)[1] for each in settings(RECEIVER).kafka_bootstrap.split(",")}
    assert kafka < _ports(policies["tccc-dns-and-kafka"], "egress")
    assert _ports(policies["tccc-push"], "ingress") == {"push"}
    assert _ports(policies["tccc-metrics"], "ingress") == {"admin"}
    with_database = {
        each["metadata"]["name"] for each in WORKLOADS if "TCCC_DATABASE_URL_FILE" in environment(each)
    }
    (expression,) = policies["tccc-database"]["podSelector"]["matchExpressions"]
    assert set(expression["values"]) == with_database


def _ports(policy: Object, direction: str) -> set[Any]:
    return {port["port"] for rule in policy[direction] for port in rule["ports"]}


def test_reconciling_reaches_the_vendor_with_its_keys() -> None:
    assert container(RECONCILE)["args"][:2] == ["reconcile", "--every"]
    assert {"TCCC_DATABASE_URL_FILE", "TENCENTCLOUD_SECRET_ID_FILE", "TENCENTCLOUD_SECRET_KEY_FILE"} < set(
        environment(RECONCILE)
    )
    policy = manifest("NetworkPolicy", "tccc-reconcile")["spec"]
    assert policy["podSelector"] == RECONCILE["spec"]["selector"]
    assert _ports(policy, "egress") == {443, 5432}


def test_tracing_reaches_its_collector() -> None:
    component = yaml.safe_load((KUBERNETES / "components" / "tracing" / "kustomization.yaml").read_text())
    (generated,) = component["configMapGenerator"]
    traced = load(SHARED | dict(line.split("=", 1) for line in generated["literals"]))
    assert traced.tracing == "otlp"
    collector = urlsplit(traced.tracing_endpoint)
    policy = manifest("NetworkPolicy", "tccc-tracing")["spec"]
    assert _ports(policy, "egress") == {collector.port}
    (expression,) = policy["podSelector"]["matchExpressions"]
    assert set(expression["values"]) == {each["metadata"]["name"] for each in (RECEIVER, WORKER)}


def test_every_file_is_used() -> None:
    named = {
        (path.parent / name).resolve()
        for path in KUBERNETES.rglob("kustomization.yaml")
        for name in re.findall(r"[\w./-]+\.yaml|\.\./[\w./-]+", path.read_text())
    }
    files = {path for path in KUBERNETES.rglob("*.yaml") if path.name != "kustomization.yaml"}
    assert files - named == set()
