"""Keeps the ledger's day partitions: made ahead, filled from the default one, dropped by age."""

from datetime import UTC, date, datetime, timedelta

from worker.database import Connection, translated

DAYS_AHEAD = 7
# Any number will do, as long as all workers use the same one.
_LOCK = 0x7463_6364


async def maintain(connection: Connection, *, ledger_days: int) -> list[str]:
    """Returns what was done; does nothing where another worker is at it. Raises DatabaseAway."""
    today = datetime.now(UTC).date()
    done = []
    with translated():
        async with connection.transaction():
            # Waiting for a reader's lock would make every writer wait behind us.
            await connection.execute("SET LOCAL lock_timeout = '2s'")
            if not await connection.fetchval("SELECT pg_try_advisory_xact_lock($1)", _LOCK):
                return []
            existing = await _days(connection)
            for day in (today + timedelta(days=n) for n in range(-1, DAYS_AHEAD + 1)):
                if day not in existing:
                    await _make(connection, day)
                    done.append(f"made {_name(day)}")
            oldest = today - timedelta(days=ledger_days)
            for day in sorted(day for day in existing if day < oldest):
                await connection.execute(f"DROP TABLE tccc.{_name(day)}")
                done.append(f"dropped {_name(day)}")
            await connection.execute(
                "DELETE FROM tccc.push_default WHERE settled_at < $1", _midnight_us(oldest)
            )
    return done


async def _days(connection: Connection) -> set[date]:
    names = await connection.fetch(
        "SELECT inhrelid::regclass::text AS name FROM pg_inherits WHERE inhparent = 'tccc.push'::regclass"
    )
    suffixes = (record["name"].rpartition("push_")[2] for record in names)
    return {date.fromisoformat(suffix) for suffix in suffixes if suffix.isdigit()}


async def _make(connection: Connection, day: date) -> None:
    """Make a day's partition, with the rows of that day that have gone to the default one."""
    name = _name(day)
    start, end = day.isoformat(), (day + timedelta(days=1)).isoformat()
    await connection.execute(
        f"""
        CREATE TABLE tccc.{name} (LIKE tccc.push INCLUDING DEFAULTS INCLUDING CONSTRAINTS);
        WITH moved AS (
            DELETE FROM tccc.push_default
            WHERE received_at >= '{start} 00:00:00+00' AND received_at < '{end} 00:00:00+00' RETURNING *
        ) INSERT INTO tccc.{name} SELECT * FROM moved;
        ALTER TABLE tccc.push ATTACH PARTITION tccc.{name}
            FOR VALUES FROM ('{start} 00:00:00+00') TO ('{end} 00:00:00+00');
        """  # noqa: S608 -- names and dates of our own making
    )


def _name(day: date) -> str:
    return f"push_{day:%Y%m%d}"


def _midnight_us(day: date) -> int:
    return int(datetime(day.year, day.month, day.day, tzinfo=UTC).timestamp()) * 1_000_000
