"""One push as the vendor makes it: an HTTP request, and whether the answer says that it was taken."""

import asyncio
import ssl
from types import TracebackType
from typing import Self

import msgspec
from msgspec import Struct
from yarl import URL

from console.simulator.connection import Connection
from console.simulator.credentials import Credentials, NoToken
from console.simulator.session import Push

PUSH_ID_HEADER = b"X-TCCC-PUSH-UUID"
CONTENT_TYPE = "application/json;charset=utf8"  # spelled as the vendor spells it

NOBODY = Credentials()


class Answer(Struct, frozen=True, gc=False):
    """`status` is 0 and `fault` says why where no answer came; `err_code` is None where it told of none."""

    status: int
    err_code: int | None = None
    text: str = ""
    fault: str = ""

    @property
    def taken(self) -> bool:
        return self.status == 200 and self.err_code == 0

    @property
    def reason(self) -> str:
        """What to count it under: `status/ErrCode`, or the fault."""
        return self.fault or f"{self.status}/{'-' if self.err_code is None else self.err_code}"


class _Told(Struct):
    code: int = msgspec.field(name="ErrCode")


class Vendor:
    """Pushes to one URL, whose path and query are kept. It neither follows redirects nor tries again."""

    def __init__(
        self,
        url: str,
        *,
        timeout_s: float,
        credentials: Credentials = NOBODY,
        tls: ssl.SSLContext | None = None,
    ) -> None:
        """`tls` is for https, if not what is usual. There are as many connections as there are pushes at a time."""
        self._url = URL(url)
        self._timeout_s = timeout_s
        self._tls = (tls or ssl.create_default_context()) if self._url.scheme == "https" else None
        self._credentials = credentials
        self._heads: dict[tuple[str, str], bytes] = {}
        self._idle: list[Connection] = []
        self._decoder = msgspec.json.Decoder(_Told)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for connection in self._idle:
            connection.close()

    async def push(self, push: Push) -> Answer:
        """Make the push once and read its answer in full. Cancelled, it may or may not have been taken."""
        try:
            async with asyncio.timeout(self._timeout_s):
                authorization = await self._credentials.line()
                try:
                    connection = await self._connection()
                except OSError:
                    return Answer(0, fault="cannot connect")
                return await self._push_over(connection, push, authorization)
        except TimeoutError:
            return Answer(0, fault="timed out")
        except (OSError, EOFError):
            return Answer(0, fault="connection broken")
        except NoToken as exc:
            return Answer(0, fault=str(exc))
        except ValueError:
            return Answer(0, fault="unreadable answer")

    async def _connection(self) -> Connection:
        while self._idle:
            if (connection := self._idle.pop()).reusable:
                return connection
            connection.close()
        return await Connection.open(self._url.raw_host or "", self._url.port or 80, self._tls)

    async def _push_over(self, connection: Connection, push: Push, authorization: bytes) -> Answer:
        kept = False
        try:
            status, body = await connection.post(self._head(push, authorization), push.body)
            kept = connection.reusable
        finally:
            if kept:
                self._idle.append(connection)
            else:
                connection.close()
        return self._read(status, body)

    def _read(self, status: int, body: bytes) -> Answer:
        try:
            code = self._decoder.decode(body).code
        except (msgspec.DecodeError, UnicodeDecodeError):
            code = None
        return Answer(status, code, body.decode(errors="replace"))

    def _head(self, push: Push, authorization: bytes) -> bytes:
        if (known := self._heads.get((push.action, push.version))) is None:
            query = (
                f"action={push.action}&version={push.version}" if push.version else f"action={push.action}"
            )
            target = f"{self._url.raw_path_qs}{'&' if self._url.raw_query_string else '?'}{query}"
            known = (
                f"POST {target} HTTP/1.1\r\nHost: {self._url.host_port_subcomponent}\r\n"
                f"User-Agent: tccc-send\r\nContent-Type: {CONTENT_TYPE}\r\n"
            ).encode()
            self._heads[push.action, push.version] = known
        return b"%b%b%b: %b\r\nContent-Length: %d\r\n\r\n" % (
            known,
            authorization,
            PUSH_ID_HEADER,
            push.push_id.encode(),
            len(push.body),
        )
