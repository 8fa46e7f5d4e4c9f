"""The simulated contact centre: always the same for a seed, and never at odds with itself or the protocol."""

import hashlib
import json
from collections import Counter
from datetime import date
from itertools import islice, pairwise
from typing import Any

import msgspec
import pytest

from console.simulator.arrivals import is_open
from console.simulator.delivery import FARTHEST, disturb
from console.simulator.dice import Dice
from console.simulator.files import guess_action
from console.simulator.mix import CLOSED, OPEN
from console.simulator.session import KINDS, OUTBOUND, Push, Session, Truth
from console.simulator.stream import first_pushes, in_order, only, simulate

SEED = 7

# Of calls; those of the API's list, and the older names.
END_STATUSES = {
    "ok",
    "seatGiveUp",
    "blackList",
    "ivrGiveUp",
    "waitingGiveUp",
    "ringingGiveUp",
    "noSeatOnline",
    "notWorkTime",
    "ivrEnd",
    "restrictedCallee",
    "tooManyRequest",
    "restrictedArea",
    "restrictedTime",
    "notAnswer",
    "userReject",
    "powerOff",
    "numberNotExist",
    "busy",
    "outOfCredit",
    "operatorError",
    "callerCancel",
    "notInService",
    "clientError",
    "carrierBlocked",
    "callReminder",
    "numberInvalid",
    "callRestricted",
    "calleeRestricted",
    "areaRestricted",
    "promptCallForwarding",
    "callerCancelWhileRing",
    "callerCancelWithoutRing",
    "voiceMailReached",
    "asrError",
    "llmasrError",
    "ttsError",
    "functionCallHangup",
    "maxCallDurationReached",
    "userInactivity",
    "callTerminatedByAPI",
    "userHangupDuringAiCall",
    "aiAgentEndCall",
    "callConflict",
    "clientTimeout",
    "voipClientError",
    "unconnected",
    "outboundForward",
    "unknown",
}
CHAT_END_STATUSES = {
    "ok",
    "seatGiveUp",
    "seatForward",
    "ivrGiveUp",
    "ivrEnd",
    "autoFinished",
    "ringingGiveUp",
    "noSeatOnline",
    "notWorkTime",
    "error",
}


@pytest.fixture(scope="module")
def day() -> list[Session]:
    return list(simulate(10_000, seed=SEED, quirks=0))


def decode(push: Push) -> dict[str, Any]:
    body: dict[str, Any] = msgspec.json.decode(push.body)
    return body


def of_action(session: Session, action: str) -> list[dict[str, Any]]:
    return [decode(push) for push in session.pushes if push.action == action]


def happened(*times_s: int) -> list[int]:
    return [time_s for time_s in times_s if time_s]


def test_the_same_seed_makes_the_same_pushes_in_every_process_and_version() -> None:
    digest = hashlib.sha256()
    for push in islice(in_order(simulate(None, seed=SEED)), 2000):
        fields = (push.action, push.version, push.push_id, push.session_id, repr(push.at))
        digest.update("\0".join(fields).encode() + push.body)
    assert digest.hexdigest() == "2ba19c5a7e82ef03da4ddbcd526ada9b5a2286be05878a918d0b89b6bd8a4a11"


def test_more_sessions_begin_with_the_same_ones() -> None:
    assert list(simulate(50, seed=SEED)) == list(islice(simulate(200, seed=SEED), 50))


def test_another_seed_makes_other_sessions() -> None:
    ids = [{session.truth.session_id for session in simulate(50, seed=seed)} for seed in (1, 2)]
    assert not ids[0] & ids[1]


def test_ids_are_not_repeated(day: list[Session]) -> None:
    pushes = [push for session in day for push in session.pushes]
    assert len({push.push_id for push in pushes}) == len(pushes)
    assert len({session.truth.session_id for session in day}) == len(day)


def test_times_are_in_order(day: list[Session]) -> None:
    for truth in (session.truth for session in day):
        times = happened(truth.started_s, truth.queued_s, truth.rang_s, truth.accepted_s, truth.ended_s)
        assert times == sorted(times), truth
        for leg in truth.legs:
            leg_times = happened(leg.started_s, leg.rang_s, leg.accepted_s, leg.ended_s)
            assert truth.started_s <= leg_times[0]
            assert leg_times == sorted(leg_times), truth
            assert leg_times[-1] <= truth.ended_s, truth


def test_sessions_come_in_the_order_of_their_starts_within_their_day(day: list[Session]) -> None:
    starts = [session.truth.started_s for session in day]
    assert starts == sorted(starts)
    assert starts[-1] - starts[0] < 24 * 3600


def test_a_weekend_holds_fewer_sessions() -> None:
    week = Counter(
        (session.truth.started_s + 8 * 3600) // 86400
        for session in simulate(1000, seed=SEED, first_day=date(2026, 3, 6), sessions_a_day=200)
    )
    assert list(week.values())[:4] == [200, 90, 90, 200]


def test_durations_are_as_documented(day: list[Session]) -> None:
    for session in day:
        for body in of_action(session, "cdr") + of_action(session, "imcdr"):
            accepted, queued = body["AcceptTimestamp"], body["QueuedTimestamp"]
            assert body["Duration"] == (body["EndedTimestamp"] - accepted if accepted else 0)
            assert body["IVRDuration"] == (queued - body["StartTimestamp"] if queued else 0)


def test_a_session_has_the_pushes_that_its_kind_calls_for(day: list[Session]) -> None:
    for truth, pushes in ((session.truth, session.pushes) for session in day):
        actions = Counter(push.action for push in pushes)
        recorded = 1 + len(truth.legs) if truth.record_id else 0
        assert actions["imcdr"] == truth.is_chat
        assert actions["cdr"] == (not truth.is_chat)
        assert actions["voicemail"] == (truth.kind == "voicemail")
        assert actions["record"] == recorded
        assert all(push.session_id == decode(push)["SessionId"] == truth.session_id for push in pushes)
        assert all(push.at > truth.started_s for push in pushes)
        assert [push.at for push in pushes] == sorted(push.at for push in pushes)


def test_only_a_voicemail_lacks_a_version(day: list[Session]) -> None:
    versions = {(push.action, push.version) for session in day for push in session.pushes}
    assert versions == {("cdr", "1"), ("record", "1"), ("imcdr", "1"), ("voicemail", "")}


def test_participants_are_linked_by_their_transfers(day: list[Session]) -> None:
    transferred = {"transferred": 2, "transferred_twice": 3}
    for session in day:
        for body in of_action(session, "cdr"):
            parts = body["ServeParticipants"] or []
            assert len(parts) == transferred.get(session.truth.kind, min(1, len(parts)))
            assert [part["Sequence"] for part in parts] == list(range(len(parts)))
            assert all(part["TransferFrom"] == "" for part in parts[:1])
            assert all(part["TransferTo"] == "" for part in parts[-1:])
            for giving, taking in pairwise(parts):
                assert (giving["TransferTo"], giving["TransferToType"]) == (taking["Mail"], taking["Type"])
                assert (taking["TransferFrom"], taking["TransferFromType"]) == (
                    giving["Mail"],
                    giving["Type"],
                )
                assert taking["RingTimestamp"] <= giving["EndedTimestamp"] <= taking["AcceptTimestamp"]
                assert giving["Mail"] != taking["Mail"]


def test_the_last_agent_is_the_calls_and_its_recordings_are_pushed(day: list[Session]) -> None:
    for session in day:
        for body in of_action(session, "cdr"):
            parts = body["ServeParticipants"] or []
            assert (body["SeatUser"] or {}).get("Mail") == (parts[-1]["Mail"] if parts else None)
            told = {body["RecordId"], *(part["RecordId"] for part in parts)} - {""}
            records = of_action(session, "record")
            assert {record["RecordId"] for record in records} == told
            users = {record["EndpointUser"] for record in records}
            user_side = body["Callee"] if body["Direction"] == OUTBOUND else body["Caller"]
            assert not records or users == {user_side, *(part["Mail"] for part in parts)}


def test_kinds_keep_their_shares(day: list[Session]) -> None:
    counts = {True: Counter[str](), False: Counter[str]()}
    for session in day:
        counts[is_open(session.truth.started_s)][session.truth.kind] += 1
    for opened, mix in ((True, OPEN), (False, CLOSED)):
        total = counts[opened].total()
        assert set(counts[opened]) <= set(mix)
        for kind, weight in mix.items():
            expected = total * weight / 1000
            assert abs(counts[opened][kind] - expected) < 5 * expected**0.5 + 1, kind
    assert counts[True].total() > 0.85 * len(day)


def test_mixes_are_of_a_thousand_and_know_every_kind() -> None:
    assert sum(OPEN.values()) == sum(CLOSED.values()) == 1000
    assert OPEN.keys() | CLOSED.keys() == set(KINDS)


def test_every_end_status_of_the_protocol_comes_up() -> None:
    calls, chats = set[str](), set[str]()
    for session in simulate(60_000, seed=SEED):
        (chats if session.truth.is_chat else calls).add(session.truth.end_status)
    assert calls == END_STATUSES
    assert chats == CHAT_END_STATUSES


def test_a_day_has_what_the_protocol_knows(day: list[Session]) -> None:
    truths = [session.truth for session in day]
    legs = [leg for truth in truths for leg in truth.legs]
    assert {truth.call_type for truth in truths if not truth.is_chat} == {1, 2, 3, 5, 6}
    assert {leg.agent.seat_type for leg in legs} == {
        *("staffSeat", "outboundSeat", "staffPhoneSeat", "miniProgramSeat", "staffExtensionSeat")
    }
    assert any(truth.customer.startswith("*******") for truth in truths)
    assert any(truth.place and truth.place.country == "Singapore" for truth in truths)
    assert {truth.satisfaction.key for truth in truths if truth.satisfaction} >= set("12345")
    assert {type(body["EndpointUser"]) for session in day for body in of_action(session, "voicemail")} == {
        int,
        str,
    }


def test_what_is_absent_is_sent_as_the_vendor_sends_it(day: list[Session]) -> None:
    lost = next(session for session in day if session.truth.kind == "out_of_hours")
    (body,) = of_action(lost, "cdr")
    assert (
        body["SeatUser"]
        is body["ServeParticipants"]
        is body["IVRKeyPressed"]
        is body["PostIVRKeyPressed"]
        is None
    )
    assert body["QueuedTimestamp"] == body["AcceptTimestamp"] == body["QueuedSkillGroupId"] == 0
    assert body["RecordId"] == body["QueuedSkillGroupName"] == ""


def test_quirks_change_the_spelling_and_nothing_else() -> None:
    plain, odd = (list(simulate(400, seed=SEED, quirks=share)) for share in (0.0, 1.0))
    names = set()
    for one, other in zip(plain, odd, strict=True):
        assert one.truth == other.truth
        for push, odd_push in zip(one.pushes, other.pushes, strict=True):
            assert (push.push_id, push.at) == (odd_push.push_id, odd_push.at)
            if push.action != "cdr":
                assert push.body == odd_push.body
                continue
            body = json.loads(odd_push.body.replace(b'",]', b'"]'))
            names.add("trailing comma" if b'",]' in odd_push.body else "")
            names |= {name for name in ("CustomerLevel",) if name in body}
            names.add("no CallType" if "CallType" not in body else "")
            names.add(f"Duration {type(body['Duration']).__name__}")
            names.add("key" if b'"key"' in odd_push.body else "")
            assert body["EndStatusString"] == decode(push)["EndStatusString"]
            assert body["HungUpSide"] == decode(push)["HungUpSide"]
    assert names == {
        "",
        "trailing comma",
        "CustomerLevel",
        "no CallType",
        "Duration str",
        "Duration int",
        "key",
    }


def test_a_correction_is_a_later_push_of_the_same_call() -> None:
    for session in simulate(300, seed=SEED, corrections=1):
        cdrs = [push for push in session.pushes if push.action == "cdr"]
        assert [push.correction for push in cdrs] == ([] if session.truth.is_chat else [False, True])
        assert len({push.push_id for push in cdrs}) == len(cdrs)
        bodies = [decode(push) | {"UserRemark": "", "Uui": ""} for push in cdrs if b",]" not in push.body]
        assert all(body["SessionId"] == session.truth.session_id for body in bodies)


def test_pushes_of_many_sessions_come_in_the_order_of_time(day: list[Session]) -> None:
    pushes = list(in_order(iter(day)))
    assert len(pushes) == sum(len(session.pushes) for session in day)
    assert all(one.at <= other.at for one, other in pairwise(pushes))


def test_no_more_sessions_are_made_than_are_needed() -> None:
    drawn: list[Truth] = []

    def endless() -> Any:
        for session in simulate(None, seed=SEED):
            drawn.append(session.truth)
            yield session

    last = list(islice(in_order(endless()), 5000))[-1]
    assert drawn[-1].started_s >= last.at
    assert drawn[-2].started_s < last.at


@pytest.mark.parametrize("count", [1, 2, 3, 10, 999, 1000, 1001, 1002])
def test_a_count_of_pushes_is_met_and_every_call_keeps_its_cdr(count: int) -> None:
    sessions = list(first_pushes(simulate(None, seed=SEED), count))
    assert sum(len(session.pushes) for session in sessions) == count
    for session in sessions:
        assert {push.action for push in session.pushes} & {"cdr", "imcdr"}


def test_one_action_alone() -> None:
    pushes = list(in_order(first_pushes(only(simulate(None, seed=SEED), "voicemail"), 20)))
    assert [push.action for push in pushes] == ["voicemail"] * 20


@pytest.mark.parametrize(("duplicates", "reorder"), [(0, 0), (0.05, 0), (0, 0.05), (0.05, 0.05), (1, 1)])
def test_disturbed_pushes_are_all_there_and_not_too_far(duplicates: float, reorder: float) -> None:
    pushes = list(islice(in_order(simulate(None, seed=SEED)), 5000))
    deliveries = list(disturb(iter(pushes), Dice(SEED, "delivery"), duplicates=duplicates, reorder=reorder))
    firsts = [delivery.push for delivery in deliveries if not delivery.again]
    again = [delivery.push for delivery in deliveries if delivery.again]
    assert sorted(push.push_id for push in firsts) == sorted(push.push_id for push in pushes)
    assert abs(len(again) - duplicates * 5000) < 100
    place = {push.push_id: number for number, push in enumerate(pushes)}
    seen = set[str]()
    for delivery in deliveries:
        assert delivery.again == (delivery.push.push_id in seen)
        seen.add(delivery.push.push_id)
    displaced = sum(number != place[push.push_id] for number, push in enumerate(firsts))
    assert bool(displaced) == bool(reorder)
    assert all(abs(number - place[push.push_id]) <= FARTHEST for number, push in enumerate(firsts))


def test_an_action_is_guessed_from_a_bodys_fields(day: list[Session]) -> None:
    for push in (push for session in day[:2000] for push in session.pushes):
        assert guess_action(push.body) == push.action
    assert guess_action(b'{"SessionId":"a"}') is None
