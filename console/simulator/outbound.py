"""How calls that the centre makes go: by an agent, by the predictive dialler, and from agent to agent."""

from console.simulator import numbers
from console.simulator.centre import OUTBOUND_GROUP, Centre
from console.simulator.dice import Dice, Weighted
from console.simulator.legs import GIVE_UP_RINGING_S, RING_S, TALK_S, end_with_talk, miss, ring, talk
from console.simulator.session import OUTBOUND, Leg, Truth

_CALL_TYPE = 1
_PREDICTIVE_CALL_TYPE = 5
_INTERNAL_CALL_TYPE = 6

# Quantiles at equal steps, in seconds.
_DIAL_S = (1, 2, 3, 4, 6)
_USER_RINGS_S = (2, 5, 8, 12, 18, 30)
_NOBODY_ANSWERS_S = (12, 25, 40, 55, 60)

# Why a number that rang was not answered, and why one never rang.
_RANG = Weighted(
    {
        "notAnswer": 620,
        "userReject": 240,
        "callerCancelWhileRing": 90,
        "voiceMailReached": 30,
        "callReminder": 20,
    }
)
_NEVER_RANG = Weighted(
    {
        "powerOff": 280,
        "busy": 230,
        "numberNotExist": 150,
        "notInService": 90,
        "callerCancelWithoutRing": 60,
        "callerCancel": 30,
        "outOfCredit": 20,
        "numberInvalid": 20,
        "callRestricted": 15,
        "calleeRestricted": 15,
        "restrictedCallee": 12,
        "restrictedArea": 12,
        "restrictedTime": 12,
        "areaRestricted": 10,
        "carrierBlocked": 10,
        "promptCallForwarding": 10,
        "outboundForward": 4,
        "operatorError": 5,
        "clientError": 5,
        "callConflict": 3,
        "clientTimeout": 3,
        "voipClientError": 3,
        "unconnected": 3,
        "unknown": 2,
    }
)
_RANG_SHARE = 0.68


def outbound_answered(truth: Truth, dice: Dice, centre: Centre) -> None:
    leg = _agent_dials(truth, dice, centre)
    _user_answers(truth, dice)
    leg.ended_s = truth.accepted_s + dice.spread(TALK_S)
    end_with_talk(truth, dice)


def outbound_missed(truth: Truth, dice: Dice, centre: Centre) -> None:
    leg = _agent_dials(truth, dice, centre)
    _user_misses(truth, dice)
    leg.ended_s = truth.ended_s
    if truth.end_status.startswith("callerCancel"):
        truth.hung_up_side = "seat"


def predictive_answered(truth: Truth, dice: Dice, centre: Centre) -> None:
    _dial(truth, dice, centre, _PREDICTIVE_CALL_TYPE)
    _user_answers(truth, dice)
    agent = centre.agent(dice, OUTBOUND_GROUP)
    talk(dice, ring(truth, agent, OUTBOUND_GROUP, truth.accepted_s))
    end_with_talk(truth, dice)


def predictive_abandoned(truth: Truth, dice: Dice, centre: Centre) -> None:
    """Let the user answer and hang up before an agent is free."""
    _dial(truth, dice, centre, _PREDICTIVE_CALL_TYPE)
    _user_answers(truth, dice)
    truth.ended_s, truth.end_status = truth.accepted_s + dice.spread(GIVE_UP_RINGING_S), "waitingGiveUp"


def predictive_missed(truth: Truth, dice: Dice, centre: Centre) -> None:
    _dial(truth, dice, centre, _PREDICTIVE_CALL_TYPE)
    _user_misses(truth, dice)


def internal_answered(truth: Truth, dice: Dice, centre: Centre) -> None:
    leg = _agent_calls_agent(truth, dice, centre)
    talk(dice, leg)
    truth.accepted_s = leg.accepted_s
    end_with_talk(truth, dice)


def internal_missed(truth: Truth, dice: Dice, centre: Centre) -> None:
    leg = _agent_calls_agent(truth, dice, centre)
    miss(truth, leg, dice.spread(_NOBODY_ANSWERS_S), "notAnswer")


def _dial(truth: Truth, dice: Dice, centre: Centre, call_type: int) -> None:
    truth.call_type, truth.direction = call_type, OUTBOUND
    truth.caller = dice.one_of(centre.numbers)
    truth.callee, truth.place = numbers.customer(dice)
    truth.group = OUTBOUND_GROUP


def _agent_dials(truth: Truth, dice: Dice, centre: Centre) -> Leg:
    """Let an agent dial, whose own side of the line is up at once."""
    _dial(truth, dice, centre, _CALL_TYPE)
    leg = Leg(
        agent=centre.agent(dice, OUTBOUND_GROUP),
        group=OUTBOUND_GROUP,
        started_s=truth.started_s,
        rang_s=truth.started_s,
        accepted_s=truth.started_s + 1,
    )
    truth.legs.append(leg)
    return leg


def _user_answers(truth: Truth, dice: Dice) -> None:
    truth.rang_s = truth.started_s + dice.spread(_DIAL_S)
    truth.accepted_s = truth.rang_s + dice.spread(_USER_RINGS_S)


def _user_misses(truth: Truth, dice: Dice) -> None:
    reached_s = truth.started_s + dice.spread(_DIAL_S)
    truth.ended_s = reached_s + dice.spread(RING_S)
    if not dice.chance(_RANG_SHARE):
        truth.end_status, truth.hung_up_side = dice.weighted(_NEVER_RANG), "system"
        return
    truth.rang_s, truth.end_status = reached_s, dice.weighted(_RANG)
    if truth.end_status == "notAnswer":
        truth.ended_s = reached_s + dice.spread(_NOBODY_ANSWERS_S)
        truth.hung_up_side = "system"


def _agent_calls_agent(truth: Truth, dice: Dice, centre: Centre) -> Leg:
    group, _ = centre.wanted(dice)
    calling = centre.agent(dice, group)
    called = centre.agent(dice, group, calling)
    truth.call_type, truth.direction, truth.group = _INTERNAL_CALL_TYPE, OUTBOUND, group
    truth.caller, truth.callee = calling.staff_number, called.staff_number
    leg = ring(truth, called, group, truth.started_s)
    truth.rang_s = leg.rang_s
    return leg
