"""Makes the bodies that are pushed: distinct `cdr` bodies of about 2.2 KB with 2.3 participants, from a seed."""

import json
import random
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any

_T0 = 1_760_000_000
_CALLS_PER_S = 50
_PLACES = [
    ("广东", "深圳"),
    ("广东", "广州"),
    ("北京", "北京"),
    ("上海", "上海"),
    ("浙江", "杭州"),
    ("四川", "成都"),
]
_OPERATORS = ["移动", "联通", "电信", "广电"]
_GROUPS = ["售前咨询", "售后服务", "技术支持", "投诉处理", "VIP专席", "Default Skill Group"]
_NAMES = [
    surname + name for surname in "王李张刘陈杨黄赵吴周" for name in ("小明", "晓红", "伟", "芳", "建国")
]
_ENDS = ["ok", "ivrGiveUp", "waitingGiveUp", "ringingGiveUp", "noSeatOnline", "blackList", "numberNotExist"]
_REMARKS = ["", "客户要求回访", "已解决，客户满意", "转二线处理，等待技术确认"]


def bodies(count: int, seed: int = 7) -> Iterator[bytes]:
    """Compact JSON, as the vendor sends it; every SessionId is a random UUID."""
    dice = random.Random(seed)
    for number in range(count):
        call = _call(dice, _T0 + number // _CALLS_PER_S)
        yield json.dumps(call, ensure_ascii=False, separators=(",", ":")).encode()


def write_bodies(file: Path, count: int, seed: int = 7) -> None:
    """One body a line."""
    with file.open("wb") as out:
        out.writelines(body + b"\n" for body in bodies(count, seed))


def session_id(dice: random.Random) -> str:
    return str(uuid.UUID(int=dice.getrandbits(128), version=4))


def _call(dice: random.Random, started: int) -> dict[str, Any]:
    session, caller, group = session_id(dice), _phone(dice), dice.randrange(len(_GROUPS))
    in_ivr_s = dice.randrange(3, 40)
    legs = _legs(dice, session, started + in_ivr_s, group)
    last, keys, name = legs[-1], dice.choices("123450*#", k=dice.randrange(1, 4)), dice.choice(_NAMES)
    province, city = dice.choice(_PLACES)
    return {
        "SdkAppId": 1400264214,
        "SessionId": session,
        "Caller": caller,
        "Callee": "0086075586013388",
        "Direction": dice.randrange(2),
        "Duration": last["EndedTimestamp"] - legs[0]["AcceptTimestamp"],
        "SeatUser": {
            "Mail": last["Mail"],
            "Name": name,
            "Nick": name,
            "Phone": last["Phone"],
            "UserId": last["Mail"],
            "StaffNumber": last["Mail"][5:9],
            "SkillGroupNameList": [_GROUPS[group], _GROUPS[group - 1]],
        },
        "CallerLocation": province + city,
        "IVRDuration": in_ivr_s,
        "RingTimestamp": legs[0]["RingTimestamp"],
        "AcceptTimestamp": legs[0]["AcceptTimestamp"],
        "EndedTimestamp": last["EndedTimestamp"],
        "StartTimestamp": started,
        "IVRKeyPressed": list(keys),
        "IVRKeyPressedEx": [{"Key": key, "Label": f"节点{n}-按键{key}"} for n, key in enumerate(keys, 1)],
        "HungUpSide": dice.choice(["user", "seat", "system"]),
        "ServeParticipants": legs,
        "EndStatusString": dice.choice(_ENDS),
        "QueuedTimestamp": started + in_ivr_s,
        "PostIVRKeyPressed": [{"Key": dice.choice("12345"), "Label": "满意度评价"}],
        "QueuedSkillGroupName": _GROUPS[group],
        "QueuedSkillGroupId": 600 + group,
        "RecordId": last["RecordId"],
        "UserRemark": dice.choice(_REMARKS),
        "Uui": f"order={dice.randrange(10**8)}",
        "TelLocation": {
            "TelNumber": caller,
            "Country": "中国",
            "Province": province,
            "City": city,
            "Operator": dice.choice(_OPERATORS),
        },
    }


def _legs(dice: random.Random, session: str, at: int, group: int) -> list[dict[str, Any]]:
    """What each agent of the call did: two or three of them, each handing over to the next."""
    count = dice.choice((2, 2, 3))
    mails = [f"agent{dice.randrange(1000, 9999)}@callcenter.example.com" for _ in range(count)]
    legs = []
    for number, mail in enumerate(mails):
        ring_s, talk_s = dice.randrange(1, 25), dice.randrange(5, 400)
        first, last = number == 0, number == count - 1
        legs.append(
            {
                "Mail": mail,
                "Phone": _phone(dice),
                "RingTimestamp": at,
                "AcceptTimestamp": at + ring_s,
                "EndedTimestamp": at + ring_s + talk_s,
                "RecordId": f"{session[:13]}{dice.getrandbits(64):016x}",
                "Type": "staffSeat",
                "TransferFrom": "" if first else mails[number - 1],
                "TransferFromType": "" if first else "staffSeat",
                "TransferTo": "" if last else mails[number + 1],
                "TransferToType": "" if last else "staffSeat",
                "SkillGroupId": 600 + group,
                "EndStatusString": "ok",
                "Sequence": number,
                "StartTimestamp": at,
                "SkillGroupName": _GROUPS[group],
                "SkillGroupPriority": dice.randrange(1, 5),
            }
        )
        at += ring_s + talk_s
    return legs


def _phone(dice: random.Random) -> str:
    return f"0086{dice.choice((13, 15, 17, 18, 19))}{dice.randrange(10**9):09d}"
