"""TLS and credentials to Kafka and Postgres: with the right ones all runs, with wrong ones it is said which."""

import asyncio
import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from aiokafka import AIOKafkaProducer
from msgspec.structs import replace

from runtime.kafka import client_options
from runtime.kafka_access import require_access
from runtime.topics import ensure_topics
from schemas.errors import AccessRefused, SettingsError
from schemas.settings import Settings
from tests.certificates import Authority
from tests.commands import Ran, shell, tccc
from tests.conftest import wait_until
from tests.contract.http_cases import body, request
from tests.contract.wire import connected
from tests.pipeline import Database
from tests.processes import Role, environment, port_of, running
from tests.secure.brokers import SecureKafka
from tests.secure.database import CERTIFIED, PASSWORD, USER, SecurePostgres
from worker.database import connected as database_connected

pytestmark = [
    pytest.mark.usefixtures("_no_stack"),
    pytest.mark.own_services("asks for TLS and credentials"),
]


@pytest.fixture
def _no_stack(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.chdir(tmp_path)


@pytest.fixture
def stranger(tmp_path: Path) -> Authority:
    """An authority that nobody here trusts."""
    folder = tmp_path / "stranger"
    folder.mkdir()
    return Authority(folder)


async def push(role: Role, session: str) -> int:
    async with connected(await port_of(role)) as wire:
        answered = await wire.ask(request(sent=body(SessionId=session)))
    assert answered is not None
    return answered.status


@asynccontextmanager
async def pipeline(settings: Settings) -> AsyncIterator[tuple[Role, Role]]:
    """A receiver and a worker, on topics and tables made by the commands that an operator would use."""
    for verb in ("topics", "migrate"):
        made = await tccc(verb, environ=environment(settings))
        assert made.status == 0, made.err
    async with running("receiver", settings) as receiver, running("worker", settings) as worker:
        await receiver.event("kafka_connected")
        yield receiver, worker


async def test_the_pipeline_runs(secure: Settings) -> None:
    """Every client of the project has its part: producers, consumer, dead letters, topics, migration, console."""
    environ = environment(secure)
    database = Database(secure)
    async with pipeline(replace(secure, ack_timeout_s=20.0)) as (receiver, worker):
        assert await push(receiver, "s-1") == 200
        async with AIOKafkaProducer(**client_options(secure)) as producer:
            await producer.send_and_wait(secure.kafka_topic, b"poison", key=b"s-2")
        await wait_until(lambda: database.has_settled(2))
        assert await database.outcomes() == {"applied": 1, "dead": 1}
        encrypted = (
            "SELECT bool_and(ssl) FROM pg_stat_ssl JOIN pg_stat_activity USING (pid) WHERE usename = 'tccc'"
        )
        assert await database.fetch(encrypted) == [(True,)]
        assert await receiver.stop() == await worker.stop() == 0
    ran = {verb: await tccc(verb, "--json", environ=environ) for verb in ("audit", "topics")}
    ran["dead"] = await tccc("dead", "list", "--json", environ=environ)
    ran["doctor"] = await tccc("doctor", "--json", environ=environ)
    assert {verb: one.status for verb, one in ran.items()} == dict.fromkeys(ran, 0), ran
    checked = {finding["check"]: finding["state"] for finding in ran["doctor"].json["findings"]}
    assert (checked["Kafka brokers"], checked["Postgres"], checked["schema"]) == ("ok", "ok", "ok")


@pytest.mark.parametrize("mechanism", ["PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512", "certificate"])
async def test_each_way_of_showing_who_we_are(brokers: SecureKafka, secure: Settings, mechanism: str) -> None:
    if mechanism == "certificate":
        client = brokers.authority.issue("client", "tccc")
        ours = {"kafka_ssl_certfile": str(client.cert), "kafka_ssl_keyfile": str(client.key)}
        settings = brokers.settings("MUTUAL", kafka_security_protocol="SSL", **ours)
    else:
        settings = brokers.settings(kafka_sasl_mechanism=mechanism)
    await require_access(settings)
    assert await ensure_topics(replace(settings, kafka_topic=secure.kafka_topic, kafka_dead_topic="d")) != []


def wrong_for_kafka(brokers: SecureKafka, stranger: Authority) -> dict[str, tuple[Settings, str]]:
    ca = "TCCC_KAFKA_SSL_CAFILE: by it, the broker's certificate is not to be trusted under this name: "
    login = "TCCC_KAFKA_SASL_USERNAME, TCCC_KAFKA_SASL_PASSWORD: the broker refuses them"
    rogue = stranger.issue("client", "tccc")
    late = brokers.authority.issue("late", "tccc", expired=True)
    mutual: dict[str, Any] = {"kafka_security_protocol": "SSL"}
    certificate = "TCCC_KAFKA_SSL_CERTFILE: the broker "
    of = brokers.settings
    return {
        "authority": (
            of(kafka_ssl_cafile=str(stranger.ca_file)),
            ca + "unable to get local issuer certificate",
        ),
        "host": (of("ELSEWHERE"), ca + "IP address mismatch"),
        "expired": (of("EXPIRED"), ca + "certificate has expired"),
        "password": (of(kafka_sasl_password="wrong"), login),
        "password, PLAIN": (of(kafka_sasl_password="wrong", kafka_sasl_mechanism="PLAIN"), login),
        "user": (of(kafka_sasl_username="wrong", kafka_sasl_mechanism="SCRAM-SHA-256"), login),
        "no client certificate": (of("MUTUAL", **mutual), certificate + "asks for a client certificate"),
        "client's authority": (
            of("MUTUAL", kafka_ssl_certfile=str(rogue.both), **mutual),
            certificate + "refuses the client certificate",
        ),
        "client's expired": (
            of("MUTUAL", kafka_ssl_certfile=str(late.both), **mutual),
            certificate + "refuses the client certificate",
        ),
        "no TLS": (
            of(kafka_security_protocol="SASL_PLAINTEXT"),
            "TCCC_KAFKA_SECURITY_PROTOCOL: the broker speaks TLS",
        ),
        "no SASL": (
            of("MUTUAL", kafka_ssl_certfile=str(brokers.authority.issue("right", "tccc").both)),
            "TCCC_KAFKA_SECURITY_PROTOCOL: the broker asks for no SASL",
        ),
    }


async def test_kafkas_refusals_name_the_setting(brokers: SecureKafka, stranger: Authority) -> None:
    for name, (settings, words) in wrong_for_kafka(brokers, stranger).items():
        with pytest.raises(AccessRefused) as refused:
            await require_access(settings)
        assert str(refused.value).startswith(words), name
        for secret in (settings.kafka_sasl_password, settings.kafka_sasl_username):
            assert f" {secret} " not in str(refused.value)


async def test_a_broker_that_is_away_refuses_nothing(brokers: SecureKafka) -> None:
    await require_access(replace(brokers.settings(), kafka_bootstrap="127.0.0.1:1"))


async def test_no_client_loops_where_kafka_refuses_it(
    brokers: SecureKafka, stranger: Authority, secure: Settings
) -> None:
    """At the start each ends with status 1 and one line; the console says the same."""
    cases = wrong_for_kafka(brokers, stranger)
    for name in ("authority", "host", "expired", "password"):
        wrong, words = cases[name]
        settings = replace(
            wrong, listen=secure.listen, admin_listen=secure.admin_listen, database_url=secure.database_url
        )
        verbs = ["receive", "work", *(["topics"] if name == "authority" else [])]
        for ran in await asyncio.gather(*(end_of(settings, verb) for verb in verbs)):
            assert ran.status == 1, (name, ran)
            assert words in ran.err, (name, ran)
    doctor = await end_of(settings, "doctor", "--json")
    assert doctor.status == 1
    assert any(words in finding["detail"] for finding in doctor.json["findings"]), doctor


def wrong_for_postgres(postgres: SecurePostgres, stranger: Authority) -> dict[str, tuple[str, str]]:
    trust = (
        "TCCC_DATABASE_URL: by its sslrootcert and sslmode, the database's certificate is not to be trusted"
    )
    of = postgres.url
    return {
        "authority": (of("postgres", ca_file=stranger.ca_file), trust),
        "password": (
            of("postgres", password="wrong"),
            "TCCC_DATABASE_URL: the database refuses the password",
        ),
        "no TLS": (
            of("postgres", sslmode="disable"),
            "TCCC_DATABASE_URL: the database refuses this user, or asks",
        ),
        "client's authority": (
            of(CERTIFIED, client=stranger.issue("client", USER)),
            "TCCC_DATABASE_URL: TLS cannot be set up, see sslmode, sslrootcert, sslcert and sslkey",
        ),
        "no client certificate": (
            of(CERTIFIED),
            "TCCC_DATABASE_URL: the database refuses this user, or asks",
        ),
    }


async def test_no_client_loops_where_postgres_refuses_it(
    postgres: SecurePostgres, stranger: Authority, secure: Settings
) -> None:
    cases = wrong_for_postgres(postgres, stranger)
    for name, (url, words) in cases.items():
        if name in ("authority", "password"):
            await ends_at(replace(secure, database_url=url), words, name)
        with pytest.raises(AccessRefused, match=re.escape(words)):
            async with database_connected(url):
                pass
    for name, certificate, words in (
        ("expired", postgres.expired, "certificate has expired"),
        ("host", postgres.elsewhere, "IP address mismatch"),
    ):
        await postgres.show(certificate)
        try:
            await ends_at(secure, words, name)
        finally:
            await postgres.show(postgres.good)
    url, words = cases["password"]
    doctor = await end_of(replace(secure, database_url=url), "doctor", "--json")
    assert doctor.status == 1
    assert any(words in finding["detail"] for finding in doctor.json["findings"]), doctor


async def ends_at(settings: Settings, words: str, name: str) -> None:
    for ran in await asyncio.gather(*(end_of(settings, verb) for verb in ("work", "migrate"))):
        assert ran.status == 1, (name, ran)
        assert words in ran.err, (name, ran)
        assert "TCCC_DATABASE_URL" in ran.err


async def test_modes_of_tls_to_postgres(
    postgres: SecurePostgres, stranger: Authority, tmp_path: Path
) -> None:
    client = postgres.authority.issue("client", USER)
    for url in (
        postgres.url(CERTIFIED, client=client),
        *(postgres.url("postgres", sslmode=mode) for mode in ("allow", "prefer", "require", "verify-ca")),
    ):
        async with database_connected(url) as connection:
            assert await connection.fetchval("SELECT ssl FROM pg_stat_ssl WHERE pid = pg_backend_pid()")
    for url in (
        postgres.url(CERTIFIED, client=stranger.issue("client", USER)),
        postgres.url(CERTIFIED, client=postgres.authority.issue("late", USER, expired=True)),
    ):
        with pytest.raises(AccessRefused, match="sslcert"):
            async with database_connected(url):
                pass
    with pytest.raises(SettingsError, match="TCCC_DATABASE_URL: the file of sslrootcert cannot be read"):
        async with database_connected(postgres.url("postgres", ca_file=tmp_path / "none")):
            pass


async def test_a_refusal_later_is_waited_out(
    brokers: SecureKafka, postgres: SecurePostgres, secure: Settings
) -> None:
    """The broker's certificate expires, the database's password is changed: all that was taken is stored after."""
    database = Database(secure)
    async with pipeline(secure) as (receiver, worker):
        assert await push(receiver, "s-1") == 200
        await wait_until(lambda: database.has_settled(1))
        await postgres.execute(
            f"ALTER ROLE {USER} PASSWORD 'another'",
            f"SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename = '{USER}'",
        )
        assert await push(receiver, "s-2") == 200
        said = await worker.event("cannot settle, waiting")
        try:
            assert "refuses the password" in str(said["reason"]) or await wait_until(lambda: unready(worker))
        finally:
            await postgres.execute(f"ALTER ROLE {USER} PASSWORD '{PASSWORD}'")
        await wait_until(lambda: database.has_settled(2))

        brokers.proxy.target_port = brokers.ports["EXPIRED"]
        try:
            assert brokers.proxy.break_off() > 0
            assert await push(receiver, "s-3") == 200
            said = await receiver.event("kafka_away")
            assert "TCCC_KAFKA_SSL_CAFILE" in said["detail"]
            said = await worker.event("kafka_away")
            assert "TCCC_KAFKA_SSL_CAFILE" in said["detail"]
        finally:
            brokers.proxy.target_port = brokers.ports["SECURE"]
        await wait_until(lambda: database.has_settled(3), timeout_s=60)
        assert await receiver.stop() == await worker.stop() == 0
    assert (await tccc("audit", environ=environment(secure))).status == 0


async def unready(worker: Role) -> bool:
    return "refuses the password" in (await worker.admin("/readyz"))[1]


async def end_of(settings: Settings, *words: str) -> Ran:
    """How a command ended that must not go on for ever."""
    async with asyncio.timeout(60):
        return await shell(*words, environ=environment(settings))
