from pathlib import Path

import pytest

from schemas.errors import SettingsError
from schemas.settings import FIELDS, Settings, host_port, load

EXAMPLE = Path(__file__).parents[2] / "deploy" / "tccc.env.example"


def test_defaults() -> None:
    assert load({"PATH": "/bin", "TCCC_HOME": "x"}) == Settings()


def test_the_example_lists_every_setting_with_its_default() -> None:
    lines = [line for line in EXAMPLE.read_text(encoding="utf-8").splitlines() if line and line[0] != "#"]
    given = dict(line.split("=", 1) for line in lines)
    assert list(given) == list(FIELDS)
    assert load(given) == Settings()


def test_values_are_understood() -> None:
    settings = load(
        {
            "TCCC_SDK_APP_IDS": "1400482256, 7",
            "TCCC_TRUSTED_PROXIES": "10.0.0.0/8, ::1",
            "TCCC_REUSE_PORT": "true",
            "TCCC_DRAIN_S": "0",
            "TCCC_TOPIC_REPLICATION": "3",
        }
    )
    assert (settings.sdk_app_ids, settings.reuse_port, settings.drain_s) == ((1400482256, 7), True, 0.0)
    assert settings.trusted_proxies == ("10.0.0.0/8", "::1")
    assert settings.min_insync_replicas == 2


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("TCCC_NOPE", "hunter2"),
        ("TCCC_AUTH", "hunter2"),
        ("TCCC_DRAIN_S", "hunter2"),
        ("TCCC_DRAIN_S", "nan"),
        ("TCCC_DRAIN_S", "-1"),
        ("TCCC_LISTEN", "hunter2"),
        ("TCCC_LISTEN", "127.0.0.1:99999"),
        ("TCCC_ADMIN_LISTEN", "hunter2"),
        ("TCCC_ADMIN_LISTEN", "127.0.0.1:99999"),
        ("TCCC_PUSH_PATH", "hunter2"),
        ("TCCC_SDK_APP_IDS", "1,hunter2"),
        ("TCCC_TRUSTED_PROXIES", "10.0.0.0/8,hunter2"),
        ("TCCC_REUSE_PORT", "hunter2"),
        ("TCCC_MAX_BODY_BYTES", "hunter2"),
        ("TCCC_DATABASE_URL_FILE", "/hunter2"),
        ("TCCC_LEDGER_DAYS", "7"),
        ("TCCC_KAFKA_SECURITY_PROTOCOL", "SASL_SSL"),
        ("TCCC_TOPIC_MIN_INSYNC_REPLICAS", "2"),
    ],
)
def test_what_is_wrong_is_named_and_never_shown(name: str, value: str) -> None:
    with pytest.raises(SettingsError) as error:
        load({name: value})
    assert name in str(error.value)
    assert "hunter2" not in str(error.value)


def test_what_kubernetes_injects_is_ignored() -> None:
    injected = {
        "TCCC_RECEIVER_SERVICE_HOST": "10.0.0.1",
        "TCCC_RECEIVER_SERVICE_PORT_HTTP": "80",
        "TCCC_SERVICE_HOST": "10.0.0.1",
        "TCCC_PORT": "tcp://10.0.0.1:80",
        "TCCC_PORT_80_TCP_ADDR": "10.0.0.1",
        "TCCC_RECEIVER_PORT": "tcp://10.0.0.1:80",
        "TCCC_RECEIVER_PORT_80_TCP_ADDR": "10.0.0.1",
    }
    assert load(injected) == Settings()


def test_a_secret_comes_from_a_file(tmp_path: Path) -> None:
    file = tmp_path / "url"
    file.write_text("postgresql://u:p@h/d\n", encoding="utf-8")
    assert load({"TCCC_DATABASE_URL_FILE": str(file)}).database_url == "postgresql://u:p@h/d"
    with pytest.raises(SettingsError, match="both set"):
        load({"TCCC_DATABASE_URL_FILE": str(file), "TCCC_DATABASE_URL": "x"})
    with pytest.raises(SettingsError, match="TCCC_LISTEN_FILE is not a setting"):
        load({"TCCC_LISTEN_FILE": str(file)})


def test_addresses() -> None:
    assert host_port("0.0.0.0:8080") == ("0.0.0.0", 8080)
    assert host_port("[::1]:0") == ("::1", 0)
