"""A simulated session as an element of TelCdrList: the push's fields with the API's differences."""

from typing import Any

from console.simulator import Session
from schemas.decoding import decode_object, without_trailing_commas
from schemas.errors import RecordError
from schemas.vocabulary import END_STATUS_CODES

_CODES = {text: code for code, text in END_STATUS_CODES.items()}

Element = dict[str, Any]


def element_of(session: Session) -> Element | None:
    """None for a session that the API does not tell of: a chat."""
    body = _last_cdr(session)
    if body is None:
        return None
    truth = session.truth
    for absent in ("SdkAppId", "TelLocation"):
        body.pop(absent, None)
    body["UUI"] = body.pop("Uui", "")
    body["Remark"] = body.pop("UserRemark", "")
    body["PostIVRKeyPressedEx"] = body.pop("PostIVRKeyPressed", None)
    body |= {
        "Time": truth.started_s,
        "EndStatus": _CODES.get(truth.end_status, 0),
        "CallType": truth.call_type,
        "ProtectedCaller": "",
        "ProtectedCallee": "",
        "AsrUrl": "",
        "RecordURL": _recording_url(truth.record_id),
        "CustomRecordURL": "",
        "VoicemailRecordURL": [_recording_url(truth.session_id)] if truth.voicemail_s else None,
    }
    if body["SeatUser"]:
        body["SeatUser"] |= {"Role": 3, "ExtensionNumber": ""}
    for participant in body["ServeParticipants"] or ():
        participant.pop("SkillGroupPriority", None)
        participant |= {"RecordURL": _recording_url(participant["RecordId"]), "CustomRecordURL": ""}
    return body


def _last_cdr(session: Session) -> dict[str, Any] | None:
    """What the last of its `cdr` pushes says, read as leniently as it takes."""
    told = [push.body for push in session.pushes if push.action == "cdr"]
    if not told:
        return None
    try:
        return decode_object(told[-1])
    except RecordError:
        return decode_object(without_trailing_commas(told[-1]) or b"")


def _recording_url(record_id: str) -> str:
    return f"https://recordings.example.com/{record_id}.mp3?sign={record_id[:8]}" if record_id else ""
