"""Which records have a dead letter: the origins of all letters, eight bytes each."""

from array import array
from bisect import bisect_left
from collections import defaultdict

from console.kafka import Offsets, TopicReader


class LetterIndex:
    """Filled by `extend`, which reads what the dead topic has got since the last time."""

    def __init__(self, dead_topic: TopicReader, topic: str) -> None:
        self._reader = dead_topic
        self._topic = topic.encode()
        self._next: Offsets = {}
        self._offsets: defaultdict[int, array[int]] = defaultdict(lambda: array("q"))

    async def extend(self) -> None:
        """May take a while: a letter is read with its body."""
        begins, ends = await self._reader.begins(), await self._reader.ends()
        starts = {n: max(begins[n], self._next.get(n, 0)) for n in ends}
        async for record in self._reader.read({n: (starts[n], end) for n, end in ends.items()}):
            headers = dict(record.headers)
            partition, offset = headers.get("origin-partition") or b"", headers.get("origin-offset") or b""
            if headers.get("origin-topic") == self._topic and partition.isdigit() and offset.isdigit():
                self._offsets[int(partition)].append(int(offset))
        self._next = ends
        for number, offsets in self._offsets.items():
            self._offsets[number] = array("q", sorted(offsets))

    def holds(self, partition: int, offset: int) -> bool:
        offsets = self._offsets[partition]
        at = bisect_left(offsets, offset)
        return at < len(offsets) and offsets[at] == offset
