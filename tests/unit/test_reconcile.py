"""What the API spells differently, what counts as differing, and how spans are cut."""

from typing import Any

import pytest

from console.reconcile.compare import differing
from console.reconcile.element import api_session
from console.reconcile.span import DAY_S, Span
from schemas.rows import Call
from tests.records import body
from worker.normalise import normalise

ELEMENT: dict[str, Any] = {
    "SessionId": "s-1",
    "Caller": "",
    "ProtectedCaller": "p-1",
    "Callee": "008613800138000",
    "EndStatus": 103,
    "EndStatusString": "",
    "UUI": "order=1",
    "Remark": "call back",
    "PostIVRKeyPressedEx": [{"Key": "5", "Label": "good"}],
    "RecordURL": "https://recordings.example.com/1?sign=a",
    "ServeParticipants": [
        {"Sequence": 0, "Mail": "a@example.com", "RecordURL": "https://x.example.com/?sign=a"}
    ],
}


def row_of(**changed: Any) -> Call:
    normalised = api_session(ELEMENT | changed, 7).normalised
    assert normalised is not None
    assert isinstance(normalised.row, Call)
    return normalised.row


def test_the_apis_spelling_becomes_the_pushs() -> None:
    row = row_of()
    assert (row.sdk_app_id, row.uui, row.user_remark) == (7, "order=1", "call back")
    assert (row.end_status, row.caller, row.callee) == ("waitingGiveUp", None, "008613800138000")
    assert row.post_ivr_keys == '[{"key":"5","label":"good"}]'
    assert row.extra is not None
    for kept in ("ProtectedCaller", "EndStatus", "RecordURL"):
        assert f'"{kept}"' in row.extra
    assert "UUI" not in row.extra
    assert row_of(PostIVRKeyPressedEx=[{"Key": "noInput", "Label": ""}]).post_ivr_keys is None
    assert row_of(Uui="other").uui == "other"


def test_a_session_told_again_has_the_same_push_id() -> None:
    participants = [dict(ELEMENT["ServeParticipants"][0], RecordURL="https://x.example.com/?sign=b")]
    again = ELEMENT | {
        "RecordURL": "https://recordings.example.com/1?sign=b",
        "ServeParticipants": participants,
    }
    first = api_session(ELEMENT, 7).push_id
    assert first.startswith("api:")
    assert api_session(again, 7).push_id == first
    assert api_session(ELEMENT | {"Remark": "changed"}, 7).push_id != first


def test_a_lone_surrogate_is_published_as_it_was_sent() -> None:
    session = api_session(ELEMENT | {"Remark": "\ud800"}, 7)
    assert b'"\\ud800"' in session.body


@pytest.mark.parametrize(
    ("pushed", "fields"),
    [
        ({}, []),
        ({"Callee": "*******8000"}, []),
        ({"Callee": "*******8001"}, ["callee"]),
        ({"Callee": ""}, []),
        ({"EndStatusString": "ok"}, ["end_status"]),
        ({"PostIVRKeyPressed": [{"key": "5"}]}, []),
        ({"PostIVRKeyPressed": [{"key": "4"}]}, ["post_ivr_keys"]),
        ({"ServeParticipants": [{"Sequence": 0, "Mail": "b@example.com"}]}, ["participant 0 mail"]),
        ({"ServeParticipants": [{"Sequence": 1, "Mail": "a@example.com"}]}, ["participant 0 sequence"]),
        ({"ServeParticipants": [{"Sequence": 0}, {"Sequence": 1}]}, ["participants"]),
        ({"ServeParticipants": None}, []),
    ],
)
def test_only_what_both_have_can_differ(pushed: dict[str, Any], fields: list[str]) -> None:
    told = api_session(ELEMENT, 7).normalised
    stored = normalise("cdr", "s-1", body(SessionId="s-1", TelLocation={"City": "x"}, **pushed))
    assert told is not None
    assert isinstance(stored.row, Call)
    assert differing(told, stored.row, stored.participants) == fields


def test_spans_are_cut_without_gap_or_overlap() -> None:
    span = Span(10, 3 * DAY_S - 5)
    parts = list(span.parts(DAY_S))
    assert parts == [Span(10, DAY_S), Span(DAY_S, 2 * DAY_S), Span(2 * DAY_S, 3 * DAY_S - 5)]
    assert Span(3, 6).halves() == (Span(3, 4), Span(4, 6))
