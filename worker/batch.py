"""A consumed record on its way to being settled."""

import msgspec
import structlog
from aiokafka import ConsumerRecord
from msgspec import Struct

from schemas.envelope import Envelope, Origin, read_envelope
from schemas.errors import DeadStage, RecordError
from schemas.rows import EPOCH_US, LedgerRow, Micros, Outcome
from worker.fold import Push
from worker.normalise import Normalised, known_action, normalise, read_session_id

log = structlog.get_logger(__name__)

# The driver's own types leave key and value open; ours are bytes.
KafkaRecord = ConsumerRecord[bytes | None, bytes | None]
Place = tuple[int, int, Micros]

_MAX_ACTION_CHARS = 64
ERASED = "erased"  # the ledger's push id of what was erased; its session is ''


class Item(Struct, frozen=True, gc=False):
    """One record; its body is not looked into yet. `fault` says why it can never be stored."""

    record: KafkaRecord
    envelope: Envelope
    session_id: str
    received_at: Micros
    fault: RecordError | None = None
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
    def push(self) -> Push:
        return Push(self.envelope.push_id, self.received_at, self.envelope.source)

    def read(self) -> Normalised:
        """What its body asks for; raises RecordError if it can never become a row, and nothing else."""
        try:
            return normalise(self.envelope.action, self.session_id, self.value)
        except RecordError:
            raise
        except Exception as error:  # one record must never stop all the others; the dead letter keeps it
            log.exception("defect in normalising", partition=self.record.partition, offset=self.record.offset)
            raise RecordError("not-json", f"a defect of this program: {type(error).__name__}") from error

    def checked(self) -> "Item":
        """The same record, given up if it cannot be read."""
        try:
            self.read()
        except RecordError as error:
            return self.dead(error)
        return self

    def dead(self, fault: RecordError, stage: DeadStage = "normalise") -> "Item":
        """The same record, given up."""
        # Not the error that was raised: by its traceback it holds the frames of our callers, and they the whole
        # batch, in a circle which is never freed, for the collector does not look into Items (gc=False).
        fault = RecordError(fault.reason, fault.detail)
        return Item(self.record, self.envelope, self.session_id, self.received_at, fault, stage)

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


def take(record: KafkaRecord) -> Item:
    """Look at key and headers; never raises for what the record holds."""
    envelope = read_envelope(record.headers, record.value or b"", record.timestamp)
    received_at = envelope.received_at_us - EPOCH_US
    session_id = ""
    try:
        session_id = read_session_id(record.key)
        known_action(envelope.action)
    except RecordError as error:
        return Item(record, envelope, session_id, received_at).dead(error)
    return Item(record, envelope, session_id, received_at)
