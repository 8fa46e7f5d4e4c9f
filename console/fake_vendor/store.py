"""The sessions that the API knows, encoded, in a file, in the order of their starts: a page is read, not made."""

import tempfile
from array import array
from bisect import bisect_left, bisect_right
from collections.abc import Iterable
from typing import Self

import msgspec

from console.fake_vendor.elements import Element, element_of
from console.fake_vendor.parameters import Query
from console.simulator import Session


class Store:
    """Of a million sessions 1.5 GB are on disk, and 100 bytes each in memory."""

    def __init__(self) -> None:
        self._file = tempfile.TemporaryFile()  # noqa: SIM115 -- closed by `close`
        self._starts = array("q")
        self._offsets = array("q", [0])
        self.session_ids: list[str] = []

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        self._file.close()

    @property
    def first_s(self) -> int:
        return self._starts[0]

    @property
    def last_s(self) -> int:
        return self._starts[-1]

    @classmethod
    def of(cls, sessions: Iterable[Session]) -> "Store":
        """Those of them that are calls."""
        store = cls()
        for session in sessions:
            store.add(session)
        return store

    def add(self, session: Session) -> None:
        """Add a session that begins no earlier than the last one."""
        element = element_of(session)
        if element is not None:
            self.put(session.truth.started_s, element)

    def put(self, started_s: int, element: Element) -> None:
        """Add an element as it is to be told."""
        if self._starts and started_s < self._starts[-1]:
            raise ValueError("sessions have to come in the order of their starts")
        encoded = msgspec.json.encode(element)
        self._file.write(encoded)
        self._offsets.append(self._offsets[-1] + len(encoded))
        self._starts.append(started_s)
        self.session_ids.append(element["SessionId"])

    def find(self, query: Query) -> tuple[int, list[bytes]]:
        """How many match in all, and the elements of the page, the latest first as the vendor has them."""
        low = bisect_left(self._starts, query.start_time_stamp)
        high = bisect_right(self._starts, query.end_time_stamp)
        numbers: range | list[int] = range(high - 1, low - 1, -1)
        if query.session_ids or query.phones:
            numbers = [number for number in numbers if self._passes(number, query)]
        first = query.page_number * query.page_size
        return len(numbers), [self._read(number) for number in numbers[first : first + query.page_size]]

    def _passes(self, number: int, query: Query) -> bool:
        if query.session_ids and self.session_ids[number] not in query.session_ids:
            return False
        element = msgspec.json.decode(self._read(number)) if query.phones else {}
        return not query.phones or element["Caller"] in query.phones or element["Callee"] in query.phones

    def _read(self, number: int) -> bytes:
        self._file.seek(self._offsets[number])
        return self._file.read(self._offsets[number + 1] - self._offsets[number])
