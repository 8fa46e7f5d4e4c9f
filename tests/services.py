"""Real Kafka and Postgres for the tests: the environment's, else a Docker engine's, else the embedded ones."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import asyncpg
import docker
from docker.errors import DockerException

_KAFKA_TIMEOUT_S = 120  # testcontainers' own 30 s are short on a busy machine


@contextmanager
def postgres(folder: Path) -> Iterator[str]:
    """Yields the URL of a superuser."""
    if url := os.environ.get("TCCC_DATABASE_URL"):
        yield url
    elif _docker_answers():
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
    if bootstrap := os.environ.get("TCCC_KAFKA_BOOTSTRAP"):
        yield bootstrap
    elif _docker_answers():
        from testcontainers.community.kafka import KafkaContainer

        container = KafkaContainer("confluentinc/cp-kafka:8.1.0").with_kraft()
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
