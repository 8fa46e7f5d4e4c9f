"""The truth of a session in the vendor's words: the JSON object of each push.

What is absent is "" for a string, 0 for a time or an id, null for an array or an object, as the vendor has it.
"""

from base64 import b64encode
from typing import Any

from console.simulator.centre import Centre
from console.simulator.session import Agent, Key, Leg, Place, SkillGroup, Truth

Body = dict[str, Any]


def cdr(truth: Truth, centre: Centre, *, user_remark: str, uui: str) -> Body:
    group, last = truth.group, truth.legs[-1] if truth.legs else None
    return {
        "SdkAppId": centre.sdk_app_id,
        "SessionId": truth.session_id,
        "Caller": truth.caller,
        "Callee": truth.callee,
        "Direction": truth.direction,
        "CallType": truth.call_type,
        "Duration": truth.duration_s,
        "SeatUser": _seat_user(last.agent) if last else None,
        "CallerLocation": _caller_location(truth.place) if truth.queued_s else "",
        "IVRDuration": truth.ivr_duration_s,
        "StartTimestamp": truth.started_s,
        "QueuedTimestamp": truth.queued_s,
        "RingTimestamp": truth.rang_s,
        "AcceptTimestamp": truth.accepted_s,
        "EndedTimestamp": truth.ended_s,
        "IVRKeyPressed": [pressed.key for pressed in truth.ivr_keys] or None,
        "IVRKeyPressedEx": [_key(pressed) for pressed in truth.ivr_keys] or None,
        "PostIVRKeyPressed": [_key(truth.satisfaction)] if truth.satisfaction else None,
        "HungUpSide": truth.hung_up_side,
        "ServeParticipants": _participants(truth.legs) or None,
        "EndStatusString": truth.end_status,
        "QueuedSkillGroupId": group.id if group else 0,
        "QueuedSkillGroupName": group.name if group else "",
        "RecordId": truth.record_id,
        "UserRemark": user_remark,
        "Uui": uui,
        "TelLocation": _tel_location(truth.customer, truth.place) if truth.place else None,
    }


def record(truth: Truth, centre: Centre, *, record_id: str, endpoint_user: str, at_s: int) -> Body:
    name = f"{centre.sdk_app_id}/{record_id}.mp3"
    return {
        "SdkAppId": centre.sdk_app_id,
        "RecordId": record_id,
        "SessionId": truth.session_id,
        "Timestamp": at_s,
        "EndpointUser": endpoint_user,
        "RecordURL": f"https://recordings.example.com/{name}?sign={record_id[:8]}&t={at_s:x}",
        "CustomRecordURL": f"https://archive.example.com/{name}" if centre.copies_recordings else "",
    }


def voicemail(truth: Truth, centre: Centre) -> Body:
    number = truth.caller.removeprefix("0086")
    return {
        "SdkAppId": centre.sdk_app_id,
        "SessionId": truth.session_id,
        "Timestamp": truth.voicemail_s,
        "RecordURL": f"https://recordings.example.com/{centre.sdk_app_id}/voicemail/{truth.session_id}.mp3",
        # A bare number, as in the vendor's documentation; where that would lose something, a string.
        "EndpointUser": int(number) if number.isdigit() and number[0] != "0" else truth.caller,
    }


def imcdr(truth: Truth, centre: Centre) -> Body:
    group = truth.group
    return {
        "SdkAppId": centre.sdk_app_id,
        "SessionId": truth.session_id,
        "StartTimestamp": truth.started_s,
        "QueuedTimestamp": truth.queued_s,
        "QueuedSkillGroupId": group.id if group else 0,
        "QueuedSkillGroupName": group.name if group else "",
        "RingTimestamp": truth.rang_s,
        "AcceptTimestamp": truth.accepted_s,
        "EndedTimestamp": truth.ended_s,
        "Duration": truth.duration_s,
        "IVRDuration": truth.ivr_duration_s,
        "UserId": truth.client_user_id,
        "UserNickName": "访客",
        "UserRemark": "",
        "EndStatusString": truth.end_status,
        "IVRKeyPressed": [pressed.key for pressed in truth.ivr_keys] or None,
        "ClientData": b64encode(b'{"page":"help","user":"%b"}' % truth.client_user_id.encode()).decode(),
        "SeatUser": _seat_user(truth.legs[-1].agent) if truth.legs else None,
        **_satisfaction(truth.satisfaction),
    }


def _participants(legs: list[Leg]) -> list[Body]:
    bodies = [_participant(leg, sequence) for sequence, leg in enumerate(legs)]
    for index in range(len(legs) - 1):
        giving, taking = legs[index].agent, legs[index + 1].agent
        bodies[index] |= {"TransferTo": taking.user_id, "TransferToType": taking.seat_type}
        bodies[index + 1] |= {"TransferFrom": giving.user_id, "TransferFromType": giving.seat_type}
    return bodies


def _participant(leg: Leg, sequence: int) -> Body:
    agent, group = leg.agent, leg.group
    return {
        "Mail": agent.user_id,
        "Phone": agent.phone,
        "RingTimestamp": leg.rang_s,
        "AcceptTimestamp": leg.accepted_s,
        "EndedTimestamp": leg.ended_s,
        "RecordId": leg.record_id,
        "Type": agent.seat_type,
        "TransferFrom": "",
        "TransferFromType": "",
        "TransferTo": "",
        "TransferToType": "",
        "SkillGroupId": group.id,
        "EndStatusString": leg.end_status,
        "Sequence": sequence,
        "StartTimestamp": leg.started_s,
        "SkillGroupName": group.name,
        "SkillGroupPriority": _priority(agent, group),
    }


def _priority(agent: Agent, group: SkillGroup) -> int:
    return agent.groups.index(group) + 1 if group in agent.groups else 0


def _seat_user(agent: Agent) -> Body:
    return {
        "Mail": agent.user_id,
        "Name": agent.name,
        "Nick": agent.nick,
        "Phone": agent.phone,
        "UserId": agent.user_id,
        "StaffNumber": agent.staff_number,
        "SkillGroupNameList": [group.name for group in agent.groups],
    }


def _key(pressed: Key) -> Body:
    return {"Key": pressed.key, "Label": pressed.label}


def _satisfaction(rating: Key | None) -> Body:
    """Return the field, or nothing: a chat that was not rated lacks it."""
    return {"Satisfaction": {"id": rating.key, "content": rating.label}} if rating else {}


def _caller_location(place: Place | None) -> str:
    if place is None:
        return ""
    return (
        place.city if place.city == place.province != "" else f"{place.province}{place.city}" or place.country
    )


def _tel_location(number: str, place: Place) -> Body:
    return {
        "TelNumber": number,
        "Country": place.country,
        "Province": place.province,
        "City": place.city,
        "Operator": place.operator,
    }
