"""Topics, a group, a database and a spool of its own for each drill, on the Kafka and Postgres that tests use."""

import uuid
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import asyncpg

from runtime.topics import ensure_topics
from schemas.settings import Settings
from tests import services
from worker.migrate import migrate


@asynccontextmanager
async def drill_settings(home: Path) -> AsyncIterator[Settings]:
    """One broker and one Postgres, started for the length of the block where the environment names none."""
    with services.postgres(home) as postgres_url, services.kafka(home) as bootstrap:
        yield await make_settings(home, postgres_url, bootstrap)


async def make_settings(home: Path, postgres_url: str, bootstrap: str) -> Settings:
    """Make all of a drill's own; `home` is where its spool will be."""
    unique = uuid.uuid4().hex
    settings = Settings(
        kafka_bootstrap=bootstrap,
        kafka_topic=f"push-{unique}",
        kafka_dead_topic=f"dead-{unique}",
        kafka_group=f"group-{unique}",
        database_url=await _make_database(postgres_url, f"tccc_chaos_{unique}"),
        spool_dir=str(home / "spool"),
    )
    await ensure_topics(settings)
    return settings


async def _make_database(url: str, name: str) -> str:
    connection = await asyncpg.connect(url)
    try:
        await connection.execute(f"CREATE DATABASE {name}")
    finally:
        await connection.close()
    head, _, tail = url.rpartition("/")
    _, question, options = tail.partition("?")
    made = f"{head}/{name}{question}{options}"
    await migrate(made)
    return made
