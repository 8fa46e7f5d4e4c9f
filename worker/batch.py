"""A consumed record on its way to being settled: what it asks for, or why it is dead."""

import msgspec
import structlog
from aiokafka import ConsumerRecord
from msgspec import Struct

from schemas.envelope import Envelope, Origin, read_envelope
from schemas.errors import DeadStage, RecordError
from schemas.rows import EPOCH_US, LedgerRow, Micros, Outcome
from worker.fold import Push
from worker.normalise import Normalised, normalise, read_session_id

log = structlog.get_logger(__name__)

# The driver's own types leave key and value open; ours are bytes.
KafkaRecord = ConsumerRecord[bytes | None, bytes | None]
Place = tuple[int, int, Micros]

_MAX_ACTION_CHARS = 64
ERASED = "erased"  # the ledger's push id of what was erased; its session is ''


class Item(Struct, frozen=True, gc=False):
    """One record. `fault` says why it can never be stored; without one, `normalised` is there."""

    record: KafkaRecord
    envelope: Envelope
    session_id: str
    normalised: Normalised | None
    fault: RecordError | None
    stage: DeadStage = "normalise"

    @property
    def value(self) -> bytes:
        return self.record.value or b""

    @property
    def origin(self) -> Origin:
        return Origin(self.record.topic, self.record.partition, self.record.offset)

    @property
    def place(self) -> Place:
        """What names the record in the ledger."""
        return (self.record.partition, self.record.offset, self.received_at)

    @property
    def received_at(self) -> Micros:
        return self.envelope.received_at_us - EPOCH_US

    @property
    def push(self) -> Push:
        return Push(self.envelope.push_id, self.received_at, self.envelope.source)

    def dead(self, fault: RecordError, stage: DeadStage) -> "Item":
        """The same record, given up."""
        return Item(self.record, self.envelope, self.session_id, None, fault, stage)

    def erased(self) -> LedgerRow:
        """Of somebody who was erased: no row shows it, and the ledger does not tell whose it was."""
        row = self.settled("stale" if self.fault is None else "dead")
        return msgspec.structs.replace(row, session_id="", push_id=ERASED)

    def settled(self, outcome: Outcome) -> LedgerRow:
        envelope, record = self.envelope, self.record
        return LedgerRow(
            envelope.push_id,
            envelope.action[:_MAX_ACTION_CHARS],
            self.session_id,
            self.received_at,
            record.partition,
            record.offset,
            outcome,
        )


def read(record: KafkaRecord) -> Item:
    """Decode and normalise; never raises for what the record holds."""
    value = record.value or b""
    envelope = read_envelope(record.headers, value, record.timestamp)
    normalised, fault, session_id = None, None, ""
    try:
        session_id = read_session_id(record.key)
        normalised = normalise(envelope.action, session_id, value)
    except RecordError as error:
        # Not the one that was raised: by its traceback it holds the frames of our callers, and they the whole
        # batch, in a circle which is never freed, for the collector does not look into Items (gc=False).
        fault = RecordError(error.reason, error.detail)
    except Exception as error:  # one record must never stop all the others; the dead letter keeps it
        log.exception("defect in normalising", partition=record.partition, offset=record.offset)
        fault = RecordError("not-json", f"a defect of this program: {type(error).__name__}")
    return Item(record, envelope, session_id, normalised, fault)
