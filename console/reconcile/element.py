"""A session as the API tells of it, in the push's spelling: what is published, and what it would be as a row."""

import hashlib
import json
from typing import Any

import msgspec
from msgspec import Struct

from console.reconcile.vendor import Element
from schemas.envelope import Record, push_headers
from schemas.errors import RecordError
from schemas.vocabulary import END_STATUS_CODES
from worker.normalise import Normalised, normalise

# Signed anew with each answer, or filled in later: they do not make another record of the same session.
_PASSING = frozenset(
    {"AsrUrl", "AsrStatus", "RecordURL", "CustomRecordURL", "VoicemailRecordURL", "VoicemailAsrURL"}
)


class ApiSession(Struct, frozen=True):
    """`normalised` is None for a body so odd that no row can be made of it."""

    session_id: str
    body: bytes
    push_id: str
    normalised: Normalised | None


def api_session(element: Element, sdk_app_id: int) -> ApiSession:
    session_id = element["SessionId"]
    told = as_push(element, sdk_app_id)
    body = _encode(told)
    try:
        normalised = normalise("cdr", session_id, body)
    except RecordError:
        normalised = None
    return ApiSession(session_id, body, _push_id(told), normalised)


def api_record(session: ApiSession, topic: str, received_at_us: int) -> Record:
    """The record to publish; the same session told the same way has the same push id, however often it is made."""
    headers = push_headers(b"cdr", b"1", session.push_id.encode(), received_at_us, b"api")
    return Record(topic, session.session_id.encode(), session.body, headers)


def as_push(element: Element, sdk_app_id: int) -> dict[str, Any]:
    """The element in the push's spelling. What no push has stays as it is, and goes to `extra`."""
    body: dict[str, Any] = {"SdkAppId": sdk_app_id} | element
    _rename(body, "UUI", "Uui")
    _rename(body, "Remark", "UserRemark")
    if _has_key_presses(body.get("PostIVRKeyPressedEx")):
        _rename(body, "PostIVRKeyPressedEx", "PostIVRKeyPressed")
    if not body.get("EndStatusString") and body.get("EndStatus") in END_STATUS_CODES:
        body["EndStatusString"] = END_STATUS_CODES[body["EndStatus"]]
    return body


def _rename(body: dict[str, Any], name: str, pushed: str) -> None:
    """Where both are there and differ, both stay."""
    if name in body and (not body.get(pushed) or body[pushed] == body[name]):
        body[pushed] = body.pop(name)


def _has_key_presses(presses: Any) -> bool:
    """The API also has an element that says that no key was pressed."""
    return isinstance(presses, list) and any(
        isinstance(press, dict) and press.get("Key") not in {None, "", "noInput"} for press in presses
    )


def _push_id(body: dict[str, Any]) -> str:
    lasting = {name: value for name, value in body.items() if name not in _PASSING}
    participants = lasting.get("ServeParticipants")
    if isinstance(participants, list):
        lasting["ServeParticipants"] = [
            {name: value for name, value in participant.items() if name not in _PASSING}
            if isinstance(participant, dict)
            else participant
            for participant in participants
        ]
    digest = hashlib.sha256(json.dumps(lasting, sort_keys=True).encode())
    return f"api:{digest.hexdigest()}"


def _encode(body: dict[str, Any]) -> bytes:
    try:
        return msgspec.json.encode(body)
    except UnicodeEncodeError:  # a lone surrogate: its escape is what the vendor sent
        return json.dumps(body).encode()
