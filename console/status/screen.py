"""Lays out what `tccc status` tells as one screen of tables."""

from collections.abc import Iterator, Mapping

from rich.console import Group, RenderableType
from rich.text import Text

from console.output import make_table
from console.status.facts import Lag, Ledger, Receiver, RowCount, Status, Worker

NONE = "—"


def screen(status: Status, *, lines: bool) -> RenderableType:
    """`lines` under the tables' heads, for a terminal."""
    return Group(*_parts(status, lines=lines))


def _parts(status: Status, *, lines: bool) -> Iterator[RenderableType]:
    for missing in status.away:  # first: the end of a long screen may not be seen
        yield Text(f"away: {missing.part}: {missing.reason}", style="bold red")
    if status.receivers:
        columns = ["receiver", "state", "pushes", "in flight#", "spool#", "spool size#", "oldest#"]
        yield make_table("Receivers", columns, map(_receiver, status.receivers), lines=lines)
    if status.workers:
        columns = ["worker", "state", "settled", "partitions", "lag#"]
        yield make_table("Workers", columns, map(_worker, status.workers), lines=lines)
    if status.lag is not None:
        yield _lag(status.lag, lines=lines)
    yield make_table("Stored", ["what", "how much"], _stored(status), lines=lines)


def _lag(lag: Lag, *, lines: bool) -> RenderableType:
    group = lag.group
    return make_table(
        f"Lag {lag.records}  (group {group.name}: {group.state}, {group.members} members)",
        ["partition#", "end#", "committed#", "lag#", "owner"],
        [
            [p.partition, p.end_offset, _or_none(p.committed_offset), p.lag_records, p.owner or NONE]
            for p in lag.partitions
        ],
        lines=lines,
    )


def _receiver(receiver: Receiver) -> list[object]:
    return [
        receiver.admin_url,
        _state(ready=receiver.ready, reason=receiver.reason),
        counts(receiver.pushes),
        _or_none(receiver.in_flight),
        _or_none(receiver.spool_records),
        NONE if receiver.spool_bytes is None else size(receiver.spool_bytes),
        age(receiver.spool_oldest_s),
    ]


def _worker(worker: Worker) -> list[object]:
    return [
        worker.admin_url,
        _state(ready=worker.ready, reason=worker.reason),
        counts(worker.pushes),
        ",".join(map(str, worker.partitions)) or NONE,
        worker.lag_records if worker.partitions else NONE,
    ]


def _stored(status: Status) -> Iterator[list[object]]:
    spool, ledger, dead = status.spool, status.ledger, status.dead_letters
    if spool is not None:
        yield ["spool", f"{spool.records} records, {size(spool.bytes)}, oldest {age(spool.oldest_s)}"]
    if status.rows is not None:
        yield ["rows", ", ".join(f"{table} {_rows(count)}" for table, count in status.rows.items())]
    if ledger is not None:
        yield ["newest row", NONE if ledger.newest_age_s is None else f"{age(ledger.newest_age_s)} old"]
        yield ["received in the last hour", _outcomes(ledger.last_hour, ledger)]
        yield ["received in the last 24 h", _outcomes(ledger.last_day, ledger)]
    if dead.records is not None:
        yield ["dead letters", f"{dead.records}, of which {dead.last_day} in the last 24 h"]
    if dead.by_reason:
        yield ["dead letters since start", counts(dead.by_reason)]
    if status.lag is not None and status.lag.lost_records:
        lost = f"{status.lag.lost_records} records before they were read"
        yield ["lost to retention", Text(lost, "bold red")]
    yield ["reconciled until", _reconciled(status)]
    if status.drift is not None and (status.drift.fields or status.drift.values):
        drift = f"{status.drift.fields} fields and {status.drift.values} values in 7 days: see 'tccc drift'"
        yield ["drift", Text(drift, "yellow")]
    yield ["schema version", _or_none(status.schema_version)]


def _reconciled(status: Status) -> str:
    several = status.reconciled or []
    if len(several) < 2:
        return status.reconciled_until or NONE
    return ", ".join(f"{r.sdk_app_id} {r.complete_until}" for r in several)


def counts(by_name: Mapping[str, int]) -> str:
    return ", ".join(f"{name} {count}" for name, count in by_name.items()) or NONE


def size(size_bytes: float) -> str:
    for unit in ("B", "KiB", "MiB"):
        if size_bytes < 1024:
            return f"{size_bytes:.0f} {unit}"
        size_bytes /= 1024
    return f"{size_bytes:.1f} GiB"


def age(seconds: float | None) -> str:
    if seconds is None:
        return NONE
    for unit, limit, length in (("s", 120, 1), ("min", 7200, 60), ("h", 172_800, 3600)):
        if seconds < limit:
            return f"{seconds / length:.0f} {unit}"
    return f"{seconds / 86_400:.0f} days"


def _outcomes(by_outcome: Mapping[str, int], ledger: Ledger) -> str:
    return counts(by_outcome) + ("" if ledger.exact else " (estimated from a sample)")


def _rows(count: RowCount) -> str:
    return f"{count.rows}" if count.exact else f"about {count.rows}"


def _state(*, ready: bool, reason: str | None) -> Text:
    return Text("ready", "green") if ready else Text(reason or "not ready", "bold red")


def _or_none(value: int | None) -> object:
    return NONE if value is None else value
