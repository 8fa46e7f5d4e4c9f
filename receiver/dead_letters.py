"""Makes dead letters of bodies that are refused at the door, so many a minute and no more."""

import time
from collections.abc import Callable

from receiver.admission import Refused, Route
from schemas.envelope import Record, dead_headers, push_headers
from schemas.errors import DeadReason


class Allowance:
    """A token bucket: a minute's worth at once at the most, then as many as flow back."""

    __slots__ = ("_at", "_clock", "_left", "_per_minute")

    def __init__(self, per_minute: int, clock: Callable[[], float] = time.monotonic) -> None:
        self._per_minute = per_minute
        self._clock = clock
        self._left = float(per_minute)
        self._at = clock()

    def take(self) -> bool:
        now = self._clock()
        self._left = min(self._per_minute, self._left + (now - self._at) * self._per_minute / 60)
        self._at = now
        if self._left < 1:
            return False
        self._left -= 1
        return True


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
