"""What the console says, in words, when something that it leans on is away or does not fit."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any

import pytest
from msgspec.structs import replace

from schemas.settings import Settings
from tests.collector import Collector
from tests.commands import Ran, shell, tccc
from tests.databases import CITUS_URL
from tests.processes import environment
from tests.services import execute

Until = Callable[..., Awaitable[Any]]
NOWHERE = "127.0.0.1:1"


@asynccontextmanager
async def silent() -> AsyncIterator[str]:
    """An address that takes connections and never says a word, as a frozen server does."""
    open_ones: list[asyncio.StreamWriter] = []
    server = await asyncio.start_server(lambda _, writer: open_ones.append(writer), "127.0.0.1", 0)
    try:
        yield f"127.0.0.1:{server.sockets[0].getsockname()[1]}"
    finally:
        for writer in open_ones:
            writer.transport.abort()
        server.close()


def findings(ran: Ran) -> dict[str, tuple[str, str]]:
    """The doctor's, by what was looked at: state, and detail with remedy."""
    return {f["check"]: (f["state"], f"{f['detail']} {f['remedy']}") for f in ran.json["findings"]}


async def test_servers_that_hang_end_every_verb_with_a_line(settings: Settings) -> None:
    async with silent() as address:
        hung = replace(settings, kafka_bootstrap=address, database_url=f"postgresql://u:p@{address}/d")
        status, doctor = await asyncio.gather(
            shell("status", "--json", "--worker-admin", f"http://{address}", environ=environment(hung)),
            shell("doctor", "--json", environ=environment(hung)),
        )
    assert (status.status, doctor.status) == (1, 1)
    assert len(status.json["away"]) == 5
    found = findings(doctor)
    assert found["Kafka"][0] == "fail"
    assert "TCCC_KAFKA_SECURITY_PROTOCOL" in found["Kafka"][1]
    assert found["Postgres"][0] == "fail"
    assert "did not answer within 5 s" in found["Postgres"][1]


async def test_a_collector_that_takes_no_spans_is_a_warning(traced: Settings, collector: Collector) -> None:
    away = replace(traced, tracing_endpoint=f"http://{NOWHERE}")
    told = [await tccc("doctor", "--json", environ=environment(each)) for each in (traced, away)]
    assert [findings(each)["collector"][0] for each in told] == ["ok", "warn"]
    assert "TCCC_TRACING_ENDPOINT" in findings(told[1])["collector"][1]
    assert [each.err for each in told] == ["", ""]
    assert collector.spans == []


@pytest.mark.parametrize(
    ("alter", "said"),
    [
        (lambda url: f"postgresql://u:p@{NOWHERE}/d", "cannot be reached"),
        (lambda url: "postgresql://u:p@no-such-host.invalid/d", "host name that is not known"),
        (lambda url: url + "x", "there is no such database"),
        (lambda url: "nonsense", "is not an address"),
        (lambda url: "", "is not set"),
    ],
    ids=["refused", "unknown-host", "no-database", "no-address", "unset"],
)
async def test_a_database_that_cannot_be_used_is_one_clear_line(
    settings: Settings, alter: Callable[[str], str], said: str
) -> None:
    environ = environment(replace(settings, database_url=alter(settings.database_url)))
    migrated = await tccc("migrate", environ=environ)
    assert migrated.status in (1, 2)
    assert len(migrated.err.splitlines()) == 1
    assert said in migrated.err
    doctor = await tccc("doctor", "--json", environ=environ)
    assert doctor.status == 1
    state, words = findings(doctor)["Postgres"]
    assert state == "fail"
    assert said in words


@pytest.mark.skipif(bool(CITUS_URL), reason="the cluster may trust whoever comes")
async def test_a_wrong_password_is_told(settings: Settings) -> None:
    head, _, tail = settings.database_url.rpartition("@")
    scheme, _, user = head.partition("//")
    url = f"{scheme}//{user.partition(':')[0]}:hunter2@{tail}"
    environ = environment(replace(settings, database_url=url))
    migrated = await tccc("migrate", environ=environ)
    assert migrated == (1, "", "tccc: TCCC_DATABASE_URL: the database refuses the password\n")


async def test_doctor_names_a_database_that_does_not_fit(settings: Settings, empty_database_url: str) -> None:
    fresh = await tccc(
        "doctor", "--json", environ=environment(replace(settings, database_url=empty_database_url))
    )
    assert fresh.status == 1
    assert findings(fresh)["schema"] == ("fail", "the database has not been migrated Run 'tccc migrate'.")
    status = await tccc("status", environ=environment(replace(settings, database_url=empty_database_url)))
    assert "away: rows: the database has not been migrated: run 'tccc migrate'" in status.out
    await execute(
        settings.database_url,
        "INSERT INTO tccc.schema_version (version, name, compatible_from) VALUES (9999, 'x', 9999)",
    )
    newer = await tccc("doctor", "--json", environ=environment(settings))
    assert newer.status == 1
    assert findings(newer)["schema"][0] == "fail"
    assert "Install the newer tccc-ingest" in findings(newer)["schema"][1]
    refused = await tccc("migrate", environ=environment(settings))
    assert (refused.status, "install a newer tccc-ingest" in refused.err) == (1, True)
    await execute(
        settings.database_url, "UPDATE tccc.schema_version SET compatible_from = 1 WHERE version = 9999"
    )
    assert await tccc("migrate", environ=environment(settings)) == (0, "up to date (version 9999)\n", "")


async def test_doctor_names_a_database_that_is_read_only(settings: Settings) -> None:
    name = settings.database_url.rpartition("/")[2].partition("?")[0]
    await execute(settings.database_url, f"ALTER DATABASE {name} SET default_transaction_read_only = on")
    ran = await tccc("doctor", "--json", environ=environment(settings))
    assert ran.status == 1
    assert findings(ran)["privileges"][0] == "fail"


async def test_doctor_names_topics_that_are_missing_or_differ(topics: Settings, eventually: Until) -> None:
    unlike = replace(
        topics, kafka_topic="no-such-topic", topic_partitions=7, database_url=f"postgresql://{NOWHERE}/d"
    )

    async def examined() -> dict[str, tuple[str, str]] | None:
        """Once the topic that was just made has its leaders."""
        ran = await tccc("doctor", "--json", environ=environment(unlike))
        assert ran.status == 1
        found = findings(ran)
        return found if "cannot be written" not in found[dead_topic][1] else None

    dead_topic = f"topic {topics.kafka_dead_topic}"
    found = await eventually(examined)
    assert found["topic no-such-topic"] == ("fail", "missing Run 'tccc topics'.")
    assert found[dead_topic][0] == "warn"
    assert "partitions is 6, by the settings 7" in found[dead_topic][1]


async def test_a_worker_needs_no_spool(topics: Settings) -> None:
    worker = replace(topics, spool_dir="/proc/no/such")
    of_a_receiver = {"spool", "who may push"}
    ran = await tccc("doctor", "--json", environ=environment(worker))
    assert of_a_receiver <= set(findings(ran))
    ran = await tccc("doctor", "--json", "--worker-admin", f"http://{NOWHERE}", environ=environment(worker))
    assert not of_a_receiver & set(findings(ran))


async def test_doctor_asks_each_bootstrap_address(topics: Settings) -> None:
    some = replace(topics, kafka_bootstrap=f"{NOWHERE},{topics.kafka_bootstrap}", topic_replication=1)
    found = findings(await tccc("doctor", "--json", environ=environment(some)))
    assert found[f"Kafka address {NOWHERE}"][0] == "warn"
    assert found["Kafka brokers"][0] == "ok"
    none = replace(topics, kafka_bootstrap=f"{NOWHERE},no-such-host.invalid:9092")
    ran = await tccc("doctor", environ=environment(none))
    assert ran.status == 1
    assert "fail: Kafka address 127.0.0.1:1: Start Kafka, or correct TCCC_KAFKA_BOOTSTRAP.\n" in ran.out
    for verb in ("topics", "status"):
        away = await tccc(verb, environ=environment(none))
        assert away.status == 1
        assert "Kafka at 127.0.0.1:1,no-such-host.invalid:9092: no broker answers" in away.out + away.err
