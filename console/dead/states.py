"""What became of dead letters, as `tccc.dead_state` remembers it."""

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager

from msgspec import Struct

from console.dead.letter import Letter, State
from console.postgres import Questions
from schemas.errors import OperatorError

# Any number will do, as long as all programs use the same one.
_LOCK = 0x7463_6365


class LetterState(Struct, frozen=True):
    """`replays` of this very letter, beside those that its record had behind it before."""

    state: State
    replays: int
    changed_at_us: int | None = None


OPEN = LetterState("open", 0)


class States:
    """Raises DatabaseAway."""

    def __init__(self, database: Questions) -> None:
        self._database = database

    async def of(self, letters: Sequence[Letter]) -> list[LetterState]:
        """One for each letter, in their order."""
        rows = await self._database.all(_STATES, [letter.id for letter in letters])
        found = {row[0]: LetterState(*row[1:]) for row in rows}
        return [found.get(letter.id, OPEN) for letter in letters]

    async def remember(self, letters: Sequence[Letter], state: State, note: str | None = None) -> None:
        """May be repeated; each replay counts."""
        if not letters:
            return
        columns = zip(*[(one.id, _clean(one.push_id), one.stage, one.reason) for one in letters], strict=True)
        await self._database.all(
            _REMEMBER, *map(list, columns), state, int(state == "replayed"), note and _clean(note)
        )

    async def drop_erased(self, letter_ids: Sequence[str]) -> None:
        """So that no replay brings back whom `tccc erase` removed; what the letters were is not kept."""
        await self._database.all(_DROP_ERASED, list(letter_ids))

    @asynccontextmanager
    async def changing(self) -> AsyncIterator[None]:
        """For one command at a time; raises OperatorError where another is at it."""
        if not await self._database.one("SELECT pg_try_advisory_lock($1)", _LOCK):
            raise OperatorError("another 'tccc dead replay' or 'drop' is running: wait for it")
        # Released with the connection, however this process ends.
        yield


def _clean(text: str) -> str:
    """Postgres stores no NUL."""
    return text.replace("\0", "\ufffd")


_STATES = "SELECT letter_id, state, replays, changed_at FROM tccc.dead_state WHERE letter_id = ANY($1)"
_REMEMBER = """
INSERT INTO tccc.dead_state AS known (letter_id, push_id, stage, reason, state, replays, note)
SELECT *, $5, $6::integer, $7 FROM unnest($1::text[], $2::text[], $3::text[], $4::text[])
ON CONFLICT (letter_id) DO UPDATE SET state = excluded.state, replays = known.replays + excluded.replays,
    note = coalesce(excluded.note, known.note), changed_at = clock_timestamp()
"""
_DROP_ERASED = """
INSERT INTO tccc.dead_state (letter_id, push_id, stage, reason, state, replays, note)
SELECT letter_id, 'erased', '', '', 'dropped', 0, 'erased' FROM unnest($1::text[]) AS letter_id
ON CONFLICT (letter_id) DO UPDATE SET state = 'dropped', push_id = 'erased', note = 'erased',
    changed_at = clock_timestamp()
"""
