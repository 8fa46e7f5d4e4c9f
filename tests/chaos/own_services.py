"""A Kafka and a Postgres of a run's own, that it may stop and start, and what is asked of them."""

import asyncio
import uuid
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path

from msgspec import Struct
from msgspec.structs import replace

from deploy.local.kafka import LocalKafka
from deploy.local.postgres import LocalPostgres
from runtime.topics import ensure_topics
from schemas.settings import Settings
from tests.pipeline import tccc
from tests.services import execute
from worker.migrate import migrate

DEADLINE_S = 600.0


class Services(Struct):
    """Kafka and Postgres of the run's own, with everything made on them."""

    kafka: LocalKafka
    postgres: LocalPostgres
    settings: Settings


async def made_anew(services: Services) -> Settings:
    """Topics, group and database that are empty."""
    unique = uuid.uuid4().hex[:12]
    url = services.postgres.url
    await execute(url, f"CREATE DATABASE outage_{unique}")
    settings = replace(
        services.settings,
        kafka_topic=f"push-{unique}",
        kafka_dead_topic=f"dead-{unique}",
        kafka_group=f"group-{unique}",
        database_url=f"{url.rpartition('/')[0]}/outage_{unique}",
    )
    await migrate(settings.database_url)
    await ensure_topics(settings)
    return settings


@asynccontextmanager
async def own_services(home: Path) -> AsyncIterator[Services]:
    postgres, kafka = LocalPostgres(home / "postgres"), LocalKafka(home / "kafka")
    try:
        postgres.start()
        kafka.start()
        services = Services(
            kafka,
            postgres,
            Settings(
                kafka_bootstrap=kafka.bootstrap,
                listen="127.0.0.1:0",
                admin_listen="127.0.0.1:0",
                drain_s=0,
                spool_dir=str(home / "spool"),
            ),
        )
        services.settings = await made_anew(services)
        yield services
    finally:
        kafka.stop()
        postgres.stop()


async def audited(settings: Settings) -> bool:
    ran = await tccc(settings, "audit")
    print("\n".join(ran.out.strip().splitlines()[-2:]), f"(audit exits {ran.status})")
    return ran.status == 0


async def until(condition: Callable[[], Awaitable[object]], *, poll_s: float = 0.1) -> None:
    async with asyncio.timeout(DEADLINE_S):
        while not await condition():
            await asyncio.sleep(poll_s)
