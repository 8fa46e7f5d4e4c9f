"""Two tables for the worker peers, as a team without a ledger would have them, and the SQL that fills them."""

from operator import attrgetter
from typing import Any, NamedTuple

from msgspec import Raw, Struct, field
from msgspec.json import Decoder


class Seat(Struct, rename="pascal", gc=False):
    name: str = ""
    user_id: str = ""
    staff_number: str = ""


class Tel(Struct, rename="pascal", gc=False):
    country: str = ""
    province: str = ""
    city: str = ""
    operator: str = ""


class Leg(Struct, rename="pascal", gc=False):
    sequence: int = 0
    mail: str = ""
    phone: str = ""
    ring_timestamp: int = 0
    accept_timestamp: int = 0
    ended_timestamp: int = 0
    start_timestamp: int = 0
    record_id: str = ""
    type: str = ""
    transfer_from: str = ""
    transfer_from_type: str = ""
    transfer_to: str = ""
    transfer_to_type: str = ""
    skill_group_id: int = 0
    skill_group_name: str = ""
    skill_group_priority: int = 0
    end_status_string: str = ""


class Call(Struct, rename="pascal", gc=False):
    session_id: str
    sdk_app_id: int = 0
    caller: str = ""
    callee: str = ""
    direction: int = 0
    duration: int = 0
    ivr_duration: int = field(default=0, name="IVRDuration")
    seat_user: Seat = field(default_factory=Seat)
    caller_location: str = ""
    ring_timestamp: int = 0
    accept_timestamp: int = 0
    ended_timestamp: int = 0
    start_timestamp: int = 0
    queued_timestamp: int = 0
    ivr_keys: Raw = field(default=Raw(b"[]"), name="IVRKeyPressedEx")
    post_ivr_keys: Raw = field(default=Raw(b"[]"), name="PostIVRKeyPressed")
    hung_up_side: str = ""
    end_status_string: str = ""
    queued_skill_group_name: str = ""
    queued_skill_group_id: int = 0
    record_id: str = ""
    user_remark: str = ""
    uui: str = ""
    tel_location: Tel = field(default_factory=Tel)
    serve_participants: list[Leg] = []


decode = Decoder(Call).decode


class Table(NamedTuple):
    """`columns` gives each column its type."""

    name: str
    columns: dict[str, str]
    key: tuple[str, ...]

    def ddl(self) -> str:
        columns = ", ".join(f"{name} {kind}" for name, kind in self.columns.items())
        return f"CREATE TABLE {self.name} ({columns}, PRIMARY KEY ({', '.join(self.key)}))"

    def staging_ddl(self) -> str:
        columns = ", ".join(f"{name} {_wire(kind)}" for name, kind in self.columns.items())
        return f"CREATE TEMP TABLE staged_{self.name} ({columns}) ON COMMIT DELETE ROWS"

    def merge(self) -> str:
        picked = ", ".join(_understood(name, kind) for name, kind in self.columns.items())
        return f"INSERT INTO {self.name} SELECT {picked} FROM staged_{self.name} {self._on_conflict()}"

    def upsert(self) -> str:
        values = [
            _understood(f"${n}::{_wire(kind)}", kind) for n, kind in enumerate(self.columns.values(), 1)
        ]
        return f"INSERT INTO {self.name} VALUES ({', '.join(values)}) {self._on_conflict()}"

    def _on_conflict(self) -> str:
        updates = ", ".join(f"{name} = excluded.{name}" for name in self.columns if name not in self.key)
        return f"ON CONFLICT ({', '.join(self.key)}) DO UPDATE SET {updates}"


def _wire(kind: str) -> str:
    """What a value travels as: times as integers, JSON as text."""
    return {"timestamptz": "bigint", "jsonb": "text"}.get(kind, kind)


def _understood(value: str, kind: str) -> str:
    if kind == "timestamptz":
        return f"to_timestamp({value})"
    return f"{value}::jsonb" if kind == "jsonb" else value


_LEG = {name: {int: "bigint", str: "text"}[kind] for name, kind in Leg.__annotations__.items()}
_EVENTS = ("ring", "accept", "ended", "start", "queued")
_SEAT, _TEL, _JSON = list(Seat.__annotations__), list(Tel.__annotations__), ["ivr_keys", "post_ivr_keys"]
# Seat, place and JSON come last, in this order.
_CALL = {
    **dict.fromkeys(
        ("session_id", "caller", "callee", "caller_location", "hung_up_side", "record_id"), "text"
    ),
    **dict.fromkeys(("end_status_string", "queued_skill_group_name", "user_remark", "uui"), "text"),
    **dict.fromkeys(
        ("sdk_app_id", "direction", "duration", "ivr_duration", "queued_skill_group_id"), "bigint"
    ),
    **{f"{event}_timestamp": "timestamptz" for event in _EVENTS},
    **dict.fromkeys((*_SEAT, *_TEL), "text"),
    **dict.fromkeys(_JSON, "jsonb"),
}
_NESTED = {name: f"seat_user.{name}" for name in _SEAT} | {name: f"tel_location.{name}" for name in _TEL}

CALLS = Table("flat_call", _CALL, ("session_id",))
LEGS = Table(
    "flat_leg",
    {"session_id": "text"} | {n: "timestamptz" if n.endswith("_timestamp") else k for n, k in _LEG.items()},
    ("session_id", "sequence"),
)
TABLES = (CALLS, LEGS)

_plain = attrgetter(*(_NESTED.get(name, name) for name in _CALL if name not in _JSON))
_leg = attrgetter(*_LEG)


def rows(values: list[bytes]) -> tuple[list[tuple[Any, ...]], list[tuple[Any, ...]]]:
    """The rows of both tables; the last push of a session wins."""
    calls = {call.session_id: call for call in map(decode, values)}.values()
    return (
        [
            (*_plain(call), bytes(call.ivr_keys).decode(), bytes(call.post_ivr_keys).decode())
            for call in calls
        ],
        [(call.session_id, *_leg(leg)) for call in calls for leg in call.serve_participants],
    )
