"""What has to hold for any input whatever: its end is one of three, both ways of decoding agree, nothing is lost."""

import json
from collections.abc import Iterator
from decimal import Decimal
from typing import Any

import msgspec

from receiver.admission import ACTIONS, Admitted, Refused, _admit_slowly, admit, push_id_of, route
from schemas.decoding import decode_object, number, session_id_fault
from schemas.envelope import MAX_PUSH_ID_BYTES
from schemas.errors import RecordError
from schemas.lenient import clean
from schemas.push import PUSHES, Action, Body
from schemas.rows import EPOCH_US
from tests.fuzz.inputs import Request
from worker.batch import Item, KafkaRecord, take
from worker.normalise import Normalised, normalise, normalise_leniently

STORED, DEAD, REFUSED = "stored", "dead letter", "refused"
_FROM_RECEIVER = frozenset({"not-json", "bad-session-id", "bad-action"})
_FROM_WORKER = frozenset({"no-key", "not-json", "unknown-action", "too-deep"})
_CENTRES = frozenset({1400482256})


def decode(sent: Request) -> tuple[str, str]:
    """Decide on a push as the receiver does; returns its end, and its reason if it is dead or refused."""
    target = route(sent.target)
    push_id = push_id_of(sent.push_id, target.action, sent.body)
    assert 0 < len(push_id) <= MAX_PUSH_ID_BYTES
    assert "\0" not in push_id.decode()
    for name in (target.action, target.version):
        name.encode()
    decision = admit(target, sent.body)
    if isinstance(decision, Refused):
        assert decision.reason in _FROM_RECEIVER
        assert decision.key is None or session_id_fault(decision.key.decode()) is None
        return DEAD, decision.reason
    _admitted_is_understood(target.action, sent.body, decision)
    ours = admit(target, sent.body, _CENTRES)
    if isinstance(ours, Refused):
        assert ours.reply.status == 403
        return REFUSED, "403"
    return STORED, ""


def _admitted_is_understood(action: str, body: bytes, admitted: Admitted) -> None:
    """What was acknowledged is what the slow path reads too, and nothing that the worker calls dead."""
    assert action in ACTIONS
    assert admitted == _admit_slowly(body, frozenset())
    assert session_id_fault(admitted.key.decode()) is None
    assert (admitted.repaired is None) == (admitted.value == body)
    assert isinstance(normalise(action, admitted.key.decode(), admitted.value), Normalised)


def normalised(record: KafkaRecord) -> tuple[str, str, Item]:
    """Read a consumed record as the worker does; returns its end so far, the reason, and the item."""
    item = take(record)
    fault, found = item.fault, None
    if fault is None:
        try:
            found = item.read()
        except RecordError as error:
            fault = error
    if fault is not None:
        assert fault.reason in _FROM_WORKER
        assert "defect" not in fault.detail
        return DEAD, fault.reason, item
    assert found is not None
    fields = decode_object(item.value)
    slowly = normalise_leniently(found.action, item.session_id, item.value)
    assert slowly == found, "the fast way and the slow one differ"
    lost = list(_lost(found.action, fields, found))
    assert lost == [], f"lost: {lost}"
    return STORED, "", item


class _Kept:
    """All texts, numbers and names that rows hold."""

    def __init__(self, found: Normalised) -> None:
        self.texts: set[str] = set()
        self.numbers: set[Decimal] = set()
        self.others: set[str] = set()
        self.names: set[str] = set()
        for row in (found.row, *found.participants):
            for name, value in msgspec.structs.asdict(row).items():
                if name.endswith("_at") and value is not None:
                    self.numbers.add(Decimal((value + EPOCH_US) // 1_000_000))
                elif name in ("extra", "repairs", "satisfaction") or name.endswith("_keys"):
                    self._note(None if value is None else json.loads(value, parse_float=number))
                else:
                    self._note(value)

    def _note(self, value: Any) -> None:
        if isinstance(value, dict):
            self.names.update(value)
            for inner in value.values():
                self._note(inner)
        elif isinstance(value, list):
            for inner in value:
                self._note(inner)
        elif isinstance(value, str):
            self.texts.add(value)
        elif isinstance(value, bool) or value is None:
            self.others.add(str(value))
        else:
            self.numbers.add(Decimal(value))

    def holds(self, leaf: Any) -> bool:
        if leaf is None or isinstance(leaf, bool):
            return leaf is None or str(leaf) in self.others
        if isinstance(leaf, str):
            return (
                leaf.strip() == ""
                or clean(leaf) in self.texts
                or (_numeric(leaf) and self._has(Decimal(leaf.strip())))
            )
        return str(leaf) in self.texts or self._has(Decimal(leaf))

    def names_field(self, name: str) -> bool:
        """Two names that clean to the same are told apart by U+FFFD; Key and Label are stored in lower case."""
        plain = name.rstrip("\ufffd")
        return name.lower() in self.names or any(one.rstrip("\ufffd") == plain for one in self.names)

    def _has(self, sent: Decimal) -> bool:
        """0 may stand for what is absent, and milliseconds become seconds."""
        return sent == 0 or sent in self.numbers or (abs(sent) < 10**15 and sent // 1000 in self.numbers)


_KNOWN = {
    name
    for kind in PUSHES.values()
    for inner in (kind, *Body.__subclasses__())
    for name in inner.__struct_encode_fields__
} | {"Key", "Label"}


def _lost(action: Action, fields: dict[str, Any], found: Normalised) -> Iterator[str]:
    kept = _Kept(found)
    if action == "cdr" and found.row.direction in ("inbound", "outbound"):  # type: ignore[attr-defined]
        kept.numbers.add(Decimal(1))
    for name, leaf in _leaves(fields):
        if not kept.holds(leaf):
            yield f"{leaf!r:.60} of {name:.40}"
        if leaf is not None and name not in _KNOWN and not kept.names_field(clean(name)):
            yield f"name {name!r:.40}"


def _leaves(value: Any, name: str = "") -> Iterator[tuple[str, Any]]:
    if isinstance(value, dict):
        for inner_name, inner in value.items():
            yield from _leaves(inner, inner_name)
    elif isinstance(value, list):
        for inner in value:
            yield from _leaves(inner, name)
    else:
        yield name, value


def _numeric(text: str) -> bool:
    try:
        return Decimal(text.strip()).is_finite()
    except ArithmeticError:
        return False
