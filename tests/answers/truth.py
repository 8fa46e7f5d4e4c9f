"""The figures of docs/answers.md, worked out from the simulator's truth: shares no line with the SQL."""

from collections import Counter, defaultdict
from collections.abc import Callable, Collection, Iterable, Iterator
from datetime import datetime, timedelta
from decimal import ROUND_HALF_UP, Decimal
from fractions import Fraction
from typing import Any
from zoneinfo import ZoneInfo

from msgspec import Struct

from console.simulator.session import Kind, Leg, Session, Truth

CLASSES: dict[Kind, str] = {
    "answered": "answered",
    "transferred": "answered",
    "transferred_twice": "answered",
    "audio_answered": "answered",
    "ivr_ended": "ivr_ended",
    "abandoned_ivr": "abandoned_ivr",
    "abandoned_queue": "abandoned_queue",
    "audio_abandoned": "abandoned_queue",
    "abandoned_ringing": "abandoned_ringing",
    "rejected": "rejected",
    "no_seat_online": "no_agent",
    "out_of_hours": "out_of_hours",
    "refused": "blocked",
    "voicemail": "voicemail",
    "outbound_answered": "outbound_answered",
    "predictive_answered": "outbound_answered",
    "outbound_missed": "outbound_unanswered",
    "predictive_missed": "outbound_unanswered",
    "predictive_abandoned": "outbound_abandoned",
    "internal_answered": "internal_answered",
    "internal_missed": "internal_unanswered",
}
OFFERED = {"answered", "abandoned_queue", "abandoned_ringing", "rejected", "no_agent"}
TALKED = {"answered", "outbound_answered", "internal_answered"}
DAY_S = 86_400


class Call(Struct, frozen=True):
    truth: Truth
    way: str
    kind: str
    repeated: bool
    missing: frozenset[str]

    @property
    def talk_s(self) -> int | None:
        return self.truth.ended_s - self.truth.accepted_s if self.kind in TALKED else None

    @property
    def answered_legs(self) -> list[Leg]:
        return [leg for leg in self.truth.legs if leg.accepted_s]

    @property
    def record_ids(self) -> set[str]:
        return {self.truth.record_id, *(leg.record_id for leg in self.truth.legs)} - {""}


def calls_of(sessions: Iterable[Session], withheld: Collection[str]) -> list[Call]:
    """The calls among the sessions; `withheld` are the record ids that no push tells of."""
    before: dict[str, list[int]] = defaultdict(list)
    calls = []
    for session in sessions:
        truth = session.truth
        if truth.is_chat:
            continue
        kind, way = CLASSES[truth.kind], "inbound"
        if truth.kind.startswith("internal"):
            way = "internal"
        elif truth.kind.startswith(("outbound", "predictive")):
            way = "outbound"
        if way == "internal" and not tells_call_type(session):
            way = "outbound"  # as docs/answers.md says: older pushes cannot tell
            kind = kind.replace("internal", "outbound")
        times = before[truth.caller]
        again = way == "inbound" and "*" not in truth.caller
        repeated = again and any(0 < truth.started_s - at <= DAY_S for at in times)
        if way == "inbound":
            times.append(truth.started_s)
        calls.append(Call(truth, way, kind, repeated, frozenset(withheld)))
    return calls


def tells_call_type(session: Session) -> bool:
    return b'"CallType"' in [push for push in session.pushes if push.action == "cdr"][-1].body


def bucket_starts(zone: ZoneInfo, bucket: str) -> Callable[[int], int]:
    """From a time to the start of its bucket, seconds since the epoch."""

    def start(at_s: int) -> int:
        local = datetime.fromtimestamp(at_s, zone)
        if bucket == "15 minutes":
            return at_s - (local.minute % 15) * 60 - local.second
        if bucket == "hour":
            return at_s - local.minute * 60 - local.second
        midnight = local.replace(hour=0, minute=0, second=0, fold=0)
        if bucket == "week":
            midnight -= timedelta(days=midnight.weekday())
        return int(midnight.timestamp())

    return start


KEYS: dict[str, Callable[[Call], str | None]] = {
    "all": lambda call: None,
    "sdk_app_id": lambda call: "1400482256",
    "skill_group": lambda call: str(call.truth.group.id) if call.truth.group else None,
    "number": lambda call: {"inbound": call.truth.callee, "outbound": call.truth.caller}.get(call.way),
    "region": lambda call: (
        (call.truth.place.province or call.truth.place.country) if call.truth.place else None
    ),
}


def call_answers(
    calls: Iterable[Call], start: Callable[[int], int], dimension: str, within_s: int
) -> dict[tuple[int, str | None], dict[str, Any]]:
    groups: dict[tuple[int, str | None], list[Call]] = defaultdict(list)
    for call in calls:
        groups[start(call.truth.started_s), KEYS[dimension](call)].append(call)
    return {place: _calls(group, within_s) for place, group in groups.items()}


def _calls(calls: list[Call], within_s: int) -> dict[str, Any]:
    kinds = Counter(call.kind for call in calls)
    counted = {kind: kinds[kind] for kind in (*set(CLASSES.values()), "other")}
    offered = sum(kinds[kind] for kind in OFFERED)
    waits = [call.truth.accepted_s - call.truth.queued_s for call in calls if call.kind == "answered"]
    within = sum(wait <= within_s for wait in waits)
    talks = [call.talk_s for call in calls if call.talk_s is not None]
    handles = [leg.ended_s - leg.rang_s for call in calls for leg in call.answered_legs]
    transferred = sum(len(call.truth.legs) > 1 for call in calls)
    abandoned = kinds["abandoned_queue"] + kinds["abandoned_ringing"]
    ratings = [call.truth.satisfaction.key for call in calls if call.truth.satisfaction]
    return (
        counted
        | {
            "calls": len(calls),
            "inbound": sum(call.way == "inbound" for call in calls),
            "offered": offered,
            "abandoned": abandoned,
            "answered_within": within,
            "service_level": rate(within, offered),
            "abandon_rate": rate(abandoned, offered),
            **spread("wait", waits),
            "talk_s": sum(talks),
            "talk_avg_s": mean(talks),
            "handled": len(handles),
            "handle_avg_s": mean(handles),
            "transferred": transferred,
            "transfer_rate": rate(transferred, len(talks)),
            "short_calls": sum(talk < 10 for talk in talks),
            "repeated": sum(call.repeated for call in calls),
            "recordings": sum(len(call.record_ids) for call in calls),
            "recordings_missing": sum(len(call.record_ids & call.missing) for call in calls),
        }
        | rated(ratings)
    )


def agent_answers(
    calls: Iterable[Call], start: Callable[[int], int], within_s: int
) -> dict[tuple[int, str | None], dict[str, Any]]:
    groups: dict[tuple[int, str | None], list[tuple[Call, int]]] = defaultdict(list)
    for call in calls:
        for number, leg in enumerate(call.truth.legs):
            groups[start(call.truth.started_s), leg.agent.user_id].append((call, number))
    return {place: _tracks(tracks, within_s) for place, tracks in groups.items()}


def _tracks(tracks: list[tuple[Call, int]], within_s: int) -> dict[str, Any]:
    inbound = [track for track in tracks if track[0].way == "inbound"]
    rings = [leg.accepted_s - leg.rang_s for leg in _legs(inbound) if leg.accepted_s]
    within = sum(ring <= within_s for ring in rings)
    talks = list(_talks(tracks))
    handles = [leg.ended_s - leg.rang_s for leg in _legs(tracks) if leg.accepted_s]
    gave = sum(number < len(call.truth.legs) - 1 for call, number in tracks)
    ids = [leg.record_id for leg in _legs(tracks) if leg.record_id]
    ratings = [
        call.truth.satisfaction.key
        for call, number in tracks
        if call.truth.satisfaction and number == len(call.truth.legs) - 1
    ]
    return {
        "offered": len(inbound),
        "answered": len(rings),
        "missed": len(inbound) - len(rings),
        "answered_within": within,
        "service_level": rate(within, len(inbound)),
        **spread("ring", rings),
        "outbound": sum(call.way == "outbound" for call, _ in tracks),
        "outbound_answered": sum(call.way == "outbound" and call.kind in TALKED for call, _ in tracks),
        "internal": sum(call.way == "internal" for call, _ in tracks),
        "internal_answered": sum(call.kind == "internal_answered" for call, _ in tracks),
        "talk_s": sum(talks),
        "talk_avg_s": mean(talks),
        "handled": len(handles),
        "handle_s": sum(handles),
        "handle_avg_s": mean(handles),
        "gave_away": gave,
        "took_over": sum(number > 0 for _, number in tracks),
        "transfer_rate": rate(gave, len(talks)),
        "short_calls": sum(talk < 10 for talk in talks),
        "recordings": len(ids),
        "recordings_missing": sum(one in tracks[0][0].missing for one in ids),
    } | rated(ratings)


def _legs(tracks: list[tuple[Call, int]]) -> Iterator[Leg]:
    return (call.truth.legs[number] for call, number in tracks)


def _talks(tracks: list[tuple[Call, int]]) -> Iterator[int]:
    """An agent who dials is up before the user is: talk begins with the later of the two."""
    for call, number in tracks:
        leg = call.truth.legs[number]
        if leg.accepted_s and call.truth.accepted_s:
            yield leg.ended_s - max(leg.accepted_s, call.truth.accepted_s)


def spread(name: str, seconds: list[int]) -> dict[str, Any]:
    ordered = sorted(seconds)
    shares = {
        f"{name}_p{share}_s": ordered[-(-share * len(ordered) // 100) - 1] if ordered else None
        for share in (50, 90, 99)
    }
    return shares | {f"{name}_avg_s": mean(seconds)}


def rated(keys: list[str]) -> dict[str, Any]:
    return {
        "rated": len(keys),
        "rating_avg": mean([int(key) for key in keys]),
        "ratings": dict(Counter(keys)) or None,
    }


def mean(values: list[int]) -> Decimal | None:
    return _rounded(Fraction(sum(values), len(values)), "0.01") if values else None


def rate(part: int, whole: int) -> Decimal | None:
    return _rounded(Fraction(part, whole), "0.0001") if whole else None


def _rounded(exact: Fraction, step: str) -> Decimal:
    return (Decimal(exact.numerator) / Decimal(exact.denominator)).quantize(Decimal(step), ROUND_HALF_UP)
