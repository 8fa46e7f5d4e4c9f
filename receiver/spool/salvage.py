"""Salvage: a damaged spool file is set aside whole, and what is good of it is copied to a sound one.

Both steps are done under the file's lease and may be repeated after a kill at any point: records may then be
copied twice, which is settled downstream.
"""

import time
from collections.abc import Iterable, Sequence
from contextlib import closing
from pathlib import Path

import structlog

from receiver.spool.database import PartTable, unlink_files
from receiver.spool.failpoints import Failpoint
from receiver.spool.failures import SpoolBroken, translated
from receiver.spool.folder import list_files, sync_folder
from receiver.spool.frame import Framer, Part, join
from receiver.spool.lease import Lease
from receiver.spool.segment import Segment

_log = structlog.get_logger()
_BATCH_PARTS = 500
_REST_S = 0.001  # between batches: other threads wait for the interpreter


def set_aside(lease: Lease, reason: str) -> list[Path]:
    """Rename a damaged file and its log; nothing is deleted. Their new paths, with those of a try before."""
    stamp = time.strftime("%Y%m%dT%H%M%SZ", time.gmtime())
    with translated():
        files = list_files(lease.directory)[lease.stem]  # as they are now: opening it may have begun a log
        aside = list(files.aside)
        for path in files.live:
            target = path.with_name(f"{path.name}.corrupt-{stamp}")
            path.rename(target)
            aside.append(target)
            _log.error("spool_set_aside", file=target.name, bytes=target.stat().st_size, reason=reason)
        if aside:
            sync_folder(aside[0].parent)
    return aside


def salvage(aside: Sequence[Path], lease: Lease, failpoint: Failpoint) -> Segment:
    """Copy every whole, sound record of files set aside to a new file, durably. It may hold none."""
    with translated():
        target = Lease.fresh(lease.directory)
    part_path = lease.directory / f"{target.stem}.part"
    try:
        with closing(PartTable(part_path, target.stem)) as table:
            table.create()
            damaged = _copy(aside, lease.stem, table)
        with translated():
            path = part_path.rename(part_path.with_suffix(".db"))
            sync_folder(lease.directory)
        segment = _read_again(path, target, failpoint)
    except BaseException:
        unlink_files(part_path)
        target.release()
        raise
    failpoint("salvaged")
    _mark_done(aside)
    _log.error("spool_salvaged", file=aside[0].name, records=segment.records, damaged_parts=damaged)
    return segment


def _copy(aside: Iterable[Path], stem: str, table: PartTable) -> int:
    """Copy sound parts under their numbers, then drop what was drained or is not whole; returns parts damaged."""
    floor = damaged = 0
    batch: list[Part] = []
    framer = Framer(stem)
    for path in aside:
        for part in framer.scan(path):
            if part is None:
                damaged += 1
            elif part.count == 0:
                floor = max(floor, part.number)
            else:
                batch.append(part)
            if len(batch) >= _BATCH_PARTS:
                _insert(table, batch)
    _insert(table, batch)
    with table.commit("clean"):
        table.delete([(1, floor)])
        table.write_floor(floor)
    _drop_fragments(table)
    return damaged


def _insert(table: PartTable, batch: list[Part]) -> None:
    with table.commit("insert"):
        table.insert(batch, or_ignore=True)
    batch.clear()
    table.checkpoint()
    time.sleep(_REST_S)


def _drop_fragments(table: PartTable) -> None:
    """Remove the parts of records of which others are lost, and what cannot be decoded."""
    fragments: list[tuple[int, int]] = []
    parts: list[Part] = []
    for part in table.parts():
        if part.index == 0 or (parts and part.number != parts[-1].number + 1):
            fragments += [(lost.number, lost.number) for lost in parts]
            parts = []
        parts.append(part)
        if len(parts) == part.count and join(parts) is not None:
            parts = []
    fragments += [(lost.number, lost.number) for lost in parts]
    with table.commit("clean"):
        table.delete(fragments)


def _read_again(path: Path, target: Lease, failpoint: Failpoint) -> Segment:
    reasons: list[str] = []
    segment = Segment.recover(path, target, reasons.append, failpoint)
    if segment is None:  # it stays in its place, for the next look to treat like any other
        raise SpoolBroken(f"what was salvaged could not be read again: {reasons}")
    return segment


def _mark_done(aside: Iterable[Path]) -> None:
    with translated():
        for path in aside:
            path.rename(path.with_name(path.name + ".salvaged"))
            sync_folder(path.parent)
