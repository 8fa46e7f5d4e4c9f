"""What receivers and workers say of themselves, read from their metrics."""

from collections import Counter
from collections.abc import Iterable, Sequence

from console.status.facts import Away, Receiver, Spool, Worker
from console.visits.admin import Process


def receiver(process: Process) -> Receiver:
    records = _int(process.value("tccc_spool_records"))
    connected = process.value("tccc_receiver_kafka_connected")
    return Receiver(
        admin_url=process.admin_url,
        ready=process.ready,
        reason=process.reason,
        kafka_connected=None if connected is None else bool(connected),
        pushes=process.by("tccc_receiver_pushes_total", "outcome"),
        in_flight=_int(process.value("tccc_receiver_in_flight")),
        spool_records=records,
        spool_bytes=_int(process.value("tccc_spool_bytes")),
        spool_oldest_s=process.value("tccc_spool_oldest_seconds") if records else None,
    )


def worker(process: Process) -> Worker:
    lag = process.by("tccc_worker_lag_records", "partition")
    return Worker(
        admin_url=process.admin_url,
        ready=process.ready,
        reason=process.reason,
        pushes=process.by("tccc_worker_pushes_total", "outcome"),
        partitions=sorted(map(int, lag)),
        lag_records=sum(lag.values()),
    )


def spool(receivers: Iterable[Receiver]) -> Spool | None:
    """None if no receiver tells of one."""
    known = [receiver for receiver in receivers if receiver.spool_records is not None]
    if not known:
        return None
    return Spool(
        records=sum(receiver.spool_records or 0 for receiver in known),
        bytes=sum(receiver.spool_bytes or 0 for receiver in known),
        oldest_s=max((r.spool_oldest_s for r in known if r.spool_oldest_s is not None), default=None),
    )


def dead_by_reason(processes: Iterable[Process]) -> dict[str, int]:
    total: Counter[str] = Counter()
    for process in processes:
        total.update(process.by("tccc_dead_letters_total", "reason"))
    return dict(total.most_common())


def not_ready(kind: str, processes: Sequence[Process]) -> list[Away]:
    return [
        Away(part=f"{kind} {process.admin_url}", reason=process.reason or "not ready")
        for process in processes
        if not process.ready
    ]


def _int(value: float | None) -> int | None:
    return None if value is None else int(value)
