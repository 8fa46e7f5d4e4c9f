"""How inbound calls go: through the IVR, into a queue, to an agent; or lost on the way."""

from console.simulator import numbers
from console.simulator.arrivals import is_open
from console.simulator.centre import Centre
from console.simulator.dice import Dice, Weighted
from console.simulator.legs import GIVE_UP_RINGING_S, end_with_talk, hand_over, miss, ring, talk
from console.simulator.session import Key, Leg, SkillGroup, Truth

_CALL_TYPE = 2
_AUDIO_CALL_TYPE = 3

# Quantiles at equal steps, in seconds.
_IVR_S = (2, 6, 9, 13, 19, 45)
_WAIT_S = (0, 0, 1, 3, 8, 20, 90)
_GIVE_UP_WAITING_S = (2, 10, 25, 50, 110, 400)
_VOICEMAIL_S = (5, 12, 20, 35, 60, 120)

_RATED_SHARE = 0.35  # of the callers who were asked
_RATING = Weighted(
    {
        Key("5", "非常满意"): 52,
        Key("4", "满意"): 30,
        Key("3", "一般"): 10,
        Key("2", "不满意"): 4,
        Key("1", "非常不满意"): 4,
    }
)
# The IVR, or a voice agent in it, did what was asked; or could not.
_IVR_END = Weighted(
    {
        "ivrEnd": 860,
        "aiAgentEndCall": 40,
        "userHangupDuringAiCall": 40,
        "functionCallHangup": 12,
        "userInactivity": 12,
        "maxCallDurationReached": 8,
        "callTerminatedByAPI": 8,
        "asrError": 7,
        "llmasrError": 7,
        "ttsError": 6,
    }
)
_REFUSAL = Weighted({"blackList": 85, "tooManyRequest": 15})


def answered(truth: Truth, dice: Dice, centre: Centre) -> None:
    _serve(truth, dice, centre)
    _say_goodbye(truth, dice)


def transferred(truth: Truth, dice: Dice, centre: Centre) -> None:
    _serve(truth, dice, centre)
    hand_over(truth, dice, centre)
    _say_goodbye(truth, dice)


def transferred_twice(truth: Truth, dice: Dice, centre: Centre) -> None:
    _serve(truth, dice, centre)
    hand_over(truth, dice, centre)
    hand_over(truth, dice, centre)
    _say_goodbye(truth, dice)


def ivr_ended(truth: Truth, dice: Dice, centre: Centre) -> None:
    _call_in(truth, dice, centre)
    _, truth.ivr_keys = centre.wanted(dice)
    _end(truth, truth.started_s + dice.spread(_IVR_S), dice.weighted(_IVR_END), "system")


def abandoned_ivr(truth: Truth, dice: Dice, centre: Centre) -> None:
    _call_in(truth, dice, centre)
    _, keys = centre.wanted(dice)
    truth.ivr_keys = keys[: dice.between(0, len(keys))]
    _end(truth, truth.started_s + dice.spread(_IVR_S), "ivrGiveUp")


def abandoned_queue(truth: Truth, dice: Dice, centre: Centre) -> None:
    _queue(truth, dice, centre)
    _end(truth, truth.queued_s + dice.spread(_GIVE_UP_WAITING_S), "waitingGiveUp")


def abandoned_ringing(truth: Truth, dice: Dice, centre: Centre) -> None:
    miss(truth, _ring(truth, dice, centre), dice.spread(GIVE_UP_RINGING_S), "ringingGiveUp")


def rejected(truth: Truth, dice: Dice, centre: Centre) -> None:
    miss(truth, _ring(truth, dice, centre), dice.spread(GIVE_UP_RINGING_S), "seatGiveUp")
    truth.hung_up_side = "seat"


def no_seat_online(truth: Truth, dice: Dice, centre: Centre) -> None:
    _queue(truth, dice, centre)
    _end(truth, truth.queued_s, "noSeatOnline", "system")


def out_of_hours(truth: Truth, dice: Dice, centre: Centre) -> None:
    _call_in(truth, dice, centre)
    _end(truth, truth.started_s + dice.spread(_IVR_S), "notWorkTime", "system")


def refused(truth: Truth, dice: Dice, centre: Centre) -> None:
    _call_in(truth, dice, centre)
    _end(truth, truth.started_s, dice.weighted(_REFUSAL), "system")


def voicemail(truth: Truth, dice: Dice, centre: Centre) -> None:
    _call_in(truth, dice, centre)
    truth.ivr_keys = (Key("0", "语音留言"),)
    truth.voicemail_s = truth.started_s + dice.spread(_IVR_S) + dice.spread(_VOICEMAIL_S)
    _end(truth, truth.voicemail_s, "ivrEnd" if is_open(truth.started_s) else "notWorkTime")


def audio_answered(truth: Truth, dice: Dice, centre: Centre) -> None:
    _serve(truth, dice, centre)
    _from_an_app(truth, dice)
    _say_goodbye(truth, dice)


def audio_abandoned(truth: Truth, dice: Dice, centre: Centre) -> None:
    abandoned_queue(truth, dice, centre)
    _from_an_app(truth, dice)


def _call_in(truth: Truth, dice: Dice, centre: Centre) -> None:
    truth.call_type = _CALL_TYPE
    truth.caller, truth.place = numbers.customer(dice)
    truth.callee = dice.one_of(centre.numbers)


def _queue(truth: Truth, dice: Dice, centre: Centre) -> SkillGroup:
    _call_in(truth, dice, centre)
    group, truth.ivr_keys = centre.wanted(dice)
    truth.group = group
    truth.queued_s = truth.started_s + dice.spread(_IVR_S)
    return group


def _ring(truth: Truth, dice: Dice, centre: Centre) -> Leg:
    group = _queue(truth, dice, centre)
    leg = ring(truth, centre.agent(dice, group), group, truth.queued_s + dice.spread(_WAIT_S))
    truth.rang_s = leg.rang_s
    return leg


def _serve(truth: Truth, dice: Dice, centre: Centre) -> None:
    leg = _ring(truth, dice, centre)
    talk(dice, leg)
    truth.accepted_s = leg.accepted_s


def _say_goodbye(truth: Truth, dice: Dice) -> None:
    """End an answered call. Who stays on the line when the agent hangs up is asked to rate the call."""
    end_with_talk(truth, dice)
    if truth.hung_up_side == "seat" and dice.chance(_RATED_SHARE):
        truth.satisfaction = dice.weighted(_RATING)


def _from_an_app(truth: Truth, dice: Dice) -> None:
    """Let the call come from a web page or an app: a user there instead of a number."""
    truth.call_type = _AUDIO_CALL_TYPE
    truth.caller, truth.place = f"web_{dice.digits(10)}", None


def _end(truth: Truth, at_s: int, end_status: str, side: str = "user") -> None:
    truth.ended_s, truth.end_status, truth.hung_up_side = at_s, end_status, side
