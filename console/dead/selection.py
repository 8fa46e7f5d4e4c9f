"""Which dead letters a command is about, and the way to them: a scan of the whole dead topic."""

from collections.abc import AsyncIterator, Callable, Sequence
from typing import Any, get_args

import click
from msgspec import Struct

from console.dead.letter import Letter, read_letter
from console.dead.states import LetterState, States
from console.kafka import TopicReader
from console.progress import Say
from console.times import iso_time
from schemas.errors import DeadReason

_BATCH_LETTERS = 200
_BATCH_BYTES = 16 * 2**20

Found = tuple[Letter, LetterState]


class Selection(Struct, frozen=True, kw_only=True):
    """Empty fields select all. `ids` are letter ids or their beginnings; times are of death."""

    ids: Sequence[str] = ()
    reasons: Sequence[str] = ()
    stages: Sequence[str] = ()
    actions: Sequence[str] = ()
    from_us: int | None = None
    to_us: int | None = None
    session: str | None = None
    push_id: str | None = None

    @property
    def selects_all(self) -> bool:
        return self == Selection()

    def takes(self, letter: Letter) -> bool:
        return all(
            (
                not self.ids or letter.id.startswith(tuple(self.ids)),
                not self.reasons or letter.reason in self.reasons,
                not self.stages or letter.stage in self.stages,
                not self.actions or letter.action in self.actions,
                self.from_us is None or letter.dead_at_us >= self.from_us,
                self.to_us is None or letter.dead_at_us < self.to_us,
                self.session is None or letter.session_id == self.session,
                self.push_id is None or letter.push_id == self.push_id,
            )
        )


def selection_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """Add the filters; a command gets them as keyword arguments for Selection."""
    for option in reversed(
        [
            click.option(
                "--reason",
                "reasons",
                multiple=True,
                type=click.Choice(get_args(DeadReason)),
                help="Only of this reason; may be repeated.",
            ),
            click.option(
                "--stage",
                "stages",
                multiple=True,
                type=click.Choice(["receive", "normalise", "store"]),
                help="Only those that died there; may be repeated.",
            ),
            click.option("--action", "actions", multiple=True, help="Only of this action; may be repeated."),
            click.option("--from", "from_us", type=iso_time, metavar="TIME", help="Died then or later."),
            click.option("--to", "to_us", type=iso_time, metavar="TIME", help="Died before then."),
            click.option("--session", help="Only of this SessionId."),
            click.option("--push-id", help="Only of this push."),
        ]
    ):
        command = option(command)
    return command


async def scan(
    topic: TopicReader, states: States, selection: Selection, say: Say
) -> AsyncIterator[list[Found]]:
    """Selected letters with their states, in batches; one that stands there twice comes once."""
    seen: set[str] = set()
    batch: list[Letter] = []
    size = read = 0
    async for letter in letters(topic):
        read += 1
        if letter.id in seen or not selection.takes(letter):
            continue
        seen.add(letter.id)
        batch.append(letter)
        size += len(letter.value)
        if len(batch) >= _BATCH_LETTERS or size >= _BATCH_BYTES:
            say(f"dead letters: {read:,} read, {len(seen):,} selected")
            yield list(zip(batch, await states.of(batch), strict=True))
            batch, size = [], 0
    if batch:
        yield list(zip(batch, await states.of(batch), strict=True))


async def letters(topic: TopicReader) -> AsyncIterator[Letter]:
    """All that the dead topic holds now."""
    begins, ends = await topic.begins(), await topic.ends()
    async for record in topic.read({n: (begins[n], ends[n]) for n in ends}):
        yield read_letter(record)
