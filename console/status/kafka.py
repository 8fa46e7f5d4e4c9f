"""Lag and dead letters as the brokers tell them, so that they are right without any worker."""

import time

from console.status import facts
from console.visits.brokers import Brokers, Group, Offsets, Topic, numbers, visiting
from schemas.errors import OperatorError
from schemas.settings import Settings

_DAY_MS = 24 * 60 * 60 * 1000


async def lag(settings: Settings) -> facts.Lag:
    """How far the group is behind the topic. Raises BrokerAway or OperatorError."""
    async with visiting(settings) as brokers:
        topic = await _described(brokers, settings.kafka_topic)
        offsets = await brokers.offsets(topic)
        committed = await brokers.committed(settings.kafka_group, topic)
        group = await brokers.group(settings.kafka_group)
    owners = _owners(group, topic.name)
    partitions = [
        _partition(number, found, committed.get(number), owners.get(number))
        for number, found in sorted(offsets.items())
    ]
    return facts.Lag(
        records=sum(partition.lag_records for partition in partitions),
        lost_records=sum(max(0, offsets[n].begin - next_one) for n, next_one in committed.items()),
        group=facts.Group(name=settings.kafka_group, state=group.state, members=len(group.members)),
        partitions=partitions,
    )


async def dead_topic(settings: Settings) -> facts.DeadTopic:
    """How many letters there are, and how many came in the last 24 hours. Raises BrokerAway or OperatorError."""
    async with visiting(settings) as brokers:
        topic = await _described(brokers, settings.kafka_dead_topic)
        offsets = await brokers.offsets(topic)
        last_day = await brokers.records_since(topic, int(time.time() * 1000) - _DAY_MS)
    return facts.DeadTopic(records=sum(o.end - o.begin for o in offsets.values()), last_day=last_day)


async def _described(brokers: Brokers, name: str) -> Topic:
    topic = await brokers.topic(name)
    if topic is None:
        raise OperatorError(f"topic {name} is missing: run 'tccc topics'")
    return topic


def _owners(group: Group, topic: str) -> dict[int, str]:
    return {number: member.name for member in group.members for number in numbers(member.partitions, topic)}


def _partition(number: int, offsets: Offsets, committed: int | None, owner: str | None) -> facts.Partition:
    """A group that never committed starts at the oldest record."""
    next_one = offsets.begin if committed is None else committed
    return facts.Partition(
        partition=number,
        begin_offset=offsets.begin,
        end_offset=offsets.end,
        committed_offset=committed,
        lag_records=max(0, offsets.end - next_one),
        owner=owner,
    )
