"""Builds consumed records, as the broker would hand them over."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from aiokafka import ConsumerRecord

from schemas.envelope import push_headers
from schemas.rows import EPOCH_US, Micros
from worker.batch import Item, KafkaRecord, take

PAYLOADS = Path(__file__).parent / "payloads"
T0_US = 1_700_000_000_000_000


def at(unix_s: int) -> Micros:
    """As rows hold it."""
    return unix_s * 1_000_000 - EPOCH_US


def payload(name: str) -> bytes:
    return (PAYLOADS / f"{name}.json").read_bytes()


def body(**fields: Any) -> bytes:
    return json.dumps(fields).encode()


def record(
    value: bytes,
    *,
    key: str | bytes | None = "s-1",
    action: str = "cdr",
    push_id: str = "u1",
    received_at_us: int = T0_US,
    source: str = "push",
    partition: int = 0,
    offset: int = 0,
) -> KafkaRecord:
    headers = push_headers(action.encode(), b"1", push_id.encode(), received_at_us, source.encode())
    return ConsumerRecord(
        topic="tccc.push",
        partition=partition,
        offset=offset,
        timestamp=received_at_us // 1000,
        timestamp_type=0,
        key=key.encode() if isinstance(key, str) else key,
        value=value,
        checksum=None,
        serialized_key_size=0,
        serialized_value_size=len(value),
        headers=headers,
    )


def item(value: bytes, **where: Any) -> Item:
    return take(record(value, **where))


def columns(row: Mapping[str, Any] | None, *names: str) -> dict[str, Any]:
    assert row is not None
    return {name: row[name] for name in names}
