"""The worker's connection to Postgres, and the one place where the driver's exceptions become ours."""

import asyncio
import re
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from typing import TYPE_CHECKING, Any, TypeAlias

import asyncpg

from schemas.errors import AccessRefused, DatabaseAway, SettingsError, TcccError
from worker.database_access import refusal, require_files

if TYPE_CHECKING:
    Connection: TypeAlias = asyncpg.Connection[asyncpg.Record]
else:
    Connection = asyncpg.Connection

CONNECT_TIMEOUT_S = 10.0
_PG_EPOCH_US = 946_684_800_000_000  # 2000-01-01 in µs since 1970
# Data exceptions, integrity violations, and limits that a value exceeds (an index row too large): the data's fault.
_REFUSALS = ("22", "23", "54")
_COPY_LINE = re.compile(r"COPY \w+, line (\d+)")


class Refused(TcccError):  # noqa: N818 -- a verdict on data, caught by who can take the batch apart
    """The database refuses something in the statement's data; the transaction is undone.

    `line` counts from 1 among the records of a COPY; None where the database does not tell.
    """

    def __init__(self, detail: str, line: int | None = None) -> None:
        super().__init__(detail)
        self.line = line
        self.session_id: str | None = None


class Conflict(DatabaseAway):
    """Another transaction changed the same rows first; reading anew and trying again will do.

    `unique`: by a unique index, which may be the operator's own and then refuses the row however often it is tried.
    """

    def __init__(self, detail: str, *, unique: bool = False) -> None:
        super().__init__(detail)
        self.unique = unique


class Unclear(Conflict):
    """The database does not tell what is wrong: of a COPY, Citus passes on a node's words and not its SQLSTATE."""


@contextmanager
def translated() -> Iterator[None]:
    """Translate what the driver raises, without its message, which may quote data."""
    try:
        yield
    except (asyncpg.UniqueViolationError, asyncpg.DeadlockDetectedError, asyncpg.SerializationError) as exc:
        unique = isinstance(exc, asyncpg.UniqueViolationError)
        raise Conflict(f"SQLSTATE {exc.sqlstate}", unique=unique) from exc
    except asyncpg.InternalServerError as exc:
        raise Unclear(f"SQLSTATE {exc.sqlstate}") from exc
    except asyncpg.PostgresError as exc:
        sqlstate = exc.sqlstate or ""
        if sqlstate.startswith(_REFUSALS):
            raise Refused(f"SQLSTATE {sqlstate} ({type(exc).__name__})", _copy_line(exc)) from exc
        raise DatabaseAway(f"SQLSTATE {sqlstate} ({type(exc).__name__})") from exc
    except asyncpg.InternalClientError as exc:  # a connection that was cut just when a statement began
        raise DatabaseAway(type(exc).__name__) from exc
    except (asyncpg.InterfaceError, OSError, TimeoutError) as exc:
        # A value that the driver cannot encode is an InterfaceError and a ValueError; so is, with OSError, a
        # certificate that cannot be verified.
        if isinstance(exc, ValueError) and not isinstance(exc, OSError):
            raise Refused(type(exc).__name__) from exc
        raise DatabaseAway(type(exc).__name__) from exc
    except (OverflowError, TypeError, ValueError) as exc:
        raise Refused(type(exc).__name__) from exc


def _copy_line(exc: asyncpg.PostgresError) -> int | None:
    """Where COPY was; the rest of the context quotes data."""
    match = _COPY_LINE.match(getattr(exc, "context", None) or "")
    return int(match[1]) if match else None


async def connect(url: str) -> Connection:
    """Connect; raises DatabaseAway, or SettingsError or AccessRefused where waiting will not help."""
    if not url:
        raise SettingsError("TCCC_DATABASE_URL is not set: postgresql://USER:PASSWORD@HOST:PORT/DATABASE")
    require_files(url)
    try:
        with translated():
            connection: Connection = await asyncpg.connect(
                url, timeout=CONNECT_TIMEOUT_S, server_settings={"application_name": "tccc-ingest"}
            )
    except Refused as exc:
        raise SettingsError("TCCC_DATABASE_URL is not an address of the form postgresql://…") from exc
    except DatabaseAway as exc:
        words = refusal(exc.__cause__) or await _verdict_on_our_certificate(url, exc.__cause__)
        if words is not None:
            raise AccessRefused(f"TCCC_DATABASE_URL: {words}") from exc
        raise
    # Times travel as integers: datetime objects would cost a third of the worker's CPU time.
    await connection.set_type_codec(
        "timestamptz", schema="pg_catalog", encoder=_encode_us, decoder=_decode_us, format="tuple"
    )
    return connection


async def _verdict_on_our_certificate(url: str, error: BaseException | None) -> str | None:
    """With TLS 1.3 the server judges a client's certificate after the handshake, and what it says may be lost."""
    if not isinstance(error, asyncpg.ConnectionDoesNotExistError) or "sslcert=" not in url:
        return None
    try:
        connection = await asyncpg.connect(
            f"{url}&ssl_max_protocol_version=TLSv1.2", timeout=CONNECT_TIMEOUT_S
        )
    except (OSError, TimeoutError, asyncpg.PostgresError, asyncpg.InterfaceError) as exc:
        return refusal(exc)
    connection.terminate()
    return None


@asynccontextmanager
async def connected(url: str) -> AsyncIterator[Connection]:
    """A connection for the length of a block."""
    connection = await connect(url)
    try:
        yield connection
    finally:
        # Closing politely can hang where the backend is frozen.
        connection.terminate()


class Database:
    """One connection, made when it is needed and thrown away when it fails or is too slow."""

    def __init__(
        self, url: str, *, timeout_s: float, prepare: Callable[[Connection], Awaitable[None]]
    ) -> None:
        self._url = url
        self._timeout_s = timeout_s
        self._prepare = prepare
        self._connection: Connection | None = None
        self._let_in = False

    @asynccontextmanager
    async def connection(self) -> AsyncIterator[Connection]:
        """Lend the connection for a block of at most `timeout_s`; raises DatabaseAway.

        A connection that was lost, cancelled in mid-statement or too slow is terminated: closing it politely,
        or cancelling its statement, can hang where the backend is frozen.
        """
        connection = self._connection
        if connection is None or connection.is_closed():
            connection = self._connection = await self._connect()
        deadline = asyncio.get_running_loop().call_later(self._timeout_s, connection.terminate)
        try:
            yield connection
        except (DatabaseAway, asyncio.CancelledError) as exc:
            if isinstance(exc, Unclear) or not isinstance(exc, Conflict):
                self.close()
            raise
        finally:
            deadline.cancel()

    def close(self) -> None:
        if self._connection is not None:
            self._connection.terminate()
            self._connection = None

    async def _connect(self) -> Connection:
        try:
            connection = await connect(self._url)
        except AccessRefused as exc:
            if self._let_in:  # what it was before, it may be again
                raise DatabaseAway(str(exc)) from exc
            raise
        self._let_in = True
        try:
            async with asyncio.timeout(self._timeout_s):
                await self._prepare(connection)
        except BaseException as exc:
            connection.terminate()
            if isinstance(exc, TimeoutError):
                raise DatabaseAway("no answer in time") from exc
            raise
        return connection


def _encode_us(us: int) -> tuple[int]:
    return (us - _PG_EPOCH_US,)


def _decode_us(parts: tuple[Any, ...]) -> int:
    return int(parts[0]) + _PG_EPOCH_US
