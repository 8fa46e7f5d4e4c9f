"""The driver's journal: an append-only file in which each push stands before it is sent, fsynced, and each answer after.

One JSON object a line: a push as it is first sent (`body` and what the auditor needs of it), and a line for
each request's answer.
"""

import asyncio
import os
from collections.abc import Iterator
from hashlib import sha256
from pathlib import Path
from typing import Self

import msgspec
from msgspec import Struct

from tests.chaos import expected
from tests.chaos.evidence import Kind, Sent, Try


class PushLine(Struct, frozen=True, tag="push", kw_only=True):
    """`row_key` is empty for what never becomes a row."""

    push_id: str
    action: str
    session_id: str
    kind: Kind
    reason: str
    row_key: tuple[str, ...]
    body: str


class TryLine(Struct, frozen=True, tag="answer", kw_only=True):
    push_id: str
    sent_at_s: float
    answered_at_s: float
    status: int
    err_code: int | None
    fault: str


Line = PushLine | TryLine
_DECODER: msgspec.json.Decoder[Line] = msgspec.json.Decoder(Line)


class Journal:
    """Writes by group commit. Use as a context manager."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._file = path.open("ab")
        self._lines: list[bytes] = []
        self._waiters: list[asyncio.Future[None]] = []
        self._due = asyncio.Event()
        self._writer: asyncio.Task[None] | None = None

    async def __aenter__(self) -> Self:
        self._writer = asyncio.create_task(self._run())
        return self

    async def __aexit__(self, *_exc: object) -> None:
        if self._lines:
            await self.write(None)
        if self._writer is not None:
            self._writer.cancel()
        self._file.close()

    def note(self, line: Line) -> None:
        """Have a line written with the next group."""
        self._lines.append(msgspec.json.encode(line) + b"\n")
        self._due.set()

    async def write(self, line: Line | None) -> None:
        """Return when the line, and all before it, are on the disk."""
        if line is not None:
            self.note(line)
        self._due.set()
        waiter: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._waiters.append(waiter)
        await waiter

    async def _run(self) -> None:
        while True:
            await self._due.wait()
            self._due.clear()
            lines, self._lines = self._lines, []
            waiters, self._waiters = self._waiters, []
            await asyncio.to_thread(self._flush, b"".join(lines))
            for waiter in waiters:
                if not waiter.done():
                    waiter.set_result(None)

    def _flush(self, lines: bytes) -> None:
        self._file.write(lines)
        self._file.flush()
        os.fsync(self._file.fileno())


class Past:
    """A journal as it was written: pushes and answers in memory, bodies read when they are asked for."""

    def __init__(self, path: Path) -> None:
        self.sent: dict[str, Sent] = {}
        self.tries: list[Try] = []
        self._file = path.open("rb")
        for position, line in _lines(path):
            if isinstance(line, PushLine):
                self.sent[line.push_id] = _sent(line, position)
            else:
                self.tries.append(Try(**msgspec.structs.asdict(line)))

    def body(self, push: Sent) -> bytes:
        self._file.seek(push.position)
        line = _DECODER.decode(self._file.readline())
        assert isinstance(line, PushLine)
        return line.body.encode()

    def close(self) -> None:
        self._file.close()


def digest(value: bytes) -> bytes:
    return sha256(value).digest()


def _lines(path: Path) -> Iterator[tuple[int, Line]]:
    position = 0
    with path.open("rb") as file:
        for raw in file:
            yield position, _DECODER.decode(raw)
            position += len(raw)


def _sent(line: PushLine, position: int) -> Sent:
    body = line.body.encode()
    return Sent(
        push_id=line.push_id,
        action=line.action,
        session_id=line.session_id,
        kind=line.kind,
        reason=line.reason,
        row_key=line.row_key,
        # The receiver publishes a body with trailing commas without them.
        digests=tuple(digest(value) for value in (body, expected.without_commas(body))),
        position=position,
    )
