"""The auditor itself: clean evidence passes, and each kind of loss or damage is named with its push."""

from collections.abc import Callable
from itertools import islice
from typing import Any

import msgspec
import pytest

from tests.chaos import expected
from tests.chaos.audit import Finding, audit
from tests.chaos.evidence import Evidence, LedgerEntry, Letter, Row, Sent, TopicRecord, Try, Window
from tests.chaos.feed import Delivery, Shares, feed
from tests.chaos.fold import fold
from tests.chaos.journal import digest

T0_US = 1_700_000_000_000_000
Change = Callable[[Evidence], None]


def _sent(delivery: Delivery) -> Sent:
    line = delivery.line
    body = line.body.encode()
    digests = (digest(body), digest(expected.without_commas(body)))
    return Sent(line.push_id, line.action, line.session_id, line.kind, line.reason, line.row_key, digests)


class Case:
    """A few hundred pushes, all taken and settled as they should be."""

    def __init__(self) -> None:
        made = list(islice(feed(5, Shares(duplicates=0.1, door=0.05, refused=0.02)), 400))
        self.bodies = {one.push.push_id: one.push.body for one in made}
        self.sent = {one.push.push_id: _sent(one) for one in made}
        records: list[TopicRecord] = []
        letters: list[Letter] = []
        tries: list[Try] = []
        for number, one in enumerate(made):
            push = self.sent[one.push.push_id]
            at_door = push.kind == "door"
            tries.append(Try(push.push_id, 1.0, 2.0, 400 if at_door else 200, 40001 if at_door else 0))
            if at_door:
                letters.append(Letter(push.push_id, "receive", push.reason, push.digests[0], None))
                continue
            record = TopicRecord(
                0,
                len(records),
                push.session_id.encode(),
                push.push_id,
                push.action,
                T0_US + number,
                push.digests[1],
            )
            if push.kind == "refused":
                origin = (0, record.offset)
                letters.append(Letter(push.push_id, "store", push.reason, push.digests[0], origin))
            records.append(record)
        outcomes, rows = fold(records, self.sent)
        ledger = [
            LedgerEntry(
                0,
                one.offset,
                one.push_id,
                one.action,
                str(one.key),
                one.received_at_us,
                outcomes[0, one.offset],
            )
            for one in records
        ]
        stored = []
        for (action, _), shown in rows.items():
            row = expected.row(action, self.bodies[shown.push_id]) | {
                "push_id": shown.push_id,
                "received_at": _iso(shown.received_at_us),
                "earlier_push_ids": shown.earlier(),
                "source": "push",
                "updated_at": "now",
            }
            stored.append((expected.TABLES[action], row))
        self.evidence = Evidence(
            self.sent, tries, records, {0: (0, len(records))}, ledger, letters, stored, []
        )

    def findings(self) -> list[Finding]:
        return audit(self.evidence, lambda push: self.bodies[push.push_id]).findings


def _iso(us: int) -> str:
    from datetime import UTC, datetime

    return datetime.fromtimestamp(us // 1_000_000, UTC).replace(microsecond=us % 1_000_000).isoformat()


@pytest.fixture
def case() -> Case:
    return Case()


def test_what_is_as_it_should_be_passes(case: Case) -> None:
    assert case.findings() == []
    assert {entry.outcome for entry in case.evidence.ledger} >= {"applied", "duplicate", "dead"}


def _lose_the_record(evidence: Evidence) -> None:
    evidence.records.pop(7)
    evidence.ledger.pop(7)
    evidence.ends[0] = (1, evidence.ends[0][1])


def _lose_a_ledger_row(evidence: Evidence) -> None:
    evidence.ledger.pop(7)


def _lose_a_row(evidence: Evidence) -> None:
    rows(evidence).pop()


def _lose_a_letter(evidence: Evidence) -> None:
    evidence.letters.remove(next(one for one in evidence.letters if one.origin is not None))


def _lose_a_letter_of_the_door(evidence: Evidence) -> None:
    evidence.letters.remove(next(one for one in evidence.letters if one.origin is None))


def _settle_twice(evidence: Evidence) -> None:
    evidence.ledger.append(msgspec.structs.replace(evidence.ledger[3], received_at_us=1))


def _store_twice(evidence: Evidence) -> None:
    rows(evidence).append(rows(evidence)[0])


def _apply_a_duplicate(evidence: Evidence) -> None:
    _replace(evidence.ledger, lambda one: one.outcome == "duplicate", outcome="applied")


def _bury_a_good_one(evidence: Evidence) -> None:
    record = evidence.records[0]
    evidence.letters.append(Letter(record.push_id, "store", "refused-by-database", record.digest, (0, 0)))


def _add_a_row(evidence: Evidence) -> None:
    table, row = rows(evidence)[0]
    rows(evidence).append((table, row | {"session_id": "nobody's"}))


def _add_a_record(evidence: Evidence) -> None:
    evidence.records.append(TopicRecord(1, 0, b"s", "nobody's", "cdr", T0_US, b""))
    evidence.ledger.append(LedgerEntry(1, 0, "nobody's", "cdr", "s", T0_US, "applied"))


def _change_a_record(evidence: Evidence) -> None:
    _replace(evidence.records, lambda one: one.offset == 5, digest=b"other")


def _change_a_column(evidence: Evidence) -> None:
    calls = (row for table, row in rows(evidence) if table == "call")
    next(calls)["duration_s"] = -1


def _show_a_participant_too_many(evidence: Evidence) -> None:
    calls = (row for table, row in rows(evidence) if table == "call" and row["participants"])
    participants = next(calls)["participants"]
    participants.append(participants[0])


def _refuse(evidence: Evidence) -> None:
    evidence.tries.append(Try(evidence.records[0].push_id, 50.0, 51.0, 503, 50301))


def rows(evidence: Evidence) -> list[tuple[str, Row]]:
    assert isinstance(evidence.rows, list)
    return evidence.rows


def _replace(entries: list[Any], which: Callable[[Any], bool], **fields: Any) -> None:
    index = next(index for index, one in enumerate(entries) if which(one))
    entries[index] = msgspec.structs.replace(entries[index], **fields)


@pytest.mark.parametrize(
    ("breach", "change"),
    [
        ("missing", _lose_the_record),
        ("missing", _lose_a_ledger_row),
        ("missing", _lose_a_row),
        ("missing", _lose_a_letter),
        ("missing", _lose_a_letter_of_the_door),
        ("doubled", _settle_twice),
        ("doubled", _store_twice),
        ("unlike", _apply_a_duplicate),
        ("phantom", _bury_a_good_one),
        ("phantom", _add_a_row),
        ("phantom", _add_a_record),
        ("unlike", _change_a_record),
        ("unlike", _change_a_column),
        ("unlike", _show_a_participant_too_many),
        ("refused", _refuse),
    ],
)
def test_a_breach_is_found(case: Case, breach: str, change: Change) -> None:
    change(case.evidence)
    assert breach in {finding.breach for finding in case.findings()}


def test_a_refusal_is_excused_by_a_fault_that_left_no_place_open(case: Case) -> None:
    _refuse(case.evidence)
    case.evidence.windows.append(Window(49.0, 50.5, "closed"))
    assert case.findings() == []
