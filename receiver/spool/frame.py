"""Frames: how a record lies in a spool file, so that damage is told from data even where the index is gone.

A record is encoded with msgpack and cut into parts, each small enough to lie in one piece within one page of
SQLite. A part is framed: marker, number, index and count of parts, length, time, keyed digest, payload.
Whatever happens to the b-tree, a scan of the raw bytes of the file and of its write-ahead log finds every
frame that is whole. Marker and key derive from the file's random name, so that a pushed body cannot hold
something that passes for a frame.
"""

import hashlib
import os
import struct
from collections.abc import Iterator, Sequence
from pathlib import Path

import msgspec
from msgspec import Struct

from schemas.envelope import Record

PAGE_BYTES = 16384
_HEADER = struct.Struct(">QHHIQ")
_MARKER_BYTES = _DIGEST_BYTES = 8
OVERHEAD_BYTES = _MARKER_BYTES + _HEADER.size + _DIGEST_BYTES
# A cell that exceeds a page less 35 bytes would spill to overflow pages, where a scan cannot follow it.
MAX_FRAME_BYTES = PAGE_BYTES - 84
_MAX_PART_BYTES = MAX_FRAME_BYTES - OVERHEAD_BYTES
_WINDOW_BYTES = 2**20

_encode = msgspec.msgpack.Encoder().encode
_decode = msgspec.msgpack.Decoder(Record).decode


class Part(Struct, frozen=True, gc=False):
    """A part of a record; `number` is unique in its file. A count of 0 marks all numbers up to it as drained."""

    number: int
    index: int
    count: int
    at_us: int
    payload: bytes


def encode_record(record: Record) -> bytes:
    return _encode(record)


def cut(payload: bytes, number: int, at_us: int) -> list[Part]:
    """The parts of an encoded record, numbered from `number` on."""
    pieces = [payload[at : at + _MAX_PART_BYTES] for at in range(0, len(payload), _MAX_PART_BYTES)]
    return [Part(number + i, i, len(pieces), at_us, piece) for i, piece in enumerate(pieces)]


def join(parts: Sequence[Part]) -> Record | None:
    """The record of all its parts in order; None if they are not that."""
    first = parts[0]
    expected = [(first.number + i, i, len(parts)) for i in range(first.count)]
    if [(part.number, part.index, part.count) for part in parts] != expected:
        return None
    try:
        return _decode(b"".join([part.payload for part in parts]))
    except (msgspec.DecodeError, UnicodeDecodeError):
        return None


class Framer:
    """Writes and reads the frames of one file, whose `stem` is 32 random hexadecimal digits."""

    def __init__(self, stem: str) -> None:
        seed = bytes.fromhex(stem)
        self._marker = hashlib.blake2b(seed, digest_size=_MARKER_BYTES, person=b"tccc-marker").digest()
        self._keyed = hashlib.blake2b(key=seed, digest_size=_DIGEST_BYTES)

    def pack(self, part: Part) -> bytes:
        header = _HEADER.pack(part.number, part.index, part.count, len(part.payload), part.at_us)
        return b"".join((self._marker, header, self._digest(header, part.payload), part.payload))

    def read(self, data: bytes, at: int = 0) -> Part | None:
        """The part framed at this place, or None if it is not whole and sound."""
        start = at + OVERHEAD_BYTES
        if start > len(data) or data[at : at + _MARKER_BYTES] != self._marker:
            return None
        header = data[at + _MARKER_BYTES : start - _DIGEST_BYTES]
        number, index, count, length, at_us = _HEADER.unpack(header)
        payload = data[start : start + length]
        if len(payload) != length or self._digest(header, payload) != data[start - _DIGEST_BYTES : start]:
            return None
        return Part(number, index, count, at_us, payload)

    def scan(self, path: Path) -> Iterator[Part | None]:
        """Every sound part in the file's raw bytes, in no order, some twice; None for one that is damaged."""
        offset, rest, size = 0, b"", path.stat().st_size
        with path.open("rb", buffering=0) as file:
            while offset < size:
                data = rest + _read_window(file.fileno(), offset)
                offset += _WINDOW_BYTES
                yield from self._scan_window(data, is_last=offset >= size)
                rest = data[-MAX_FRAME_BYTES:]

    def _scan_window(self, data: bytes, *, is_last: bool) -> Iterator[Part | None]:
        at = data.find(self._marker)
        while at >= 0:
            part = self.read(data, at)
            if part is not None:
                yield part
            elif is_last or at <= len(data) - MAX_FRAME_BYTES:  # else the next window shows it whole
                yield None
            at = data.find(self._marker, at + (OVERHEAD_BYTES + len(part.payload) if part else 1))

    def _digest(self, header: bytes, payload: bytes) -> bytes:
        digest = self._keyed.copy()
        digest.update(header)
        digest.update(payload)
        return digest.digest()


def _read_window(handle: int, offset: int) -> bytes:
    """A window of the file; one that the disk cannot read counts as empty, the next one may be readable."""
    try:
        return os.pread(handle, _WINDOW_BYTES, offset)
    except OSError:
        return b""
