"""Gathers the evidence: reads both topics from end to end, the ledger and every row."""

import asyncio
import json
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from decimal import Decimal
from typing import Any

import asyncpg
from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient

from schemas.envelope import read_envelope
from schemas.settings import Settings
from tests.chaos.evidence import Evidence, LedgerEntry, Letter, Row, TopicRecord, Window
from tests.chaos.expected import TABLES
from tests.chaos.journal import Past, digest

READ_TIMEOUT_S = 120.0

# The participants of a call come with it.
_PARTICIPANTS = """
(SELECT coalesce(jsonb_agg(to_jsonb(p) ORDER BY p.sequence), '[]') FROM tccc.call_participant p
 WHERE p.session_id = t.session_id)
"""
_ORPHANS = """
SELECT to_jsonb(p) - 'push_id' FROM tccc.call_participant p
WHERE NOT EXISTS (SELECT FROM tccc.call c WHERE c.session_id = p.session_id)
"""
_LEDGER = """
SELECT kafka_partition, kafka_offset, push_id, action, session_id,
       (extract(epoch FROM received_at) * 1000000)::bigint, outcome
FROM tccc.push
"""


async def gather(settings: Settings, past: Past, windows: list[Window]) -> Evidence:
    records, ends = await read_records(settings)
    letters = await read_letters(settings)
    ledger, rows = await read_database(settings.database_url)
    return Evidence(past.sent, past.tries, records, ends, ledger, letters, rows, windows)


async def read_records(settings: Settings) -> tuple[list[TopicRecord], dict[int, tuple[int, int]]]:
    raw, ends = await _read_topic(settings.kafka_bootstrap, settings.kafka_topic)
    return [_record(one) for one in raw], ends


async def read_letters(settings: Settings) -> list[Letter]:
    raw, _ = await _read_topic(settings.kafka_bootstrap, settings.kafka_dead_topic)
    return [_letter(one) for one in raw]


async def topic_size(settings: Settings) -> int:
    """Records on the topic, as its offsets say."""
    async with asyncio.timeout(READ_TIMEOUT_S):
        async with _reading(settings.kafka_bootstrap, settings.kafka_topic) as consumer:
            firsts, ends = await _extent(consumer)
    return sum(ends.values()) - sum(firsts.values())


async def is_consumed(settings: Settings) -> bool:
    """Whether the group has committed all offsets."""
    async with asyncio.timeout(READ_TIMEOUT_S):
        admin = AIOKafkaAdminClient(bootstrap_servers=settings.kafka_bootstrap)
        await admin.start()
        try:
            committed = await admin.list_consumer_group_offsets(settings.kafka_group)
        finally:
            await admin.close()
        async with _reading(settings.kafka_bootstrap, settings.kafka_topic) as consumer:
            _, ends = await _extent(consumer)
    return all(end == 0 or (one in committed and committed[one].offset >= end) for one, end in ends.items())


async def read_database(url: str) -> tuple[list[LedgerEntry], Iterator[tuple[str, Row]]]:
    """The rows are decoded one by one, when they are asked for."""
    connection = await asyncpg.connect(url)
    try:
        ledger = [LedgerEntry(*entry) for entry in await connection.fetch(_LEDGER)]
        raw = []
        for table in TABLES.values():
            participants = f", 'participants', {_PARTICIPANTS}" if table == "call" else ""
            found = await connection.fetch(
                f"SELECT (to_jsonb(t) || jsonb_build_object('-', 0{participants}))::text FROM tccc.{table} t"
            )
            raw += [(table, row[0]) for row in found]
        raw += [("call", row[0]) for row in await connection.fetch(_ORPHANS)]
    finally:
        await connection.close()
    return ledger, ((table, json.loads(text, parse_float=Decimal)) for table, text in raw)


async def _read_topic(bootstrap: str, topic: str) -> tuple[list[Any], dict[int, tuple[int, int]]]:
    found: list[Any] = []
    async with asyncio.timeout(READ_TIMEOUT_S), _reading(bootstrap, topic) as consumer:
        firsts, ends = await _extent(consumer)
        while sum([await consumer.position(one) for one in ends]) < sum(ends.values()):
            for records in (await consumer.getmany(timeout_ms=500)).values():
                found += [_small(record) for record in records]
    return found, {one.partition: (firsts[one], ends[one]) for one in ends}


@asynccontextmanager
async def _reading(bootstrap: str, topic: str) -> AsyncIterator[AIOKafkaConsumer]:
    """Without a group it has all partitions from the start."""
    consumer = AIOKafkaConsumer(topic, bootstrap_servers=bootstrap, auto_offset_reset="earliest")
    await consumer.start()
    try:
        yield consumer
    finally:
        await consumer.stop()


async def _extent(
    consumer: AIOKafkaConsumer,
) -> tuple[dict[TopicPartition, int], dict[TopicPartition, int]]:
    partitions = list(consumer.assignment())
    return await consumer.beginning_offsets(partitions), await consumer.end_offsets(partitions)


def _small(record: Any) -> tuple[Any, ...]:
    """What is kept of a record; its bytes only as a digest."""
    value = record.value or b""
    envelope = read_envelope(record.headers, value, record.timestamp)
    return record.partition, record.offset, record.key, envelope, digest(value), dict(record.headers)


def _record(raw: tuple[Any, ...]) -> TopicRecord:
    partition, offset, key, envelope, value_digest, _ = raw
    return TopicRecord(
        partition, offset, key, envelope.push_id, envelope.action, envelope.received_at_us, value_digest
    )


def _letter(raw: tuple[Any, ...]) -> Letter:
    _, _, _, envelope, value_digest, headers = raw
    origin = None
    if "origin-offset" in headers:
        origin = (int(headers["origin-partition"]), int(headers["origin-offset"]))
    stage, reason = headers["dead-stage"].decode(), headers["dead-reason"].decode()
    return Letter(envelope.push_id, stage, reason, value_digest, origin)
