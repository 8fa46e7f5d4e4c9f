"""Services once a session; topics, group and database of its own for each test."""

import asyncio
import uuid
from collections import Counter
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from pathlib import Path

import hypothesis
import pytest
from msgspec.structs import replace

from runtime.topics import ensure_topics
from schemas.settings import Settings
from tests import leaks, services
from tests.collector import Collector, collecting
from tests.databases import CITUS_URL, Cluster, Postgres

PAYLOADS = Path(__file__).parent / "payloads"

# No test asserts a time: on a busy machine an example may take as long as it likes.
hypothesis.settings.register_profile("untimed", deadline=None)
hypothesis.settings.load_profile("untimed")


def pytest_report_header() -> str:
    kafka, postgres = map(services.source_of, ("TCCC_KAFKA_BOOTSTRAP", "TCCC_DATABASE_URL"))
    return f"services: Kafka: {kafka}, Postgres: {postgres} ({services.CHOICE})"


def pytest_report_collectionfinish(items: Sequence[pytest.Item]) -> list[str]:
    """Which tests use other services than those of the header, and why."""
    marks = [mark for item in items for mark in item.iter_markers("own_services")]
    return [
        f"{count} on embedded services of their own: {why}"
        for why, count in Counter(mark.args[0] for mark in marks).items()
    ]


@pytest.fixture(scope="session", autouse=True)
def _nothing_leaks(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """No log, metric or crash of the whole run shows what the tests sent."""
    folder = tmp_path_factory.mktemp("process-logs")
    leaks.keep_in(folder)
    yield
    assert leaks.kept(folder) == []


@pytest.fixture(scope="session")
def postgres_url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A superuser's URL: of a Citus cluster's coordinator, where the environment names one."""
    if CITUS_URL:
        yield CITUS_URL
        return
    with services.postgres(tmp_path_factory.mktemp("services")) as url:
        yield url


@pytest.fixture(scope="session")
def databases(postgres_url: str) -> Postgres | Cluster:
    return Cluster(postgres_url) if CITUS_URL else Postgres(postgres_url)


@pytest.fixture(scope="session")
def kafka_bootstrap(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with services.kafka(tmp_path_factory.mktemp("services")) as bootstrap:
        yield bootstrap


@pytest.fixture(scope="session")
async def template_database(databases: Postgres | Cluster) -> AsyncIterator[str]:
    """The name of a migrated, empty database to clone; on Citus it is distributed."""
    name = f"tccc_template_{uuid.uuid4().hex}"
    await databases.make_template(name)
    yield name
    await databases.drop(name)


@pytest.fixture
async def database_url(databases: Postgres | Cluster, template_database: str) -> AsyncIterator[str]:
    """A migrated, empty database of the test's own."""
    name = f"tccc_test_{uuid.uuid4().hex}"
    yield await databases.create(name, template_database)
    await databases.drop(name)


@pytest.fixture
async def empty_database_url(databases: Postgres | Cluster) -> AsyncIterator[str]:
    """A database of the test's own, not migrated."""
    name = f"tccc_test_{uuid.uuid4().hex}"
    yield await databases.create(name)
    await databases.drop(name)


@pytest.fixture
async def topics(kafka_bootstrap: str, tmp_path: Path) -> Settings:
    """Settings with two topics and a group of the test's own, all made; ports are free ones."""
    unique = uuid.uuid4().hex
    settings = Settings(
        kafka_bootstrap=kafka_bootstrap,
        kafka_topic=f"push-{unique}",
        kafka_dead_topic=f"dead-{unique}",
        kafka_group=f"group-{unique}",
        listen="127.0.0.1:0",
        admin_listen="127.0.0.1:0",
        drain_s=0,
        spool_dir=str(tmp_path / "spool"),
    )
    await ensure_topics(settings)
    return settings


@pytest.fixture
def settings(topics: Settings, database_url: str) -> Settings:
    """Everything a receiver and a worker need, of the test's own."""
    return replace(topics, database_url=database_url)


@pytest.fixture
async def collector() -> AsyncIterator[Collector]:
    async with collecting() as running_one:
        yield running_one


@pytest.fixture
def traced(settings: Settings, collector: Collector) -> Settings:
    # However slow the machine is, a push is published, and spooled only where a test sees to it.
    return replace(settings, tracing="otlp", tracing_endpoint=collector.url, ack_timeout_s=30.0)


@pytest.fixture
def eventually() -> Callable[..., object]:
    return wait_until


async def wait_until(condition: Callable[[], object], *, timeout_s: float = 30.0, what: str = "") -> object:
    """Poll a condition (plain or async) until it is truthy; the deadline only ends a test that hangs."""
    async with asyncio.timeout(timeout_s):
        while True:
            result = condition()
            if asyncio.iscoroutine(result):
                result = await result
            if result:
                return result
            await asyncio.sleep(0.02)
