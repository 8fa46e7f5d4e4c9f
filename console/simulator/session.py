"""What the simulator makes: a session with its pushes, and the truth that they tell of.

Times are seconds since the epoch, 0 where a thing did not happen, as the vendor has them.
"""

from typing import Literal, get_args

from msgspec import Struct

Action = Literal["cdr", "record", "voicemail", "imcdr"]
ACTIONS: tuple[Action, ...] = get_args(Action)

Kind = Literal[
    "answered",
    "transferred",
    "transferred_twice",
    "ivr_ended",
    "abandoned_ivr",
    "abandoned_queue",
    "abandoned_ringing",
    "rejected",
    "no_seat_online",
    "out_of_hours",
    "refused",
    "voicemail",
    "outbound_answered",
    "outbound_missed",
    "predictive_answered",
    "predictive_abandoned",
    "predictive_missed",
    "internal_answered",
    "internal_missed",
    "audio_answered",
    "audio_abandoned",
    "chat_served",
    "chat_missed",
]
KINDS: tuple[Kind, ...] = get_args(Kind)

INBOUND, OUTBOUND = 0, 1


class SkillGroup(Struct, frozen=True, gc=False):
    id: int
    name: str


class Agent(Struct, frozen=True, gc=False):
    """`groups` are in order of priority; `seat_type` is how the agent takes calls."""

    user_id: str
    name: str
    nick: str
    phone: str
    staff_number: str
    seat_type: str
    groups: tuple[SkillGroup, ...]


class Place(Struct, frozen=True, gc=False):
    country: str
    province: str
    city: str
    operator: str


class Key(Struct, frozen=True, gc=False):
    """A key pressed in the IVR, and what it stands for."""

    key: str
    label: str


class Leg(Struct, gc=False):
    """One agent's part in a call: what the vendor calls a service track."""

    agent: Agent
    group: SkillGroup
    started_s: int
    rang_s: int = 0
    accepted_s: int = 0
    ended_s: int = 0
    end_status: str = "ok"
    record_id: str = ""


class Truth(Struct, kw_only=True, gc=False):
    """What really happened in a session. The plays fill it in; for everybody else it is read-only.

    `rang_s` and `accepted_s` are the agent's when inbound, the user's when outbound. `legs` are in order,
    each one but the first a transfer from the one before. A correction changes `UserRemark` alone, so the
    truth holds for it too. Numbers are as sent: some are masked.
    """

    session_id: str
    kind: Kind
    started_s: int
    call_type: int = 0
    direction: int = INBOUND
    caller: str = ""
    callee: str = ""
    place: Place | None = None
    queued_s: int = 0
    rang_s: int = 0
    accepted_s: int = 0
    ended_s: int = 0
    end_status: str = "ok"
    hung_up_side: str = "user"
    group: SkillGroup | None = None
    legs: list[Leg] = []
    ivr_keys: tuple[Key, ...] = ()
    satisfaction: Key | None = None
    record_id: str = ""
    voicemail_s: int = 0
    client_user_id: str = ""

    @property
    def is_chat(self) -> bool:
        return self.kind.startswith("chat_")

    @property
    def agents(self) -> tuple[Agent, ...]:
        return tuple(leg.agent for leg in self.legs)

    @property
    def customer(self) -> str:
        """The number on the user's side."""
        return self.callee if self.direction == OUTBOUND else self.caller

    @property
    def duration_s(self) -> int:
        return self.ended_s - self.accepted_s if self.accepted_s else 0

    @property
    def ivr_duration_s(self) -> int:
        """As documented, queued less started; 0 for a call that never came to a queue."""
        return self.queued_s - self.started_s if self.queued_s else 0


class Push(Struct, frozen=True, gc=False):
    """One push; `at` is when the vendor would make it. A `version` of '' is not sent. A `correction` is a
    second `cdr` of its session.
    """

    action: Action
    version: str
    push_id: str
    session_id: str
    body: bytes
    at: float
    correction: bool = False


class Session(Struct, frozen=True, gc=False):
    """`pushes` are in order of `at`."""

    truth: Truth
    pushes: tuple[Push, ...]
