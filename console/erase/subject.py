"""Who is to be erased: a session, or everything that holds a phone number; no I/O."""

import re
from typing import Literal

from msgspec import Struct

from schemas.envelope import Record
from schemas.phone import as_text, pattern
from worker.batch import KafkaRecord


class Subject(Struct, frozen=True):
    """`identity` is a SessionId, or a number in its one form."""

    kind: Literal["session", "number"]
    identity: str

    @property
    def pattern(self) -> str:
        """A regular expression, for Python and Postgres alike, that finds the subject in a text."""
        return pattern(self.identity) if self.kind == "number" else re.escape(self.identity)


class Search:
    """Tells records of the subject: by their text, and by the sessions that are known to be the subject's."""

    def __init__(self, subject: Subject) -> None:
        self._number = re.compile(subject.pattern) if subject.kind == "number" else None
        self._session = subject.identity.encode()
        self.sessions: set[str] = {subject.identity} if subject.kind == "session" else set()

    @property
    def key(self) -> bytes | None:
        """Of all the subject's records; None where a record that names it makes its whole session the subject's."""
        return None if self._number else self._session

    def says(self, key: bytes | None, value: bytes | None) -> bool:
        """Whether the record itself names the subject."""
        if self._number is None:
            # A letter that was refused at the door may have no key; another session's body may mention this one.
            return key == self._session or (not key and self._session in (value or b""))
        return self._number.search(as_text(value or b"")) is not None

    def holds(self, record: KafkaRecord | Record) -> bool:
        """Whether it names the subject, or is of a session that does elsewhere."""
        return (record.key or b"").decode(errors="replace") in self.sessions or self.says(
            record.key, record.value
        )
