"""Real Kafka and Postgres for the tests: the environment's, else a Docker engine's, else the embedded ones.

TEST_SERVICES=containers or TEST_SERVICES=embedded asks for one of them and for nothing else.
"""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from pathlib import Path

import asyncpg
import docker
from docker.errors import DockerException

CHOICE = "TEST_SERVICES"
_KAFKA_TIMEOUT_S = 120  # testcontainers' own 30 s are short on a busy machine


@contextmanager
def postgres(folder: Path) -> Iterator[str]:
    """Yields the URL of a superuser."""
    if (source := source_of("TCCC_DATABASE_URL")) == "environment":
        yield os.environ["TCCC_DATABASE_URL"]
    elif source == "containers":
        from testcontainers.community.postgres import PostgresContainer

        with PostgresContainer("postgres:18", driver=None) as container:
            yield container.get_connection_url()
    else:
        from deploy.local.postgres import LocalPostgres

        server = LocalPostgres(folder / "postgres", fast=True)
        server.start()
        try:
            yield server.url
        finally:
            server.stop()


@contextmanager
def kafka(folder: Path) -> Iterator[str]:
    """Yields the bootstrap addresses."""
    if (source := source_of("TCCC_KAFKA_BOOTSTRAP")) == "environment":
        yield os.environ["TCCC_KAFKA_BOOTSTRAP"]
    elif source == "containers":
        from testcontainers.community.kafka import KafkaContainer

        container = KafkaContainer("confluentinc/cp-kafka:8.1.0").with_kraft()
        container.with_env("KAFKA_AUTO_CREATE_TOPICS_ENABLE", "false")  # as deployments have it
        try:
            yield container.start(timeout=_KAFKA_TIMEOUT_S).get_bootstrap_server()
        finally:
            container.stop()
    else:
        from deploy.local.kafka import LocalKafka

        brokers = LocalKafka(folder / "kafka")
        brokers.start()
        try:
            yield brokers.bootstrap
        finally:
            brokers.stop()


def source_of(address: str) -> str:
    """`environment`, `containers` or `embedded`: where the service is taken from whose address a variable may hold."""
    asked = os.environ.get(CHOICE)
    if asked not in {None, "", "containers", "embedded"}:
        raise ValueError(f"{CHOICE}: containers or embedded")
    if asked:
        return asked
    if os.environ.get(address):
        return "environment"
    return "containers" if _docker_answers() else "embedded"


@cache
def _docker_answers() -> bool:
    if "DOCKER_HOST" not in os.environ and not Path("/var/run/docker.sock").exists():
        return False  # the client leaks a socket where there is no engine
    try:
        client = docker.from_env(timeout=3)
    except DockerException:
        return False
    try:
        return bool(client.ping())
    except (DockerException, OSError):
        return False
    finally:
        client.close()


async def execute(url: str, statement: str) -> None:
    """One statement, on a connection of its own."""
    connection = await asyncpg.connect(url)
    try:
        await connection.execute(statement)
    finally:
        await connection.close()
