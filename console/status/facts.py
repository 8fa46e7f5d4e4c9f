"""What `tccc status` tells: the shape of its JSON object. What could not be asked is None, and named in `away`."""

from msgspec import Struct

from deploy.local.state import Pids


class Receiver(Struct, frozen=True, kw_only=True):
    """`pushes` counts answers by outcome since it started; `reason` says why it is not ready."""

    admin_url: str
    ready: bool
    reason: str | None
    kafka_connected: bool | None
    pushes: dict[str, int]
    in_flight: int | None
    spool_records: int | None
    spool_bytes: int | None
    spool_oldest_s: float | None


class Worker(Struct, frozen=True, kw_only=True):
    """`pushes` counts records by outcome since it started; partitions and lag are as it says itself."""

    admin_url: str
    ready: bool
    reason: str | None
    pushes: dict[str, int]
    partitions: list[int]
    lag_records: int


class Spool(Struct, frozen=True, kw_only=True):
    """Of all receivers together; `oldest_s` is None if it is empty."""

    records: int
    bytes: int
    oldest_s: float | None


class Partition(Struct, frozen=True, kw_only=True):
    """As the brokers say; `committed_offset` is None if the group never committed, `owner` if nobody has it."""

    partition: int
    begin_offset: int
    end_offset: int
    committed_offset: int | None
    lag_records: int
    owner: str | None


class Group(Struct, frozen=True, kw_only=True):
    name: str
    state: str
    members: int


class Lag(Struct, frozen=True, kw_only=True):
    """`lost_records` were deleted by the topic's retention before the group had consumed them."""

    records: int
    lost_records: int
    group: Group
    partitions: list[Partition]


class DeadTopic(Struct, frozen=True, kw_only=True):
    records: int
    last_day: int


class DeadLetters(Struct, frozen=True, kw_only=True):
    """`by_reason` is since the receivers and workers that answer were started: the ledger keeps no reasons."""

    records: int | None
    last_day: int | None
    by_reason: dict[str, int]


class RowCount(Struct, frozen=True, kw_only=True):
    """`exact`, or the planner's estimate."""

    rows: int
    exact: bool


class Ledger(Struct, frozen=True, kw_only=True):
    """Outcomes of what was received in that time; `exact`, or estimated from a sample."""

    last_hour: dict[str, int]
    last_day: dict[str, int]
    exact: bool
    newest_age_s: float | None


class Reconciled(Struct, frozen=True, kw_only=True):
    """Of a contact centre: the span in which nothing that the vendor's API knows of is missing."""

    sdk_app_id: int
    complete_from: str | None
    complete_until: str | None


class Drift(Struct, frozen=True, kw_only=True):
    """How many fields and values, seen in the last 7 days, the protocol does not list."""

    fields: int
    values: int


class Tables(Struct, frozen=True, kw_only=True):
    schema_version: int
    rows: dict[str, RowCount]
    reconciled: list[Reconciled]
    drift: Drift


class Away(Struct, frozen=True, kw_only=True):
    """A part that could not be asked, and why."""

    part: str
    reason: str


class Status(Struct, frozen=True, kw_only=True):
    """`reconciled_until` is that of the contact centre that is the furthest behind."""

    receivers: list[Receiver]
    workers: list[Worker]
    spool: Spool | None
    lag: Lag | None
    dead_letters: DeadLetters
    schema_version: int | None
    rows: dict[str, RowCount] | None
    ledger: Ledger | None
    reconciled_until: str | None
    reconciled: list[Reconciled] | None
    drift: Drift | None
    pids: Pids | None
    away: list[Away]
