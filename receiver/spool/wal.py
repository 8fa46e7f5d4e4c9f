"""The write-ahead log: tells a sound one from one that was damaged, which SQLite itself does not.

SQLite takes the first frame with a bad checksum for the log's end and drops all that follows without a word;
committed records would vanish. Format: https://www.sqlite.org/fileformat2.html#the_write_ahead_log
"""

import os
import struct
from pathlib import Path

from receiver.spool.folder import size_of
from receiver.spool.frame import PAGE_BYTES

_HEAD_BYTES = 32
_FRAME_HEAD_BYTES = 24  # written apart from the page that follows
_KERNEL_PAGE_BYTES = 4096  # a write that is killed ends on a multiple of it
FRAME_BYTES = _FRAME_HEAD_BYTES + PAGE_BYTES
_BIG_ENDIAN, _LITTLE_ENDIAN = 0x377F0683, 0x377F0682
_MASK = 0xFFFFFFFF


def bytes_of(frames: int) -> int:
    """The size of a log of so many frames."""
    return _HEAD_BYTES + frames * FRAME_BYTES


def find_damage(path: Path) -> str | None:
    """What is wrong with a log that nobody writes, or None. Raises OSError.

    A log that was restarted ends in frames of its earlier rounds, and a killed writer leaves frames without a
    commit, the last of them maybe cut where the kernel stops a write: all this is sound. Where he was killed within a
    frame that overwrites one of an earlier round, or before `trim`, nothing tells that from damage, and it is taken for it.
    """
    size = size_of(path)
    if size == 0:
        return None
    tail = (size - _HEAD_BYTES) % FRAME_BYTES
    if size < _HEAD_BYTES or not (tail in {0, _FRAME_HEAD_BYTES} or size % _KERNEL_PAGE_BYTES == 0):
        return "log cut within a frame"
    with path.open("rb") as file:
        head = file.read(_HEAD_BYTES)
        order = {_BIG_ENDIAN: ">", _LITTLE_ENDIAN: "<"}.get(int.from_bytes(head[:4], "big"))
        if order is None or _pair(head, 24) != (sums := _checksum(head[:24], (0, 0), order)):
            return "log header"
        salts, is_sound = _pair(head, 16), True
        while len(frame := file.read(FRAME_BYTES)) == FRAME_BYTES:
            if is_sound and _pair(frame, 8) == salts:
                sums = _checksum(frame[_FRAME_HEAD_BYTES:], _checksum(frame[:8], sums, order), order)
                is_sound = _pair(frame, 16) == sums
            else:
                is_sound = False
            if not is_sound and _shares_a_salt(_pair(frame, 8), salts):
                return "log frame"
    return None


def trim(path: Path) -> None:
    """Cut off a frame that a failed write left unfinished, so that nobody takes it for damage."""
    size = size_of(path)
    whole = bytes_of((size - _HEAD_BYTES) // FRAME_BYTES) if size >= _HEAD_BYTES else 0
    if whole != size:
        os.truncate(path, whole)


def _shares_a_salt(one: tuple[int, int], other: tuple[int, int]) -> bool:
    # A frame of an earlier round differs in both: the first counts rounds, the second is random.
    return one[0] == other[0] or one[1] == other[1]


def _pair(data: bytes, at: int) -> tuple[int, int]:
    first, second = struct.unpack_from(">II", data, at)
    return first, second


def _checksum(data: bytes, sums: tuple[int, int], order: str) -> tuple[int, int]:
    first, second = sums
    words = struct.unpack(f"{order}{len(data) // 4}I", data)
    for even, odd in zip(words[::2], words[1::2], strict=True):
        first = (first + even + second) & _MASK
        second = (second + odd + first) & _MASK
    return first, second
