"""`tccc topics`: creates the project's topics where they are missing, and says where others differ."""

import asyncio
from pathlib import Path
from typing import Any

import click
from aiokafka.admin import NewTopic
from msgspec import Struct
from msgspec.structs import replace

from console.output import json_option, print_json, print_table
from console.target import home_option, target
from console.visits.brokers import Topic, visiting
from runtime.topics import ensure_topics, wanted_topics
from schemas.errors import BrokerAway
from schemas.settings import Settings

DIFFERENCES = 3
_CREATE_TIMEOUT_S = 20.0
_VISIBLE_TIMEOUT_S = 10.0
_AGAIN_S = 0.05
_DAY_MS = 24 * 60 * 60 * 1000

EXAMPLES = """\b
Examples:
  TCCC_KAFKA_BOOTSTRAP=kafka:9092 TCCC_TOPIC_REPLICATION=3 tccc topics
  tccc topics --dry-run --json | jq '.topics[].differences'
"""


class TopicReport(Struct, frozen=True, kw_only=True):
    """`state` is about now; partitions and the like are None of a topic that is missing."""

    name: str
    state: str
    partitions: int | None = None
    replication: int | None = None
    retention_ms: int | None = None
    min_insync_replicas: int | None = None
    max_message_bytes: int | None = None
    differences: list[str]


@click.command("topics", epilog=EXAMPLES)
@home_option
@click.option("--dry-run", is_flag=True, help="Only check; create nothing.")
@json_option
def topics(home: Path, *, dry_run: bool, as_json: bool) -> int:
    """Create or check the topics.

    A topic that is there is never altered: what differs from the settings is told, with exit status 3.
    """
    settings = target(home).settings
    reports = asyncio.run(check(settings) if dry_run else create(settings))
    if as_json:
        print_json({"topics": reports})
    else:
        _print(reports)
    return DIFFERENCES if any(report.differences for report in reports) else 0


async def create(settings: Settings) -> list[TopicReport]:
    """Create what is missing, then check all. Raises BrokerAway or OperatorError."""
    missing = {report.name for report in await check(settings) if report.state == "missing"}
    if missing:
        try:
            async with asyncio.timeout(_CREATE_TIMEOUT_S):
                await ensure_topics(settings)
        except TimeoutError as exc:
            raise BrokerAway(f"no topics were made within {_CREATE_TIMEOUT_S:.0f} s") from exc
    return [
        replace(report, state="created") if report.name in missing else report
        for report in await _when_visible(settings)
    ]


async def _when_visible(settings: Settings) -> list[TopicReport]:
    """Check when every broker asked has heard of the topics that another has just made."""
    loop = asyncio.get_running_loop()
    give_up_at = loop.time() + _VISIBLE_TIMEOUT_S
    while True:
        reports = await check(settings)
        if loop.time() > give_up_at or all(report.state != "missing" for report in reports):
            return reports
        await asyncio.sleep(_AGAIN_S)


async def check(settings: Settings) -> list[TopicReport]:
    """Compare the topics with the settings. Raises BrokerAway."""
    async with visiting(settings) as brokers:
        return [compare(wanted, await brokers.topic(wanted.name)) for wanted in wanted_topics(settings)]


def compare(wanted: NewTopic, topic: Topic | None) -> TopicReport:
    if topic is None:
        return TopicReport(name=wanted.name, state="missing", differences=["missing"])
    return TopicReport(
        name=wanted.name,
        state="there",
        partitions=len(topic.partitions),
        replication=topic.replication,
        retention_ms=int(topic.config("retention.ms")),
        min_insync_replicas=int(topic.config("min.insync.replicas")),
        max_message_bytes=int(topic.config("max.message.bytes")),
        differences=_differences(wanted, topic),
    )


def _differences(wanted: NewTopic, topic: Topic) -> list[str]:
    pairs: list[tuple[str, Any, Any]] = [
        ("partitions", len(topic.partitions), wanted.num_partitions),
        ("replication", topic.replication, wanted.replication_factor),
        *((name, topic.configs.get(name), value) for name, value in wanted.topic_configs.items()),
    ]
    return [
        f"{name} is {is_now}, by the settings {should}" for name, is_now, should in pairs if is_now != should
    ]


def _print(reports: list[TopicReport]) -> None:
    print_table(
        "Topics",
        ["topic", "state", "partitions#", "replication#", "retention", "differences"],
        [
            [
                report.name,
                report.state,
                report.partitions,
                report.replication,
                _days(report.retention_ms),
                "; ".join(report.differences) or "none",
            ]
            for report in reports
        ],
    )
    for report in reports:
        for difference in report.differences:
            click.echo(f"warning: {report.name}: {difference}", err=True)


def _days(retention_ms: int | None) -> str:
    if retention_ms is None:
        return ""
    return "for ever" if retention_ms < 0 else f"{retention_ms / _DAY_MS:g} days"
