"""What the driver sends: a simulated contact centre's pushes with retries, disorder and corrections, and poison."""

from collections.abc import Iterator
from itertools import count, dropwhile

import msgspec
from msgspec import Struct

from console.simulator import Push, Session, in_order, simulate
from console.simulator.arrivals import is_open
from console.simulator.delivery import disturb
from console.simulator.dice import Dice
from tests.chaos import expected
from tests.chaos.evidence import Kind
from tests.chaos.journal import PushLine

# So few that a correction, minutes after its call, follows some hundred pushes later.
SESSIONS_A_DAY = 3000
REFUSED_CALLER = "refused-by-chaos"
# With this the database has something to refuse; Postgres takes all other values that get so far.
CONSTRAINT = f"ALTER TABLE tccc.call ADD CONSTRAINT chaos CHECK (caller <> '{REFUSED_CALLER}')"


class Shares(Struct, frozen=True, kw_only=True):
    """Of all deliveries, but `corrections` and `quirks` of all calls."""

    duplicates: float = 0.03
    reorder: float = 0.05
    corrections: float = 0.25
    quirks: float = 0.05
    door: float = 0.01
    refused: float = 0.002


class Delivery(Struct, frozen=True):
    """A push, what is to come of it, and the line of the journal for it; `again` if it was sent before."""

    push: Push
    line: PushLine
    again: bool = False


def feed(seed: int, shares: Shares) -> Iterator[Delivery]:
    """Without end; the same seed makes the same pushes, ids and bodies."""
    sessions = simulate(
        None,
        seed=seed,
        sessions_a_day=SESSIONS_A_DAY,
        quirks=shares.quirks,
        corrections=shares.corrections,
    )
    dice = Dice(seed, "chaos")
    pushes = disturb(
        in_order(dropwhile(_before_opening, sessions)),
        Dice(seed, "delivery"),
        duplicates=shares.duplicates,
        reorder=shares.reorder,
    )
    for number, made in enumerate(pushes):
        yield Delivery(made.push, _line(made.push, "good", ""), made.again)
        if dice.chance(shares.door):
            yield _at_the_door(made.push, number, dice.between(0, 2))
        if dice.chance(shares.refused):
            yield refused(f"refused-{seed}-{number}")


def refused(name: str) -> Delivery:
    """A call that the receiver takes and the database refuses."""
    body = msgspec.json.encode({"SessionId": name, "Caller": REFUSED_CALLER})
    push = Push("cdr", "1", name, name, body, 0.0)
    return Delivery(push, _line(push, "refused", "refused-by-database"))


def poison(seed: int) -> Iterator[tuple[PushLine, bytes | None]]:
    """Records, with their keys, that are put on the topic past the receiver and can never be stored."""
    for number in count():
        name = f"poison-{seed}-{number}"
        for kind, (reason, action, key, body) in enumerate(_POISON):
            push = Push(action, "1", f"{name}-{kind}", name, body, 0.0)  # type: ignore[arg-type]
            yield _line(push, "topic", reason), name.encode() if key else None


def _before_opening(session: Session) -> bool:
    """At night hardly any call is answered, and has participants."""
    return not is_open(session.truth.started_s)


def _at_the_door(like: Push, number: int, which: int) -> Delivery:
    name = f"door-{number}-{like.push_id}"
    action, body, reason = (
        ("cdr", b'{"SessionId":"%b"' % name.encode(), "not-json"),
        ("cdr", b'{"SessionId":"","Uui":"%b"}' % name.encode(), "bad-session-id"),
        ("nonsense", b'{"SessionId":"%b"}' % name.encode(), "bad-action"),
    )[which]
    push = Push(action, "1", name, name, body, 0.0)  # type: ignore[arg-type]
    return Delivery(push, _line(push, "door", reason))


def _line(push: Push, kind: Kind, reason: str) -> PushLine:
    return PushLine(
        push_id=push.push_id,
        action=push.action,
        session_id=push.session_id,
        kind=kind,
        reason=reason,
        row_key=expected.row_key(push.action, push.body) if kind == "good" else (),
        body=push.body.decode(),
    )


_POISON: tuple[tuple[str, str, bool, bytes], ...] = (
    ("no-key", "cdr", False, b'{"SessionId":"poison"}'),
    ("not-json", "cdr", True, b"not JSON"),
    ("unknown-action", "nonsense", True, b"{}"),
    ("too-deep", "cdr", True, b'{"a":' + b"[" * 300 + b"]" * 300 + b"}"),
)
