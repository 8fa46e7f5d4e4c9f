"""Makes dead letters of bodies that are refused at the door, and of records that Kafka refuses."""

from receiver.admission import Refused, Route
from schemas.envelope import Record, dead_headers, push_headers
from schemas.errors import DeadReason


def refused_letter(
    topic: str, refused: Refused, target: Route, body: bytes, *, push_id: bytes, at_us: int
) -> Record:
    """The dead letter of a push refused for its content; `refused` must have a reason."""
    assert refused.reason is not None
    headers = push_headers(target.action.encode(), target.version.encode(), push_id, at_us)
    headers += dead_headers(stage="receive", reason=refused.reason, detail=refused.detail, at_us=at_us)
    return Record(topic=topic, key=refused.key, value=body, headers=headers)


def letter_of(topic: str, record: Record, reason: DeadReason, detail: str, at_us: int) -> Record:
    """The dead letter of a record that was to be published and cannot be."""
    added = dead_headers(stage="receive", reason=reason, detail=detail, at_us=at_us)
    return Record(topic=topic, key=record.key, value=record.value, headers=[*record.headers, *added])
