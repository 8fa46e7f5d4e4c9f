"""What the vendor's bodies have been seen to do beside their documentation. The truth they tell stays the same."""

from collections.abc import Callable

from msgspec.json import encode

from console.simulator.bodies import Body
from console.simulator.dice import Dice

_TIMES = ("StartTimestamp", "QueuedTimestamp", "RingTimestamp", "AcceptTimestamp", "EndedTimestamp")
_NUMBERS = (*_TIMES, "Duration", "IVRDuration")
_NEWER_PARTICIPANT = (
    *("Sequence", "TransferFrom", "TransferFromType", "TransferTo", "TransferToType"),
    *("SkillGroupId", "SkillGroupName", "SkillGroupPriority", "EndStatusString"),
)


def encode_oddly(body: Body, dice: Dice) -> bytes:
    """Encode a `cdr` with one quirk, picked evenly. Its dict is used up."""
    return dice.one_of(_QUIRKS)(body)


def _lower_case_keys(body: Body) -> bytes:
    for name in ("IVRKeyPressedEx", "PostIVRKeyPressed"):
        if body[name]:
            body[name] = [{"key": pressed["Key"], "label": pressed["Label"]} for pressed in body[name]]
    return encode(body)


def _detailed_keys(body: Body) -> bytes:
    """Add what newer bodies say of a key; this Timestamp is in ms."""
    for pressed in body["IVRKeyPressedEx"] or ():
        pressed |= {
            "Timestamp": body["StartTimestamp"] * 1000 + 2500,
            "NodeLabel": "主菜单",
            "OriginalContent": pressed["Key"],
            "TTSPrompt": "",
        }
    return encode(body)


def _without_call_type(body: Body) -> bytes:
    del body["CallType"]
    return encode(body)


def _older_participants(body: Body) -> bytes:
    for participant in body["ServeParticipants"] or ():
        for name in _NEWER_PARTICIPANT:
            del participant[name]
    return encode(body)


def _numbers_as_strings(body: Body) -> bytes:
    for name in _NUMBERS:
        body[name] = str(body[name])
    return encode(body)


def _milliseconds(body: Body) -> bytes:
    for name in _TIMES:
        body[name] *= 1000
    return encode(body)


def _unknown_fields(body: Body) -> bytes:
    body |= {"CustomerLevel": {"Tier": "gold", "Since": 2019}, "NumberTag": ""}
    if body["SeatUser"]:
        body["SeatUser"]["Role"] = 3
    return encode(body)


def _trailing_comma(body: Body) -> bytes:
    """Leave a comma in an array of strings, as the documented sample does; no JSON, where there is such an array."""
    return encode(body).replace(b'"],', b'",],', 1)


def _repeated_field(body: Body) -> bytes:
    """Say one field twice; the last one counts."""
    return b'{"HungUpSide":"",' + encode(body)[1:]


_QUIRKS: tuple[Callable[[Body], bytes], ...] = (
    _lower_case_keys,
    _detailed_keys,
    _without_call_type,
    _older_participants,
    _numbers_as_strings,
    _milliseconds,
    _unknown_fields,
    _trailing_comma,
    _repeated_field,
)
