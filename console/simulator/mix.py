"""What kinds of sessions a day holds, by open and closed hours, and the play of each kind."""

from collections.abc import Callable

from console.simulator import chat, inbound, outbound
from console.simulator.arrivals import is_open
from console.simulator.centre import Centre
from console.simulator.dice import Dice, Weighted
from console.simulator.session import Kind, Truth

# The weights of open hours sum to 1000.
OPEN: dict[Kind, int] = {
    "answered": 400,
    "transferred": 46,
    "transferred_twice": 10,
    "ivr_ended": 50,
    "abandoned_ivr": 45,
    "abandoned_queue": 40,
    "abandoned_ringing": 15,
    "rejected": 8,
    "no_seat_online": 6,
    "refused": 6,
    "voicemail": 8,
    "outbound_answered": 150,
    "outbound_missed": 90,
    "predictive_answered": 25,
    "predictive_abandoned": 5,
    "predictive_missed": 40,
    "internal_answered": 12,
    "internal_missed": 4,
    "audio_answered": 12,
    "audio_abandoned": 4,
    "chat_served": 19,
    "chat_missed": 5,
}
CLOSED: dict[Kind, int] = {
    "out_of_hours": 700,
    "voicemail": 180,
    "abandoned_ivr": 60,
    "ivr_ended": 40,
    "refused": 20,
}

_OPEN, _CLOSED = Weighted(OPEN), Weighted(CLOSED)

_PLAYS: dict[Kind, Callable[[Truth, Dice, Centre], None]] = {
    "answered": inbound.answered,
    "transferred": inbound.transferred,
    "transferred_twice": inbound.transferred_twice,
    "ivr_ended": inbound.ivr_ended,
    "abandoned_ivr": inbound.abandoned_ivr,
    "abandoned_queue": inbound.abandoned_queue,
    "abandoned_ringing": inbound.abandoned_ringing,
    "rejected": inbound.rejected,
    "no_seat_online": inbound.no_seat_online,
    "out_of_hours": inbound.out_of_hours,
    "refused": inbound.refused,
    "voicemail": inbound.voicemail,
    "outbound_answered": outbound.outbound_answered,
    "outbound_missed": outbound.outbound_missed,
    "predictive_answered": outbound.predictive_answered,
    "predictive_abandoned": outbound.predictive_abandoned,
    "predictive_missed": outbound.predictive_missed,
    "internal_answered": outbound.internal_answered,
    "internal_missed": outbound.internal_missed,
    "audio_answered": inbound.audio_answered,
    "audio_abandoned": inbound.audio_abandoned,
    "chat_served": chat.chat_served,
    "chat_missed": chat.chat_missed,
}


def play(dice: Dice, centre: Centre, started_s: int) -> Truth:
    """Play one session from its start to its end."""
    kind = dice.weighted(_OPEN if is_open(started_s) else _CLOSED)
    truth = Truth(session_id=dice.uuid(), kind=kind, started_s=started_s)
    _PLAYS[kind](truth, dice, centre)
    return truth
