"""The endpoint: one POST to `/`, its signature and limits checked, answered from the store, or wrongly on purpose."""

import asyncio
import time
import uuid
from collections import deque
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import msgspec
from aiohttp import web

from console.fake_vendor.faults import Fault, Faults
from console.fake_vendor.parameters import ApiError, Query, read_query
from console.fake_vendor.signature import SECRET_ID, SECRET_KEY, Keys
from console.fake_vendor.store import Store
from schemas.settings import host_port

ACTION, VERSION = "DescribeTelCdr", "2020-02-10"
REQUESTS_PER_S = 20

_JSON = "application/json"


class FakeVendor:
    """`requests_at` dates the latest requests, for tests that count how many there were in a second."""

    def __init__(
        self,
        store: Store,
        sdk_app_id: int,
        *,
        faults: Faults | None = None,
        late_s: float = 60.0,
        requests_per_s: int = REQUESTS_PER_S,
    ) -> None:
        self.store = store
        self.faults = faults or Faults()
        self.requests_at: deque[float] = deque(maxlen=100_000)
        self._sdk_app_id = sdk_app_id
        self._keys = Keys(SECRET_ID, SECRET_KEY)
        self._late_s = late_s
        self._allowed_at: deque[float] = deque(maxlen=requests_per_s)

    async def answer(self, request: web.Request) -> web.StreamResponse:
        body = await request.read()
        self.requests_at.append(time.monotonic())
        fault = self.faults.next()
        wrong = await self._transport_fault(request, fault)
        if wrong is not None:
            return wrong
        try:
            query = self._read(request, body, fault)
        except ApiError as exc:
            return _error(exc)
        total, elements = self.store.find(_asked_wrongly(query, fault))
        if fault == "changed-count":
            total += self.faults.made[fault]
        return _page(total, _told_wrongly(elements, fault))

    def _read(self, request: web.Request, body: bytes, fault: Fault | None) -> Query:
        headers = {name.lower(): value for name, value in request.headers.items()}
        if fault == "signature":
            headers["authorization"] = headers.get("authorization", "")[:-64] + "0" * 64
        self._keys.check(headers, body, time.time())
        if (headers.get("x-tc-action"), headers.get("x-tc-version")) != (ACTION, VERSION):
            raise ApiError("InvalidAction", "Only DescribeTelCdr of 2020-02-10 is here.")
        if fault == "rate-limit" or self._too_many():
            raise ApiError("RequestLimitExceeded", "Your current request times equals to `21` in a second.")
        if fault == "internal-error":
            raise ApiError("InternalError", "An internal error has occurred. Retry your request.")
        return read_query(body, self._sdk_app_id, time.time())

    def _too_many(self) -> bool:
        """More than the limit within any one second."""
        now = time.monotonic()
        if len(self._allowed_at) == self._allowed_at.maxlen and now - self._allowed_at[0] < 1.0:
            return True
        self._allowed_at.append(now)
        return False

    async def _transport_fault(self, request: web.Request, fault: Fault | None) -> web.StreamResponse | None:
        match fault:
            case "time-out":
                await asyncio.sleep(self._late_s)
            case "connection-lost":
                assert request.transport is not None
                request.transport.abort()
            case "bad-gateway":
                return web.Response(status=502, text="<html>Bad Gateway</html>", content_type="text/html")
            case "not-json":
                return web.Response(body=b'{"Response": {"TotalCount": 1', content_type=_JSON)
            case "error-as-text":  # the vendor's SDK looks for errors only under the plain content type
                answer = _error(ApiError("InternalError", "An internal error has occurred."))
                answer.headers["Content-Type"] = "application/json; charset=utf-8"
                return answer
            case _:
                return None
        return web.Response(status=504)


def _asked_wrongly(query: Query, fault: Fault | None) -> Query:
    if fault == "repeated-page":
        return msgspec.structs.replace(query, page_number=max(0, query.page_number - 1))
    return query


def _told_wrongly(elements: list[bytes], fault: Fault | None) -> list[bytes]:
    match fault:
        case "bad-page":
            return [b'{"Caller": "1"}', *elements[1:]]
        case "empty-page":
            return []
        case "short-page":
            return elements[: len(elements) // 2]
        case _:
            return elements


def _page(total: int, elements: list[bytes]) -> web.Response:
    body = b'{"Response":{"TotalCount":%d,"TelCdrList":[%b],"RequestId":"%b"}}'
    return web.Response(body=body % (total, b",".join(elements), _request_id()), content_type=_JSON)


def _error(error: ApiError) -> web.Response:
    told = {"Code": error.code, "Message": error.message}
    response = {"Response": {"Error": told, "RequestId": _request_id().decode()}}
    return web.Response(body=msgspec.json.encode(response), content_type=_JSON)


def _request_id() -> bytes:
    return str(uuid.uuid4()).encode()


@asynccontextmanager
async def serving(vendor: FakeVendor, address: str = "127.0.0.1:0") -> AsyncIterator[str]:
    """Serve until the block ends; yields the URL for TCCC_VENDOR_ENDPOINT."""
    app = web.Application()
    app.router.add_post("/", vendor.answer)
    runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.1)
    await runner.setup()
    try:
        host, port = host_port(address)
        await web.TCPSite(runner, host, port).start()
        yield f"http://{host}:{runner.addresses[0][1]}"
    finally:
        await runner.cleanup()
