"""How an agent's part in a call goes: rung, talking, handing over to another, and the end of the call."""

from console.simulator.centre import Centre
from console.simulator.dice import Dice
from console.simulator.session import Agent, Leg, SkillGroup, Truth

# Quantiles at equal steps, in seconds.
RING_S = (1, 2, 3, 4, 6, 9, 20)
TALK_S = (4, 25, 45, 70, 100, 150, 230, 400, 1800)
GIVE_UP_RINGING_S = (1, 4, 8, 14, 25)

RECORDED_SHARE = 0.96
TRANSFERRED_WITHIN_GROUP_SHARE = 0.4


def ring(truth: Truth, agent: Agent, group: SkillGroup, at_s: int) -> Leg:
    """Ring an agent, who has not answered yet."""
    leg = Leg(agent=agent, group=group, started_s=at_s, rang_s=at_s + 1)
    truth.legs.append(leg)
    return leg


def talk(dice: Dice, leg: Leg) -> None:
    """Let the agent answer and talk; the talk's end is the leg's."""
    leg.accepted_s = leg.rang_s + dice.spread(RING_S)
    leg.ended_s = leg.accepted_s + dice.spread(TALK_S)


def hand_over(truth: Truth, dice: Dice, centre: Centre) -> None:
    """Transfer from the agent who talks to another, who is rung before the first one leaves."""
    giving = truth.legs[-1]
    group = giving.group
    if not dice.chance(TRANSFERRED_WITHIN_GROUP_SHARE):
        group, _ = centre.wanted(dice)
    taking = ring(truth, centre.agent(dice, group, giving.agent), group, giving.ended_s)
    talk(dice, taking)
    giving.ended_s = dice.between(taking.rang_s, taking.accepted_s)


def miss(truth: Truth, leg: Leg, after_s: int, end_status: str) -> None:
    """End a call that rang at an agent and was not answered."""
    leg.ended_s = truth.ended_s = leg.rang_s + after_s
    leg.end_status = truth.end_status = end_status


def end_with_talk(truth: Truth, dice: Dice) -> None:
    """End a call with its last agent's talk, and say what of it was recorded."""
    truth.ended_s = truth.legs[-1].ended_s
    truth.hung_up_side = "user" if dice.chance(0.6) else "seat"
    if dice.chance(RECORDED_SHARE):
        truth.record_id = dice.uuid()
        for leg in truth.legs:
            leg.record_id = dice.uuid()
