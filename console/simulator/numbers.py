"""Whom the centre talks to: numbers of customers, Chinese and from abroad, and where they are.

The numbers are made up; a few are masked, as the vendor does where a customer asks for it.
"""

from console.simulator.dice import Dice, Weighted
from console.simulator.session import Place

FOREIGN_SHARE = 0.08
LANDLINE_SHARE = 0.12
MASKED_SHARE = 0.02

_OPERATORS = {
    "移动": ("135", "136", "137", "138", "139", "150", "151", "187", "188"),
    "联通": ("130", "131", "132", "155", "156", "186"),
    "电信": ("133", "153", "180", "181", "189"),
    "广电": ("192",),
}
_OPERATOR = Weighted({"移动": 55, "联通": 22, "电信": 21, "广电": 2})

# Area code, province, city; weights go by how many people call from there.
_CITY = Weighted(
    {
        ("755", "广东", "深圳"): 14,
        ("20", "广东", "广州"): 11,
        ("10", "北京", "北京"): 13,
        ("21", "上海", "上海"): 13,
        ("571", "浙江", "杭州"): 8,
        ("28", "四川", "成都"): 8,
        ("27", "湖北", "武汉"): 6,
        ("23", "重庆", "重庆"): 6,
        ("29", "陕西", "西安"): 5,
        ("25", "江苏", "南京"): 5,
        ("532", "山东", "青岛"): 4,
        ("851", "贵州", "贵阳"): 2,
        ("991", "新疆", "乌鲁木齐"): 2,
        ("898", "海南", "海口"): 2,
        ("891", "西藏", "拉萨"): 1,
    }
)

# Country code with the first digits of a mobile there, how many digits follow, and its name.
_COUNTRY = Weighted(
    {
        ("8529", 7, "中国香港"): 30,
        ("8536", 7, "中国澳门"): 6,
        ("8869", 8, "中国台湾"): 8,
        ("659", 7, "Singapore"): 14,
        ("1415", 7, "United States"): 14,
        ("447", 9, "United Kingdom"): 8,
        ("8190", 8, "Japan"): 8,
        ("6012", 7, "Malaysia"): 6,
        ("614", 8, "Australia"): 4,
        ("49151", 8, "Germany"): 2,
    }
)


def customer(dice: Dice) -> tuple[str, Place]:
    """Return a number with its international prefix, and what the vendor knows of it."""
    if dice.chance(FOREIGN_SHARE):
        prefix, digits, country = dice.weighted(_COUNTRY)
        return _masked(dice, f"00{prefix}{dice.digits(digits)}"), Place(country, "", "", "")
    area, province, city = dice.weighted(_CITY)
    if dice.chance(LANDLINE_SHARE):
        number = f"0086{area}{dice.between(2, 8)}{dice.digits(7)}"
        return _masked(dice, number), Place("中国", province, city, "电信")
    operator = dice.weighted(_OPERATOR)
    number = f"0086{dice.one_of(_OPERATORS[operator])}{dice.digits(8)}"
    return _masked(dice, number), Place("中国", province, city, operator)


def mask(number: str) -> str:
    """Hide all but the last four digits, as the vendor does."""
    return "*" * 7 + number[-4:]


def _masked(dice: Dice, number: str) -> str:
    return mask(number) if dice.chance(MASKED_SHARE) else number
