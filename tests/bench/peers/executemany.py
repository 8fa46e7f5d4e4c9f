"""A worker as most are written: `json.loads`, and an upsert for each row by executemany."""

import json
from operator import itemgetter
from typing import Any

from asyncpg import Connection

from tests.bench.peers.consuming import run
from tests.bench.peers.flat import CALLS, LEGS, Call, Leg, Seat, Tel

BATCH_RECORDS = 500


def _sent_names(kind: type[Call | Leg | Seat | Tel]) -> dict[str, str]:
    """How TCCC spells each of our names."""
    return dict(zip(kind.__struct_fields__, kind.__struct_encode_fields__, strict=True))


_CALL = _sent_names(Call)
_plain = itemgetter(
    *(_CALL[column] for column, kind in CALLS.columns.items() if column in _CALL and kind != "jsonb")
)
_seat = itemgetter(*_sent_names(Seat).values())
_tel = itemgetter(*_sent_names(Tel).values())
_leg = itemgetter(*_sent_names(Leg).values())


async def store(connection: Connection, values: list[bytes]) -> None:
    calls = {call["SessionId"]: call for call in map(json.loads, values)}.values()
    legs = [(call["SessionId"], *_leg(leg)) for call in calls for leg in call["ServeParticipants"]]
    async with connection.transaction():
        await connection.executemany(CALLS.upsert(), [_row(call) for call in calls])
        await connection.executemany(LEGS.upsert(), legs)


def _row(call: dict[str, Any]) -> tuple[Any, ...]:
    """In the order of the table's columns."""
    keys = json.dumps(call["IVRKeyPressedEx"]), json.dumps(call["PostIVRKeyPressed"])
    return (*_plain(call), *_seat(call["SeatUser"]), *_tel(call["TelLocation"]), *keys)


run(store, batch=BATCH_RECORDS)
