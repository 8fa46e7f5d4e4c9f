"""How text chats go: served, or given up before an agent came to it."""

from console.simulator.centre import Centre
from console.simulator.dice import Dice, Weighted
from console.simulator.legs import GIVE_UP_RINGING_S, miss, ring, talk
from console.simulator.session import Key, Truth

_QUEUED_AFTER_S = (0, 1, 2, 4, 15)
_WAIT_S = (0, 1, 3, 10, 60)
_RATED_SHARE = 0.4
_RATING = Weighted(
    {Key("105", "非常满意"): 55, Key("104", "满意"): 30, Key("103", "一般"): 10, Key("101", "不满意"): 5}
)
_SERVED = Weighted({"ok": 80, "autoFinished": 15, "seatForward": 5})
_RANG = Weighted({"ringingGiveUp": 70, "seatGiveUp": 30})
_NEVER_RANG = Weighted({"ivrGiveUp": 35, "notWorkTime": 25, "noSeatOnline": 20, "ivrEnd": 17, "error": 3})


def chat_served(truth: Truth, dice: Dice, centre: Centre) -> None:
    _ring(truth, dice, centre)
    leg = truth.legs[-1]
    talk(dice, leg)
    truth.accepted_s, truth.ended_s = leg.accepted_s, leg.ended_s
    truth.end_status = leg.end_status = dice.weighted(_SERVED)
    if dice.chance(_RATED_SHARE):
        truth.satisfaction = dice.weighted(_RATING)


def chat_missed(truth: Truth, dice: Dice, centre: Centre) -> None:
    if dice.chance(0.5):
        _ring(truth, dice, centre)
        miss(truth, truth.legs[-1], dice.spread(GIVE_UP_RINGING_S), dice.weighted(_RANG))
        return
    _open(truth, dice)
    truth.end_status = dice.weighted(_NEVER_RANG)
    truth.ended_s = truth.started_s + dice.spread(_WAIT_S)


def _open(truth: Truth, dice: Dice) -> None:
    truth.session_id = f"im-{truth.session_id}"
    truth.client_user_id = f"wx-{dice.digits(9)}"


def _ring(truth: Truth, dice: Dice, centre: Centre) -> None:
    _open(truth, dice)
    group, truth.ivr_keys = centre.wanted(dice)
    truth.group = group
    truth.queued_s = truth.started_s + dice.spread(_QUEUED_AFTER_S)
    leg = ring(truth, centre.agent(dice, group), group, truth.queued_s + dice.spread(_WAIT_S))
    truth.rang_s = leg.rang_s
