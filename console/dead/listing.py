"""Shows dead letters: a table collapsed by push id, and one letter whole. Bodies only where they are asked for."""

from collections.abc import Iterable
from typing import Any

from msgspec import Struct

from console.dead.letter import Letter
from console.dead.selection import Found
from console.output import print_json, print_table
from console.times import iso

_COLUMNS = (
    "letter", "died", "stage", "reason", "action", "session", "push id", "bytes#", "replays#", "state", "letters#"
)  # fmt: skip


class Line(Struct, kw_only=True):
    """A push's newest letter, and the ids of all its letters, oldest first."""

    id: str
    dead_at: str
    stage: str
    reason: str
    detail: str
    action: str
    session_id: str
    push_id: str
    bytes: int
    replays: int
    state: str
    letters: list[str]


class Listing:
    """Letters collapsed by push id, without their bodies."""

    def __init__(self) -> None:
        self._of_push: dict[str, tuple[int, Line]] = {}

    def add(self, found: Iterable[Found]) -> None:
        for letter, known in found:
            before = self._of_push.get(letter.push_id)
            ids = [*(before[1].letters if before else ()), letter.id]
            if before and before[0] > letter.dead_at_us:
                before[1].letters = ids
                continue
            line = _line(letter, known.state, known.replays)
            line.letters = ids
            self._of_push[letter.push_id] = (letter.dead_at_us, line)

    def lines(self) -> list[Line]:
        """Oldest first."""
        return [line for _, line in sorted(self._of_push.values(), key=lambda dated: dated[0])]

    def print(self, *, as_json: bool) -> None:
        lines = self.lines()
        if as_json:
            print_json({"letters": lines, "count": sum(len(line.letters) for line in lines)})
            return
        rows = [
            [
                line.id, line.dead_at, line.stage, line.reason, line.action, line.session_id, line.push_id,
                line.bytes, line.replays, line.state, len(line.letters),
            ]
            for line in lines
        ]  # fmt: skip
        print_table("Dead letters", _COLUMNS, [[printable(cell) for cell in row] for row in rows])


def print_letter(found: Found, *, body: bool, as_json: bool) -> None:
    letter, known = found
    line = _line(letter, known.state, known.replays)
    facts: dict[str, Any] = {
        "id": letter.id,
        "state": known.state,
        "changed_at": iso(known.changed_at_us),
        "dead_at": line.dead_at,
        "stage": letter.stage,
        "reason": letter.reason,
        "detail": letter.detail,
        "session_id": letter.session_id,
        "bytes": line.bytes,
        "replays": line.replays,
        "origin": letter.origin,
        "partition": letter.partition,
        "offset": letter.offset,
        "headers": {name: value.decode(errors="replace") for name, value in letter.headers},
    }
    if body:
        facts["body"] = letter.value.decode(errors="replace")
    if as_json:
        print_json(facts)
        return
    if letter.origin is not None:
        facts["origin"] = (
            f"{letter.origin.topic} partition {letter.origin.partition} offset {letter.origin.offset}"
        )
    headers = facts.pop("headers")
    rows = [*facts.items(), *((f"header {name}", text) for name, text in headers.items())]
    print_table("Dead letter", ("what", "value"), [(printable(name), printable(text)) for name, text in rows])


def printable(value: Any) -> Any:
    """Text of others as a terminal may show it."""
    if not isinstance(value, str):
        return value
    return "".join(char if char.isprintable() else "\ufffd" for char in value)


def _line(letter: Letter, state: str, replays: int) -> Line:
    return Line(
        id=letter.id,
        dead_at=iso(letter.dead_at_us) or "",
        stage=letter.stage,
        reason=letter.reason,
        detail=letter.detail,
        action=letter.action,
        session_id=letter.session_id,
        push_id=letter.push_id,
        bytes=len(letter.value),
        replays=letter.replays + replays,
        state=state,
        letters=[letter.id],
    )
