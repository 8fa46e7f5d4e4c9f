"""One broker and one database that ask for TLS, for all tests of this folder."""

import uuid
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest
from msgspec.structs import replace

from schemas.settings import Settings
from tests.secure.brokers import SecureKafka
from tests.secure.database import CERTIFIED, PASSWORD, USER, SecurePostgres


@pytest.fixture(scope="session")
async def brokers(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[SecureKafka]:
    async with SecureKafka(tmp_path_factory.mktemp("brokers")) as made:
        yield made


@pytest.fixture(scope="session")
def _postgres(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SecurePostgres]:
    server = SecurePostgres(tmp_path_factory.mktemp("postgres"))
    server.start()
    try:
        yield server
    finally:
        server.stop()


@pytest.fixture(scope="session")
async def postgres(_postgres: SecurePostgres) -> SecurePostgres:
    await _postgres.execute(
        f"CREATE ROLE {USER} LOGIN CREATEROLE PASSWORD '{PASSWORD}'",
        f"CREATE DATABASE {CERTIFIED} OWNER {USER}",
    )
    return _postgres


@pytest.fixture
async def secure(brokers: SecureKafka, postgres: SecurePostgres, tmp_path: Path) -> Settings:
    """All that the pipeline needs, of the test's own; topics and tables are not made yet."""
    unique = uuid.uuid4().hex
    await postgres.execute(f"CREATE DATABASE tccc_{unique} OWNER {USER}")
    return replace(
        brokers.settings(),
        kafka_topic=f"push-{unique}",
        kafka_dead_topic=f"dead-{unique}",
        kafka_group=f"group-{unique}",
        database_url=postgres.url(f"tccc_{unique}"),
        listen="127.0.0.1:0",
        admin_listen="127.0.0.1:0",
        drain_s=0,
        spool_dir=str(tmp_path / "spool"),
    )
