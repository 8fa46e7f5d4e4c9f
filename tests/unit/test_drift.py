"""Drift is bounded whatever is sent, and what the API is known to have beside the pushes is none."""

from typing import Any

from tests.records import body, record
from worker.batch import take
from worker.drift import MAX_NOTES, OTHER, Drift, Note, Reading, is_listed


def reading(value: bytes, **where: Any) -> Reading:
    item = take(record(value, **where))
    return item.envelope, item.read()


def notes(value: bytes, **where: Any) -> set[Note]:
    """What is noted; nothing ever is where the quick look says so."""
    one = reading(value, **where)
    noted = set(Drift().note([one]))
    assert not (noted and is_listed(one[1]))
    return noted


def test_what_the_protocol_lists_is_no_drift() -> None:
    known = body(
        SessionId="s-1",
        Direction=0,
        CallType=2,
        EndStatusString="ok",
        HungUpSide="seat",
        IVRKeyPressed=["1"],
        IVRKeyPressedEx=[{"Key": "2", "Label": "x"}],
        ServeParticipants=[{"Type": "staffSeat", "EndStatusString": "seatGiveUp"}],
    )
    assert notes(known) == set()
    assert notes(body(SessionId="s-1", EndStatusString="autoFinished"), action="imcdr") == set()


def test_fields_of_the_api_are_drift_in_a_push_only() -> None:
    told = body(
        SessionId="s-1", Time=1, AsrUrl="x", SeatUser={"Role": 3}, ServeParticipants=[{"RecordURL": "y"}]
    )
    assert notes(told, source="api") == set()
    assert {note.name for note in notes(told)} == {
        "Time",
        "AsrUrl",
        "SeatUser.Role",
        "ServeParticipants.RecordURL",
    }


def test_numbers_that_no_float_holds_are_no_harm() -> None:
    huge = b"1e999"
    sent = b'{"SessionId":"s-1","New":%b,"Direction":%b,"ServeParticipants":[{"Odd":%b}]}' % (
        huge,
        huge,
        huge,
    )
    assert {(note.name, note.value) for note in notes(sent)} == {
        ("New", ""),
        ("Direction", OTHER),
        ("ServeParticipants.Odd", ""),
    }


def test_hostile_names_fill_nothing() -> None:
    drift = Drift()
    for n in range(20):
        fields = {f"Field{chr(97 + n)}{chr(97 + m % 26)}{chr(97 + m // 26)}": 1 for m in range(100)}
        drift.note([reading(body(SessionId="s-1", **fields), offset=n)])
    assert len(drift._seen) == MAX_NOTES + 1
    assert sum(seen.records for seen in drift._seen.values()) == 2000
    odd = notes(body(SessionId="s-1", **{"A" * 65: 1, "名字": 1, "a b": 1, "x12345": 1, "": 1}))
    assert {note.name for note in odd} == {OTHER}
