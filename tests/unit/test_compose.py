"""docker-compose.yml and .env, compared with the code. Nothing is run: that is `make compose-test`."""

import re

import pytest
import yaml

from receiver.app import DEFAULT_ADMIN_LISTEN
from schemas.settings import FIELDS, SECRETS, Settings, host_port, load
from tests.deployment import ROOT, Object, assert_settings, compose, drain_needs_s, env_file
from worker.app import DEFAULT_ADMIN

COMPOSE = compose()
SERVICES = COMPOSE["services"]
OF_THE_PRODUCT = {name for name, service in SERVICES.items() if "tccc-ingest" in service["image"]}
ENV = env_file(ROOT / ".env")
PORTS = {
    "TCCC_LISTEN": host_port(Settings().listen)[1],
    "receiver": host_port(DEFAULT_ADMIN_LISTEN)[1],
    "worker": host_port(DEFAULT_ADMIN)[1],
}
# What docker-compose.yml decides itself, as other services rely on it.
FIXED = {"TCCC_LISTEN", "TCCC_ADMIN_LISTEN", "TCCC_SPOOL_DIR", "TCCC_DATABASE_URL"}


def settings_of(service: str) -> Settings:
    """What a service starts with, when nothing is set in the shell."""
    given: Object = SERVICES[service]["environment"]
    values = {name: ENV.get(name) if value is None else str(value) for name, value in given.items()}
    return load({name: value for name, value in values.items() if value is not None and "$" not in value})


def test_env_has_every_setting_with_its_default() -> None:
    ours = {name: value for name, value in ENV.items() if name.startswith("TCCC_")}
    assert_settings(set(ours) | FIXED, "add the setting to .env")
    assert not FIXED & set(ours)
    example = env_file(ROOT / "deploy" / "tccc.env.example")
    assert {name for name in ours if ours[name] != example[name]} == {
        "TCCC_KAFKA_BOOTSTRAP",
        "TCCC_TRUSTED_PROXIES",
    }


def test_every_setting_reaches_the_containers() -> None:
    assert_settings(set(COMPOSE["x-settings"]) | FIXED, "add the setting to x-settings in docker-compose.yml")
    assert set(COMPOSE["x-settings"].values()) == {None}
    for name in OF_THE_PRODUCT:
        assert set(COMPOSE["x-settings"]) <= set(SERVICES[name]["environment"]), name


def test_a_variable_that_is_used_is_in_env() -> None:
    text = (ROOT / "docker-compose.yml").read_text()
    used = set(re.findall(r"(?<!\$)\$\{(\w+)", text)) - {"COMPOSE_PROJECT_NAME", "TCCC_IMAGE"}
    assert used | {"COMPOSE_PROFILES"} == {name for name in ENV if name not in FIELDS}
    assert not [name for name in ENV if name in SECRETS and ENV[name]]


def test_roles_listen_where_others_look_for_them() -> None:
    receiver, worker = settings_of("receiver"), settings_of("worker")
    assert host_port(receiver.listen) == ("0.0.0.0", PORTS["TCCC_LISTEN"])
    assert host_port(receiver.admin_listen) == ("0.0.0.0", PORTS["receiver"])
    assert host_port(worker.admin_listen) == ("0.0.0.0", PORTS["worker"])
    haproxy = (ROOT / "deploy" / "haproxy" / "common.cfg").read_text()
    assert f" receiver:{PORTS['TCCC_LISTEN']}\n" in haproxy
    assert f"check port {PORTS['receiver']} " in haproxy
    jobs = yaml.safe_load((ROOT / "deploy" / "prometheus" / "prometheus.yml").read_text())["scrape_configs"]
    looked_up = {
        name: found["port"]
        for job in jobs
        for found in job.get("dns_sd_configs", [])
        for name in found["names"]
    }
    assert {name: PORTS[name] for name in ("receiver", "worker")}.items() <= looked_up.items()


def test_only_what_needs_the_database_knows_its_password() -> None:
    knowing = {name for name in OF_THE_PRODUCT if "TCCC_DATABASE_URL" in SERVICES[name]["environment"]}
    assert knowing == {"worker", "reconcile", "migrate", "tccc"}
    asking = {name for name in OF_THE_PRODUCT if "TENCENTCLOUD_SECRET_KEY" in SERVICES[name]["environment"]}
    assert asking == {"reconcile", "tccc"}


def test_the_spool_is_on_a_volume_that_receivers_share() -> None:
    volume, _, folder = SERVICES["receiver"]["volumes"][0].partition(":")
    assert volume in COMPOSE["volumes"]
    assert folder == SERVICES["receiver"]["environment"]["TCCC_SPOOL_DIR"]
    assert folder == SERVICES["tccc"]["environment"]["TCCC_SPOOL_DIR"]


def test_stopping_leaves_the_time_that_draining_takes() -> None:
    assert seconds(SERVICES["receiver"]["stop_grace_period"]) > drain_needs_s(settings_of("receiver"))
    assert seconds(SERVICES["worker"]["stop_grace_period"]) > settings_of("worker").store_timeout_s


@pytest.mark.parametrize("name", sorted(OF_THE_PRODUCT | {"balancer", "balancer-tls"}))
def test_containers_may_do_little(name: str) -> None:
    service = SERVICES[name]
    assert service["read_only"] is True
    assert service["cap_drop"] == ["ALL"]
    assert service["security_opt"] == ["no-new-privileges:true"]


def test_what_serves_is_limited_restarted_and_rotates_its_log() -> None:
    for name in set(SERVICES) - {"migrate", "topics", "topics-cluster", "tccc"}:
        assert SERVICES[name]["restart"] == "unless-stopped", name
        assert SERVICES[name]["deploy"]["resources"]["limits"]["memory"], name
        assert SERVICES[name]["logging"]["options"]["max-size"], name
        # the image's own in the case of ours
        assert "healthcheck" in SERVICES[name] or name in OF_THE_PRODUCT, name


def test_every_way_to_start_it_has_one_kafka_and_its_topics() -> None:
    alone, cluster = set(SERVICES["kafka"]["profiles"]), set(SERVICES["kafka-1"]["profiles"])
    assert set(SERVICES["topics"]["profiles"]) == alone
    assert set(SERVICES["topics-cluster"]["profiles"]) == cluster
    assert not alone & cluster
    assert ENV["COMPOSE_PROFILES"] in alone
    for name in ("prometheus", "grafana", "balancer-tls"):
        profiles = set(SERVICES[name]["profiles"])
        assert profiles & alone
        assert profiles & cluster
    assert SERVICES["kafka"]["container_name"] == SERVICES["kafka-1"]["container_name"]


def test_the_cluster_keeps_what_one_broker_loses() -> None:
    brokers = [SERVICES[f"kafka-{number}"] for number in (1, 2, 3)]
    assert settings_of("topics-cluster").topic_replication == len(brokers)
    assert settings_of("topics-cluster").min_insync_replicas == 2
    for broker in brokers:
        assert broker["environment"]["KAFKA_OFFSETS_TOPIC_REPLICATION_FACTOR"] == len(brokers)
        assert broker["environment"]["KAFKA_MIN_INSYNC_REPLICAS"] == 2
        assert broker["networks"]["default"]["aliases"] == [
            settings_of("receiver").kafka_bootstrap.split(":")[0]
        ]


def seconds(duration: str) -> float:
    assert re.fullmatch(r"\d+s", duration)
    return float(duration[:-1])
