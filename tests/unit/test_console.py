"""The everyday verbs where they need no service: settings, addresses, words."""

from pathlib import Path

import pytest
from aiokafka.admin import NewTopic

from console.doctor import machine
from console.doctor.kafka import _topic
from console.status.screen import age, size
from console.target import DEFAULT_RECEIVERS, DEFAULT_WORKERS, stack_environ
from console.topics import compare
from console.visits.brokers import Partition, Topic
from console.visits.database import where
from deploy.local.state import Pids, StackState, home_lock, write_state
from schemas.errors import AccessRefused
from schemas.settings import FIELDS, Settings
from tests.commands import run

VERBS = (["migrate"], ["topics"], ["status"], ["doctor"], ["config"], ["config", "show"], ["config", "check"])


@pytest.mark.parametrize("verb", VERBS, ids=" ".join)
def test_help_shows_an_example(verb: list[str]) -> None:
    shown = run(*verb, "--help")
    assert shown.status == 0
    assert "Example" in shown.out
    assert f"tccc {' '.join(verb)}" in shown.out.partition("Example")[2]


def test_config_show_tells_every_setting_and_no_secret(tmp_path: Path) -> None:
    password = tmp_path / "password"
    password.write_text("hunter2\n")
    environ = {
        "TCCC_DATABASE_URL": "postgresql://u:hunter2@h/d",
        "TCCC_KAFKA_SASL_PASSWORD_FILE": str(password),
        "TCCC_SDK_APP_IDS": "1400000001, 1400000002",
        "TCCC_LISTEN": "[::1]:8080",
    }
    table = run("config", "show", environ=environ)
    assert table.status == 0
    assert "hunter2" not in table.out + table.err
    assert [line.split()[0] for line in table.out.splitlines()[2:]] == list(FIELDS)
    lines = {line.split()[0]: line.split()[1:4] for line in table.out.splitlines()[2:]}
    assert lines["TCCC_LISTEN"][:2] == ["[::1]:8080", "environment"]
    assert lines["TCCC_SDK_APP_IDS"][:2] == ["1400000001,1400000002", "environment"]
    assert lines["TCCC_DATABASE_URL"][:2] == ["set", "environment"]
    assert lines["TCCC_KAFKA_SASL_PASSWORD"][:2] == ["set", "file"]
    assert lines["TCCC_KAFKA_GROUP"][:2] == ["tccc", "default"]
    as_json = run("config", "show", "--json", environ=environ)
    assert "hunter2" not in as_json.out
    settings = {setting["variable"]: setting for setting in as_json.json["settings"]}
    assert settings["TCCC_DATABASE_URL"] == {
        "variable": "TCCC_DATABASE_URL",
        "value": None,
        "set": True,
        "secret": True,
        "source": "environment",
        "description": "postgresql://user:password@host:port/database",
    }
    assert settings["TCCC_SDK_APP_IDS"]["value"] == [1400000001, 1400000002]


def test_config_check_names_every_fault_and_the_nearest_name() -> None:
    environ = {
        "TCCC_KAFKA_BOOTSTRP": "x:1",
        "TCCC_LISTEN": "nowhere",
        "TCCC_BATCH_RECORDS": "many",
        "TCCC_DATABASE_URL": "postgresql://u:hunter2@h/d",
        "TCCC_DATABASE_URL_FILE": "/nonexistent",
        "TCCC_LEDGER_DAYS": "1",
        # wrong together, or only because one of them is wrong by itself: not to be told
        "TCCC_TOPIC_REPLICATION": "three",
        "TCCC_TOPIC_MIN_INSYNC_REPLICAS": "2",
    }
    checked = run("config", "check", environ=environ)
    assert (checked.status, checked.out) == (2, "")
    faults = checked.err.splitlines()
    assert len(faults) == 6
    told = "\n".join(sorted(faults))
    for name in environ.keys() - {"TCCC_TOPIC_MIN_INSYNC_REPLICAS"}:
        assert name in told
    assert "TCCC_KAFKA_BOOTSTRP is not a setting" in told
    assert "did you mean TCCC_KAFKA_BOOTSTRAP?" in told
    assert "hunter2" not in told
    assert run("config", "check", "--json", environ=environ).json["ok"] is False
    assert run("config", "show", environ=environ).status == 2
    well = run("config", "check", environ={"TCCC_RECEIVER_SERVICE_HOST": "10.0.0.1", "TCCC_HOME": "/x"})
    assert well == (0, "ok\n", "")


def test_config_check_finds_certificates_that_cannot_be_read() -> None:
    environ = {"TCCC_KAFKA_SECURITY_PROTOCOL": "SSL", "TCCC_KAFKA_SSL_CAFILE": "/nonexistent/ca.pem"}
    checked = run("config", "check", environ=environ)
    assert checked.status == 2
    assert "TCCC_KAFKA_SSL_CAFILE" in checked.err


@pytest.mark.parametrize("verb", ["migrate", "topics", "status", "doctor"])
def test_wrong_settings_and_a_home_without_a_stack_are_told_in_a_line(verb: str, tmp_path: Path) -> None:
    wrong = run(verb, environ={"TCCC_BATCH_RECORDS": "0"})
    assert wrong.status == 2
    assert wrong.err.startswith("tccc: TCCC_BATCH_RECORDS")
    assert len(wrong.err.splitlines()) == 1
    nothing = run(verb, "--home", str(tmp_path))
    assert nothing.status == 1
    assert (
        nothing.err
        == f"tccc: no stack is running in {tmp_path}: start one with 'tccc up --home {tmp_path}'\n"
    )
    assert run(verb, "--nonsense").status == 2


def test_status_is_about_the_running_stack_and_tells_its_processes(tmp_path: Path) -> None:
    pids = Pids(receiver=[1], worker=[2, 3], kafka=[4], postgres=[5])
    stack = StackState(
        push_url="http://127.0.0.1:1/",
        receiver_admin_urls=["http://127.0.0.1:1"],
        worker_admin_urls=["http://127.0.0.1:2", "http://127.0.0.1:3"],
        database_url="postgresql://u:hunter2@127.0.0.1:4/d",
        kafka_bootstrap="127.0.0.1:5",
        pids=pids,
    )
    lock = home_lock(tmp_path)
    assert lock.acquire(1)
    try:
        write_state(tmp_path, stack)
        by_flag = run("status", "--json", "--home", str(tmp_path), environ={"TCCC_KAFKA_BOOTSTRAP": "h:1"})
        by_default = run("status", "--json", environ={"TCCC_HOME": str(tmp_path)})
        overruled = run(
            "status",
            "--json",
            environ={"TCCC_HOME": str(tmp_path), "TCCC_KAFKA_BOOTSTRAP": "127.0.0.1:6"},
        )
    finally:
        lock.release()
    for told in (by_flag, by_default):
        assert told.status == 1  # nothing listens at any of these
        assert told.json["pids"] == {"receiver": [1], "worker": [2, 3], "kafka": [4], "postgres": [5]}
        assert [worker["admin_url"] for worker in told.json["workers"]] == stack.worker_admin_urls
        assert "hunter2" not in told.out
        assert {away["part"] for away in told.json["away"]} >= {"lag", "dead letters", "rows", "ledger"}
    assert overruled.json["pids"] is None
    assert [worker["admin_url"] for worker in overruled.json["workers"]] == list(DEFAULT_WORKERS)
    assert [receiver["admin_url"] for receiver in overruled.json["receivers"]] == list(DEFAULT_RECEIVERS)


def test_a_stacks_environment_is_what_its_roles_got() -> None:
    pids = Pids(receiver=[], worker=[], kafka=[], postgres=[])
    stack = StackState(
        push_url="",
        receiver_admin_urls=[],
        worker_admin_urls=[],
        database_url="postgresql://ours",
        kafka_bootstrap="a:1,b:2,c:3",
        pids=pids,
    )
    theirs = {
        "TCCC_KAFKA_SECURITY_PROTOCOL": "SSL",
        "TCCC_DATABASE_URL_FILE": "/x",
        "TCCC_KAFKA_GROUP": "g",
    }
    assert stack_environ(theirs, stack, Path("/home")) == {
        "TCCC_KAFKA_GROUP": "g",
        "TCCC_TOPIC_REPLICATION": "3",
        "TCCC_KAFKA_BOOTSTRAP": "a:1,b:2,c:3",
        "TCCC_DATABASE_URL": "postgresql://ours",
        "TCCC_SPOOL_DIR": "/home/spool",
    }


def test_a_topics_differences_are_named() -> None:
    configs = {"retention.ms": "1000", "min.insync.replicas": "1", "max.message.bytes": "5"}
    wanted = NewTopic("t", 2, 3, topic_configs=configs)
    partitions = [Partition(0, 1, 3, 3), Partition(1, 1, 3, 3)]
    assert compare(wanted, Topic("t", partitions, configs)).differences == []
    other = compare(wanted, Topic("t", partitions[:1], configs | {"max.message.bytes": "4"}))
    assert other.differences == [
        "partitions is 1, by the settings 2",
        "max.message.bytes is 4, by the settings 5",
    ]
    assert compare(wanted, None).differences == ["missing"]


def test_a_topic_whose_settings_are_not_shown_tells_what_to_grant() -> None:
    hidden = Topic("t", [Partition(number=0, leader=1, replicas=3, in_sync=3)], {})
    with pytest.raises(AccessRefused, match="topic t: grant it DescribeConfigs"):
        compare(NewTopic("t", 1, 3), hidden)
    assert _topic(NewTopic("t", 1, 3), hidden).state == "warn"


@pytest.mark.parametrize(
    ("url", "shown"),
    [
        ("postgresql://u:hunter2@db:6432/calls", "calls at db:6432"),
        ("postgresql://u:hunter2@db", "u at db:5432"),
        ("postgresql:///calls?host=/run/postgresql", "calls at /run/postgresql:5432"),
        ("postgresql://u:hunter2@db:port/calls", "of TCCC_DATABASE_URL"),
    ],
)
def test_a_database_is_named_without_its_password(url: str, shown: str) -> None:
    assert where(url) == shown


def test_sizes_and_ages_are_short() -> None:
    assert [size(n) for n in (0, 1023, 2048, 3 * 2**20, 5 * 2**30)] == [
        "0 B",
        "1023 B",
        "2 KiB",
        "3 MiB",
        "5.0 GiB",
    ]
    assert [age(s) for s in (None, 0.4, 119, 600, 7200, 200_000)] == [
        "—",
        "0 s",
        "119 s",
        "10 min",
        "2 h",
        "2 days",
    ]


def test_the_doctor_looks_at_the_spools_folder(tmp_path: Path) -> None:
    def states(folder: str, max_bytes: int = 2**20) -> list[tuple[str, str]]:
        found = machine.examine(Settings(spool_dir=folder, spool_max_bytes=max_bytes), receives=True)
        return [(finding.state, finding.detail) for finding in found if finding.check == "spool"]

    assert states(str(tmp_path))[0][0] == "ok"
    assert "not made yet" in states(str(tmp_path / "a" / "b"))[0][1]
    assert states(str(tmp_path), max_bytes=2**60)[0][0] == "warn"
    assert states("")[0][0] == "warn"
    assert states("/proc/no/such")[0][0] == "fail"
