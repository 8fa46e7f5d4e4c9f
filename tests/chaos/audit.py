"""The auditor: joins the driver's journal with topic, ledger, rows and dead letters, and names what is broken.

Pure: evidence in, findings out.
"""

from collections import Counter, defaultdict
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

from msgspec import Struct

from tests.chaos import expected
from tests.chaos.evidence import Evidence, LedgerEntry, Letter, Row, Sent, TopicRecord, Try
from tests.chaos.fold import Place, RowKey, Shown, fold

TAKEN, KEPT = 0, {40001, 40002, 40003}
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
Body = Callable[[Sent], bytes]


class Finding(Struct, frozen=True):
    """An invariant that a push breaks: `missing`, `doubled`, `phantom`, `unlike` or `refused`."""

    breach: str
    push_id: str
    detail: str


class Report(Struct):
    findings: list[Finding]
    figures: dict[str, int]

    @property
    def breaches(self) -> dict[str, int]:
        found = Counter(finding.breach for finding in self.findings)
        return {name: found[name] for name in ("missing", "doubled", "phantom", "unlike", "refused")}


def audit(evidence: Evidence, body: Body) -> Report:
    """Check every invariant; `body` gives what was sent, as the journal has it."""
    auditor = _Auditor(evidence, body)
    auditor.check_topic()
    auditor.check_ledger()
    auditor.check_letters()
    auditor.check_answers()
    auditor.check_rows()
    return Report(auditor.findings, auditor.figures())


class _Auditor:
    def __init__(self, evidence: Evidence, body: Body) -> None:
        self.findings: list[Finding] = []
        self._evidence = evidence
        self._sent = evidence.sent
        self._body = body
        self._outcomes, self._rows = fold(evidence.records, evidence.sent)
        self._records: dict[Place, TopicRecord] = {(r.partition, r.offset): r for r in evidence.records}
        self._ledger: dict[Place, list[LedgerEntry]] = defaultdict(list)
        for entry in evidence.ledger:
            self._ledger[entry.partition, entry.offset].append(entry)
        self._published = {record.push_id for record in evidence.records}
        self._at_the_door = {letter.push_id for letter in evidence.letters if letter.origin is None}

    def figures(self) -> dict[str, int]:
        answers = Counter(_named(attempt) for attempt in self._evidence.tries)
        outcomes = Counter(entry.outcome for entry in self._evidence.ledger)
        acknowledged = {one.push_id for one in self._evidence.tries if _acknowledges(one)}
        return {
            "sent": len(self._sent),
            "acknowledged": len(acknowledged),
            "records": len(self._records),
            "settled": len(self._ledger),
            **{f"settled_{name}": count for name, count in sorted(outcomes.items())},
            "letters": len(self._evidence.letters),
            "rows": len(self._rows),
            **{f"answers_{name}": count for name, count in sorted(answers.items())},
        }

    def check_topic(self) -> None:
        """Every record is a push that was sent, byte for byte; none of a partition's offsets is missing."""
        for record in self._records.values():
            push = self._sent.get(record.push_id)
            if push is None:
                self._find("phantom", record.push_id, f"nobody sent the record at {_at(record)}")
            elif record.digest not in push.digests or record.action != push.action:
                self._find("unlike", record.push_id, f"the record at {_at(record)} is not what was sent")
            elif push.kind != "topic" and record.key != push.session_id.encode():
                self._find("unlike", record.push_id, f"the record at {_at(record)} has another's key")
        held = Counter(partition for partition, _ in self._records)
        for partition, (first, following) in self._evidence.ends.items():
            if held[partition] != following - first:
                self._find(
                    "missing", "", f"partition {partition} has {following - first} records, not all read"
                )

    def check_ledger(self) -> None:
        """Each record is settled exactly once, with the outcome that the rules give it."""
        for place, record in self._records.items():
            entries = self._ledger.get(place, [])
            if not entries:
                self._find("missing", record.push_id, f"the record at {_at(record)} is not in the ledger")
                continue
            if len(entries) > 1:
                self._find("doubled", record.push_id, f"the ledger has {len(entries)} rows for {_at(record)}")
            self._compare_entry(entries[0], record)
        for place in self._ledger.keys() - self._records.keys():
            entry = self._ledger[place][0]
            self._find("phantom", entry.push_id, f"the ledger has a row for {place}, the topic no record")

    def _compare_entry(self, entry: LedgerEntry, record: TopicRecord) -> None:
        if (entry.push_id, entry.action, entry.received_at_us) != (
            record.push_id,
            record.action,
            record.received_at_us,
        ):
            self._find("unlike", record.push_id, f"the ledger's row for {_at(record)} is another push's")
        outcome = self._outcomes.get((record.partition, record.offset))
        if outcome is not None and entry.outcome != outcome:
            self._find("unlike", record.push_id, f"{_at(record)} is {entry.outcome}, it should be {outcome}")

    def check_letters(self) -> None:
        """What is dead has its letter, with its bytes and the right reason, and nothing else has one."""
        by_origin: dict[Place, Letter] = {}
        for letter in self._evidence.letters:
            push = self._sent.get(letter.push_id)
            if push is None:
                self._find("phantom", letter.push_id, "nobody sent what this dead letter holds")
                continue
            if letter.digest not in push.digests:
                self._find("unlike", letter.push_id, "its dead letter holds other bytes")
            if letter.reason not in {push.reason, "too-large"}:
                self._find("unlike", letter.push_id, f"its dead letter says {letter.reason}")
            if letter.origin is not None:
                by_origin[letter.origin] = letter
        for place, entries in self._ledger.items():
            if entries[0].outcome == "dead" and place not in by_origin:
                self._find("missing", entries[0].push_id, f"{place} is dead, and there is no letter of it")
        for place, letter in by_origin.items():
            if place not in self._ledger or self._ledger[place][0].outcome != "dead":
                self._find("phantom", letter.push_id, f"a dead letter of {place}, which is not dead")

    def check_answers(self) -> None:
        """What was acknowledged is somewhere; what was refused had nowhere to go."""
        found_lost = set()
        for attempt in self._evidence.tries:
            push = self._sent[attempt.push_id]
            if _acknowledges(attempt):
                kept = push.push_id in self._at_the_door
                if not kept and not (attempt.err_code == TAKEN and push.push_id in self._published):
                    found_lost.add(push.push_id)
            elif not self._excused(attempt):
                self._find("refused", push.push_id, f"answered {_named(attempt)}, and no fault says why")
        for push_id in sorted(found_lost):
            self._find("missing", push_id, "acknowledged, and neither on the topic nor a dead letter")

    def _excused(self, attempt: Try) -> bool:
        kinds = {window.kind for window in self._evidence.windows if window.covers(attempt)}
        if attempt.status == 0:
            return "unanswered" in kinds or "stopping" in kinds
        return attempt.status == 503 and bool(kinds & {"closed", "stopping"})

    def check_rows(self) -> None:
        """Each row is there once and shows its winner's content; call_participant holds just its participants."""
        waited_for = dict(self._rows)
        for table, row in self._evidence.rows:
            key = _key(table, row)
            shown = waited_for.pop(key, None)
            if shown is None:
                breach = "doubled" if key in self._rows else "phantom"
                self._find(
                    breach, str(row.get("push_id")), f"a row of {table} that should not be there: {key}"
                )
            else:
                self._compare_row(table, row, shown)
        for (action, _), shown in waited_for.items():
            self._find("missing", shown.push_id, f"no row of {expected.TABLES[action]} shows it")

    def _compare_row(self, table: str, row: Row, shown: Shown) -> None:
        push = self._sent[shown.push_id]
        wanted = expected.row(push.action, self._body(push)) | {
            "push_id": shown.push_id,
            "received_at": shown.received_at_us,
            "earlier_push_ids": shown.earlier(),
            "source": "push",
        }
        found = row | {"received_at": _micros(row["received_at"])}
        unlike = sorted(name for name, value in wanted.items() if name not in found or found[name] != value)
        if unlike:
            self._find("unlike", shown.push_id, f"the row of {table} differs in {', '.join(unlike)}")

    def _find(self, breach: str, push_id: str, detail: str) -> None:
        self.findings.append(Finding(breach, push_id, detail))


def _acknowledges(attempt: Try) -> bool:
    """Whether an answer is a promise: taken, or refused at the door and kept."""
    return (attempt.status, attempt.err_code) == (200, TAKEN) or attempt.err_code in KEPT


def _named(attempt: Try) -> str:
    if attempt.status == 0:
        return attempt.fault.replace(" ", "_") or "none"
    return f"{attempt.status}_{attempt.err_code}"


def _at(record: TopicRecord) -> str:
    return f"{record.partition}/{record.offset}"


def _key(table: str, row: Row) -> RowKey:
    action = next(action for action, name in expected.TABLES.items() if name == table)
    names = {"record": ("endpoint_user", "record_id"), "voicemail": ("record_url_md5",)}.get(action, ())
    return action, tuple(row[name] for name in ("session_id", *names))


def _micros(shown: Any) -> int:
    return (datetime.fromisoformat(shown) - _EPOCH) // timedelta(microseconds=1)
