"""Every error of the project, as a tree whose branches are decisions.

TcccError
├── RecordError       this record is wrong: never retried, becomes a dead letter
├── DependencyAway    something we lean on does not answer: wait, retry, spool, or answer 503
│   ├── BrokerAway      Kafka did not confirm in time; the record may still have been written
│   ├── DatabaseAway    Postgres cannot be reached, or gave up a transaction that may succeed later
│   ├── SpoolAway       the spool cannot take a record: full, or its disk refuses
│   ├── IssuerAway      the issuer of tokens gives no keys to judge them by
│   ├── VendorAway      the vendor's API does not answer, or contradicts itself from page to page
│   └── WorkersAway     the workers do not consume what is waiting for them
└── OperatorError     a person has to act; the message says what to do
    ├── SettingsError   a setting is missing, unknown or bad (exit status 2)
    ├── VendorRefused   the vendor's API refuses what we ask: trying again will not help
    ├── AccessRefused   Kafka or the database is there and refuses us: its certificate, or our credentials
    └── SchemaMismatch  the database is older or newer than this program can work with
"""

from typing import Literal

DeadStage = Literal["receive", "normalise", "store"]
DeadReason = Literal[
    "not-json",
    "bad-session-id",
    "bad-action",
    "too-large",
    "no-key",
    "unknown-action",
    "too-deep",
    "refused-by-database",
]


class TcccError(Exception):
    """The base of all errors that this project raises on purpose."""


class RecordError(TcccError):
    """A record that can never be stored as it is. `detail` never holds anything of the body."""

    def __init__(self, reason: DeadReason, detail: str) -> None:
        super().__init__(f"{reason}: {detail}")
        self.reason: DeadReason = reason
        self.detail = detail


class DependencyAway(TcccError):  # noqa: N818 -- a state of affairs, not our fault
    """Something we lean on does not answer; the work may be tried again."""


class BrokerAway(DependencyAway):
    """Kafka did not confirm in time; the record may still have been written."""


class DatabaseAway(DependencyAway):
    """Postgres cannot be reached, or gave up a transaction that may succeed later."""


class SpoolAway(DependencyAway):
    """The spool cannot take a record: full, or its disk refuses."""


class IssuerAway(DependencyAway):
    """The issuer of tokens gives no keys to judge them by."""


class VendorAway(DependencyAway):
    """The vendor's API does not answer, or its pages contradict each other; a later try may do better."""


class WorkersAway(DependencyAway):
    """The workers do not consume what is waiting for them."""


class OperatorError(TcccError):
    """A person has to act; the message says what to do and holds no secret."""


class SettingsError(OperatorError):
    """A setting is missing, unknown or bad; the message names it and never shows its value."""


class VendorRefused(OperatorError):  # noqa: N818 -- reads as what it is
    """The vendor's API refuses what we ask; the message holds its code and what to do about it."""


class AccessRefused(OperatorError):  # noqa: N818 -- reads as what it is
    """A certificate that cannot be trusted, or credentials that are refused; the message names the setting."""


class SchemaMismatch(OperatorError):  # noqa: N818 -- reads as what it is
    """The database is older or newer than this program can work with."""
