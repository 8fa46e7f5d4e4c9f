"""Where a session's row differs from what the API tells: field by field, and only where both have a value."""

from collections.abc import Callable, Sequence
from typing import Any

import msgspec

from schemas.rows import Call, CallParticipant
from worker.normalise import Normalised

# What names or accounts for a row, and what the two sources hold by their own nature.
_NOT_COMPARED = frozenset({"session_id", "sequence", "extra", "repairs"})


def differing(told: Normalised, call: Call, participants: Sequence[CallParticipant]) -> list[str]:
    """The columns that differ; participants as `participant 0 mail`, or `participants` if their number does."""
    assert isinstance(told.row, Call)
    fields = _fields(told.row, call)
    if told.participants and participants:
        if len(told.participants) != len(participants):
            return [*fields, "participants"]
        stored = {participant.sequence: participant for participant in participants}
        for participant in told.participants:
            other = stored.get(participant.sequence)
            names = ["sequence"] if other is None else _fields(participant, other)
            fields += [f"participant {participant.sequence} {name}" for name in names]
    return fields


def _fields(told: Call | CallParticipant, stored: Call | CallParticipant) -> list[str]:
    return [
        name
        for name in told.__struct_fields__
        if name not in _NOT_COMPARED
        and (one := getattr(told, name)) is not None
        and (other := getattr(stored, name)) is not None
        and not _SAME.get(name, _equal)(one, other)
    ]


def _equal(one: Any, other: Any) -> bool:
    return bool(one == other)


def _same_number(one: str, other: str) -> bool:
    """Either may be masked (*******7605): then what both show has to agree, from the right."""
    if "*" not in one + other:
        return one == other
    pairs = zip(reversed(one), reversed(other), strict=False)
    return all("*" in pair or pair[0] == pair[1] for pair in pairs)


def _same_keys(one: str, other: str) -> bool:
    """The keys alone: how much is told of each depends on where it is told."""
    return _keys(one) == _keys(other) or not _keys(one) or not _keys(other)


def _keys(text: str) -> list[Any]:
    return [press.get("key") for press in msgspec.json.decode(text)]


def _same_groups(one: list[str], other: list[str]) -> bool:
    return sorted(one) == sorted(other) or not one or not other


_SAME: dict[str, Callable[[Any, Any], bool]] = {
    "caller": _same_number,
    "callee": _same_number,
    "phone": _same_number,
    "agent_phone": _same_number,
    "ivr_keys": _same_keys,
    "post_ivr_keys": _same_keys,
    "agent_skill_groups": _same_groups,
}
