"""The four pushes as TCCC sends them; its spelling of names stops here.

The types are strict on purpose: a body that fits is decoded in one step, and one that does not (an unknown
field, a number as a string, milliseconds for seconds) is taken apart field by field in `schemas.lenient`,
by these same types. Sources: TCCC's documentation of its data pushes, as far as it is public.
"""

from typing import Annotated, Any, Literal

import msgspec
from msgspec import Meta, Raw, Struct, field

from schemas.decoding import number

Action = Literal["cdr", "record", "voicemail", "imcdr"]

MAX_UNIX_S = 253_402_300_799  # 9999-12-31T23:59:59Z: the last second that all clients of Postgres can read
MAX_INDEXED_BYTES = 1000

UnixTime = Annotated[int, Meta(ge=0, le=MAX_UNIX_S, title="time")]
Bigint = Annotated[int, Meta(ge=-(2**63), le=2**63 - 1)]
Integer = Annotated[int, Meta(ge=-(2**31), le=2**31 - 1)]
Smallint = Annotated[int, Meta(ge=-(2**15), le=2**15 - 1)]
# A column with an index: MAX_INDEXED_BYTES at the most, which this many characters never exceed.
Indexed = Annotated[str, Meta(max_length=MAX_INDEXED_BYTES // 4)]
# Key presses stay JSON: objects as a rule, strings and numbers have been seen. Empty: not sent.
KeyPresses = Annotated[Raw, Meta(extra_json_schema={"title": "list"})]
TextOrKeyPresses = Annotated[Raw, Meta(extra_json_schema={"title": "text or list"})]
NOT_SENT = Raw(b"")


class Body(Struct, frozen=True, gc=False, forbid_unknown_fields=True, rename="pascal"):
    """What all bodies share: fields may be absent or null, and unknown ones send us to the lenient path."""


class SeatUser(Body, frozen=True):
    mail: str | None = None
    name: str | None = None
    nick: str | None = None
    phone: str | None = None
    user_id: Indexed | None = None
    staff_number: str | None = None
    skill_group_name_list: list[str] | None = None


class TelLocation(Body, frozen=True):
    tel_number: str | None = None
    country: str | None = None
    province: str | None = None
    city: str | None = None
    operator: str | None = None


class ServeParticipant(Body, frozen=True):
    mail: Indexed | None = None
    phone: str | None = None
    ring_timestamp: UnixTime | None = None
    accept_timestamp: UnixTime | None = None
    ended_timestamp: UnixTime | None = None
    record_id: str | None = None
    type: str | None = None
    transfer_from: str | None = None
    transfer_from_type: str | None = None
    transfer_to: str | None = None
    transfer_to_type: str | None = None
    skill_group_id: Bigint | None = None
    end_status_string: str | None = None
    sequence: Annotated[int, Meta(ge=0, le=2**31 - 1)] | None = None
    start_timestamp: UnixTime | None = None
    skill_group_name: str | None = None
    skill_group_priority: Integer | None = None


class Cdr(Body, frozen=True):
    """A finished call."""

    session_id: str | None = None
    caller: Indexed | None = None
    callee: Indexed | None = None
    direction: Literal[0, 1] | None = None
    duration: Integer | None = None
    seat_user: SeatUser | None = None
    caller_location: str | None = None
    ivr_duration: Integer | None = field(default=None, name="IVRDuration")
    ring_timestamp: UnixTime | None = None
    accept_timestamp: UnixTime | None = None
    ended_timestamp: UnixTime | None = None
    ivr_key_pressed: TextOrKeyPresses = field(default=NOT_SENT, name="IVRKeyPressed")
    ivr_key_pressed_ex: KeyPresses = field(default=NOT_SENT, name="IVRKeyPressedEx")
    hung_up_side: str | None = None
    serve_participants: list[ServeParticipant] | None = None
    end_status_string: str | None = None
    start_timestamp: UnixTime | None = None
    queued_timestamp: UnixTime | None = None
    post_ivr_key_pressed: KeyPresses = field(default=NOT_SENT, name="PostIVRKeyPressed")
    queued_skill_group_id: Bigint | None = None
    queued_skill_group_name: str | None = None
    sdk_app_id: Bigint | None = None
    record_id: str | None = None
    user_remark: str | None = None
    uui: str | None = None
    tel_location: TelLocation | None = None
    call_type: Smallint | None = None


class Recording(Body, frozen=True):
    """A recorded participant of a call."""

    sdk_app_id: Bigint | None = None
    record_id: Indexed | None = None
    session_id: str | None = None
    timestamp: UnixTime | None = None
    endpoint_user: Indexed | None = None
    record_url: str | None = field(default=None, name="RecordURL")
    custom_record_url: str | None = field(default=None, name="CustomRecordURL")


class Voicemail(Body, frozen=True):
    """A message left in the IVR. The documented sample sends EndpointUser as a bare number."""

    sdk_app_id: Bigint | None = None
    session_id: str | None = None
    timestamp: UnixTime | None = None
    record_url: str | None = field(default=None, name="RecordURL")
    endpoint_user: Indexed | Bigint | None = None


class Chat(Body, frozen=True):
    """A finished text chat."""

    sdk_app_id: Bigint | None = None
    session_id: str | None = None
    start_timestamp: UnixTime | None = None
    queued_timestamp: UnixTime | None = None
    ring_timestamp: UnixTime | None = None
    accept_timestamp: UnixTime | None = None
    ended_timestamp: UnixTime | None = None
    queued_skill_group_id: Bigint | None = None
    queued_skill_group_name: str | None = None
    duration: Integer | None = None
    ivr_duration: Integer | None = field(default=None, name="IVRDuration")
    user_id: Indexed | None = None
    user_nick_name: str | None = None
    user_remark: str | None = None
    client_data: str | None = None
    end_status_string: str | None = None
    ivr_key_pressed: TextOrKeyPresses = field(default=NOT_SENT, name="IVRKeyPressed")
    seat_user: SeatUser | None = None
    satisfaction: dict[str, Any] | None = None


PUSHES: dict[Action, type[Body]] = {"cdr": Cdr, "record": Recording, "voicemail": Voicemail, "imcdr": Chat}

# Fractions stay decimal wherever any JSON is allowed, so that they are stored as they were sent.
DECODERS = {action: msgspec.json.Decoder(kind, float_hook=number) for action, kind in PUSHES.items()}
