"""Publishes dead letters again, and remembers which: first the one, then the other.

Killed in between, the next replay publishes those few once more, which their push ids settle as duplicates;
remembered first, they would be lost.
"""

import asyncio
from collections import Counter
from collections.abc import Sequence

from aiokafka.errors import MessageSizeTooLargeError
from msgspec import Struct, field

from console.dead.letter import Letter
from console.dead.recheck import Recheck, StillBad
from console.dead.selection import Found
from console.dead.states import States
from console.publishing import RecordPublisher
from schemas.envelope import Record
from schemas.errors import BrokerAway
from schemas.settings import Settings

_CHUNK_LETTERS = 100
_TICKS_PER_S = 10
_MAX_NAMED = 1000


class NotReplayed(Struct, frozen=True):
    id: str
    reason: str
    detail: str


class Tally(Struct):
    """`settled` were replayed or dropped before; `exhausted` as often as TCCC_REPLAY_MAX allows."""

    replayed: int = 0
    settled: int = 0
    exhausted: int = 0
    refused: Counter[str] = field(default_factory=Counter)
    named: list[NotReplayed] = field(default_factory=list)

    def refuse(self, letter: Letter, fault: StillBad) -> None:
        self.refused[fault.reason] += 1
        if len(self.named) < _MAX_NAMED:
            self.named.append(NotReplayed(letter.id, fault.reason, fault.detail))


class Replay:
    """One run over letters; `tally` is true at any time, also when it was interrupted."""

    def __init__(
        self,
        settings: Settings,
        states: States,
        publisher: RecordPublisher | None,
        tally: Tally,
        *,
        again: bool,
    ) -> None:
        self._settings = settings
        self._states = states
        self._publisher = publisher
        self._again = again
        self._recheck = Recheck(settings)
        self.tally = tally

    async def take(self, found: Sequence[Found], rate_per_s: float | None) -> None:
        """Without a publisher it only counts. Raises BrokerAway; what was confirmed is remembered."""
        ready = [(letter, record) for letter, record in map(self._record, found) if record is not None]
        size = (
            _CHUNK_LETTERS
            if rate_per_s is None
            else max(1, min(_CHUNK_LETTERS, int(rate_per_s / _TICKS_PER_S)))
        )
        for start in range(0, len(ready), size):
            chunk = ready[start : start + size]
            pause = asyncio.create_task(asyncio.sleep(len(chunk) / rate_per_s if rate_per_s else 0))
            try:
                await self._publish(chunk)
                if self._publisher is not None:
                    await pause
            finally:
                pause.cancel()

    def _record(self, found: Found) -> tuple[Letter, Record | None]:
        letter, known = found
        if known.state != "open" and not self._again:
            self.tally.settled += 1
            return letter, None
        replays = letter.replays + known.replays
        if replays >= self._settings.replay_max:
            self.tally.exhausted += 1
            return letter, None
        record = self._recheck.record(letter, replays + 1, again=self._again)
        if isinstance(record, StillBad):
            self.tally.refuse(letter, record)
            return letter, None
        return letter, record

    async def _publish(self, chunk: Sequence[tuple[Letter, Record]]) -> None:
        if self._publisher is None:
            self.tally.replayed += len(chunk)
            return
        failures = await self._publisher.publish([record for _, record in chunk])
        confirmed = []
        for (letter, _), failure in zip(chunk, failures, strict=True):
            if failure is None:
                confirmed.append(letter)
            elif isinstance(failure, MessageSizeTooLargeError):
                self.tally.refuse(letter, StillBad("too-large", "the topic refuses a record of its size"))
        await self._states.remember(confirmed, "replayed")
        self.tally.replayed += len(confirmed)
        for failure in failures:
            if failure is not None and not isinstance(failure, MessageSizeTooLargeError):
                reason = type(failure).__name__
                raise BrokerAway(f"not all confirmed ({reason}): run it again to go on") from failure
