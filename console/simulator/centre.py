"""The contact centre itself: its own numbers, its skill groups, and its agents with their groups."""

from msgspec import Struct

from console.simulator.dice import Dice, Weighted
from console.simulator.session import Agent, Key, SkillGroup

SDK_APP_ID = 1400482256
CALLS_OF_AN_AGENT = 80  # in a day
FEWEST_AGENTS = 12

# What is pressed in the IVR to come to a group, and how many of the callers want it.
_GROUPS = {
    SkillGroup(3301, "售前咨询"): ((Key("1", "中文服务"), Key("1", "售前咨询")), 30),
    SkillGroup(3302, "售后一组"): ((Key("1", "中文服务"), Key("2", "售后")), 30),
    SkillGroup(3303, "技术支持"): ((Key("1", "中文服务"), Key("3", "技术支持")), 18),
    SkillGroup(3304, "投诉处理"): ((Key("1", "中文服务"), Key("4", "投诉")), 8),
    SkillGroup(3305, "VIP专席"): ((Key("9", "VIP"),), 6),
    SkillGroup(3306, "International Desk"): ((Key("2", "English"),), 8),
}
OUTBOUND_GROUP = SkillGroup(2734, "Outbound Consultant")
GROUPS = (*_GROUPS, OUTBOUND_GROUP)

_WANTED = Weighted({group: weight for group, (_, weight) in _GROUPS.items()})
_SEAT_TYPE = Weighted(
    {"staffSeat": 70, "staffPhoneSeat": 14, "staffExtensionSeat": 8, "miniProgramSeat": 4, "outboundSeat": 4}
)
_SURNAMES = {
    "王": "wang",
    "李": "li",
    "张": "zhang",
    "刘": "liu",
    "陈": "chen",
    "杨": "yang",
    "赵": "zhao",
    "周": "zhou",
}
_GIVEN = {
    "伟": "wei",
    "芳": "fang",
    "娜": "na",
    "敏": "min",
    "静": "jing",
    "磊": "lei",
    "晓明": "xiaoming",
    "建国": "jianguo",
}
_ABROAD = (("Priya Nair", "priya"), ("Tom Baker", "tom"), ("José Álvarez", "jose"), ("Aiko Mori", "aiko"))


class Centre(Struct, frozen=True):
    sdk_app_id: int
    numbers: tuple[str, ...]
    agents: tuple[Agent, ...]
    by_group: dict[SkillGroup, tuple[Agent, ...]]
    copies_recordings: bool

    def agent(self, dice: Dice, group: SkillGroup, other_than: Agent | None = None) -> Agent:
        """Pick one of the group's agents; each group has at least two."""
        there = self.by_group[group]
        picked = dice.one_of(there)
        if picked is not other_than:
            return picked
        return there[(there.index(picked) + 1) % len(there)]

    def wanted(self, dice: Dice) -> tuple[SkillGroup, tuple[Key, ...]]:
        """Return the group that a caller asks for, and the keys that lead to it."""
        group = dice.weighted(_WANTED)
        return group, _GROUPS[group][0]


def build(dice: Dice, *, sdk_app_id: int, sessions_a_day: int) -> Centre:
    """Staff a centre that can serve so many sessions a day."""
    count = max(FEWEST_AGENTS, 2 * len(GROUPS), sessions_a_day // CALLS_OF_AN_AGENT)
    agents = tuple(_agent(dice, number) for number in range(count))
    return Centre(
        sdk_app_id=sdk_app_id,
        numbers=("00864006666666", "0086075586013388", "008602161234567", "0085230001234"),
        agents=agents,
        by_group={group: tuple(agent for agent in agents if group in agent.groups) for group in GROUPS},
        copies_recordings=dice.chance(0.5),
    )


def _agent(dice: Dice, number: int) -> Agent:
    first = GROUPS[number % len(GROUPS)]  # so that no group is left without agents
    second = dice.one_of(GROUPS)
    groups = (first,) if second is first or dice.chance(0.5) else (first, second)
    name, spelled = _name(dice)
    seat_type = dice.weighted(_SEAT_TYPE)
    phone = f"0086139{dice.digits(8)}" if seat_type == "staffPhoneSeat" else ""
    user_id = f"{spelled}{number + 1001}@example.com"
    nick = f"小{name[0]}" if name[0] in _SURNAMES else spelled.capitalize()
    return Agent(user_id, name, nick, phone, str(number + 1001), seat_type, groups)


def _name(dice: Dice) -> tuple[str, str]:
    if dice.chance(0.1):
        return dice.one_of(_ABROAD)
    surname, given = dice.one_of(tuple(_SURNAMES)), dice.one_of(tuple(_GIVEN))
    return surname + given, _SURNAMES[surname] + _GIVEN[given]
