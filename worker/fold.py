"""Folds pushes into rows: which push a row shows, which others it has seen, what each push came to.

A push's identity is its action, its row's key and its push id; it is dated by its first consumed record.
The greatest (source, received-at, push id) wins, and any pushed row beats any row from the vendor's API, so
that the result does not depend on the order of consumption. Pure: no I/O, no clock.
"""

from msgspec import Struct

from schemas.envelope import Source
from schemas.rows import Micros, Outcome, Provenance

MAX_EARLIER = 32

Rank = tuple[bool, Micros, str]


class Push(Struct, frozen=True, gc=False):
    """What the fold needs to know of a push."""

    push_id: str
    received_at: Micros
    source: Source

    @property
    def rank(self) -> Rank:
        return (self.source == "push", self.received_at, self.push_id)

    @property
    def alone(self) -> Provenance:
        """What a row remembers that has seen this push only."""
        return Provenance(self.source, self.push_id, self.received_at, None, None)


class RowState(Struct):
    """A row's memory while a batch is folded into it. `known` dates each push that the row has seen."""

    shown: Push | None
    known: dict[str, Micros]
    changed: bool = False

    @classmethod
    def absent(cls) -> "RowState":
        return cls(None, {})

    @classmethod
    def read(cls, stored: Provenance) -> "RowState":
        known = {stored.push_id: stored.received_at}
        known.update(zip(stored.earlier_push_ids or (), stored.earlier_received_at or (), strict=True))
        return cls(Push(stored.push_id, stored.received_at, stored.source), known)

    @property
    def may_have_forgotten(self) -> bool:
        """Whether the row has seen so many pushes that the oldest are no longer in it."""
        return len(self.known) > MAX_EARLIER

    def apply(self, push: Push) -> Outcome:
        if push.push_id in self.known:
            return "duplicate"
        self.known[push.push_id] = push.received_at
        self.changed = True
        if self.shown is not None and push.rank < self.shown.rank:
            return "stale"
        self.shown = push
        return "applied"

    def provenance(self) -> Provenance:
        """What the row remembers from here on: of the pushes it does not show, the newest MAX_EARLIER."""
        shown = self.shown
        if shown is None:
            raise ValueError("no push was applied")
        if len(self.known) == 1:
            return shown.alone
        earlier = sorted((at, push_id) for push_id, at in self.known.items() if push_id != shown.push_id)
        earlier = earlier[-MAX_EARLIER:]
        return Provenance(
            source=shown.source,
            push_id=shown.push_id,
            received_at=shown.received_at,
            earlier_push_ids=[push_id for _, push_id in earlier] or None,
            earlier_received_at=[at for at, _ in earlier] or None,
        )
