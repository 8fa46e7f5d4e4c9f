"""Asks the vendor's API for a page of sessions, through its own SDK, and tries again where that may help.

The SDK blocks: it runs on threads. It looks for an error in an answer only if the content type is spelled
as it expects, and lets transport errors of a body through untranslated: both are made up for here.
"""

import asyncio
import random
import threading
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from types import TracebackType
from typing import Any, Self
from urllib.parse import urlsplit

from msgspec import Struct

from console.reconcile.pace import Pace
from console.reconcile.span import Span
from schemas.errors import OperatorError, SettingsError, VendorAway, VendorRefused
from schemas.settings import Settings

PAGE_SIZE = 100
CONNECTIONS = 4
TRIES = 6
FIRST_WAIT_S, LONGEST_WAIT_S = 0.5, 10.0

Element = dict[str, Any]

_PASSING = (
    "RequestLimitExceeded",
    "InternalError",
    "ResourceUnavailable",
    "ClientNetworkError",
    "ServerNetworkError",
)
_HINTS = {
    "AuthFailure.SignatureExpire": "set this machine's clock",
    "AuthFailure": "check TENCENTCLOUD_SECRET_ID and TENCENTCLOUD_SECRET_KEY",
    "UnauthorizedOperation": "allow ccc:DescribeTelCdr to the key's owner, and check the SdkAppId",
    "InvalidParameter": "check the SdkAppId and the times",
}


class Keys(Struct, frozen=True):
    secret_id: str
    secret_key: str


class Page(Struct, frozen=True):
    """`total` counts the sessions of the whole span."""

    total: int
    elements: list[Element]


class Vendor:
    """The sessions of one contact centre. An async context manager: its threads end with the block."""

    def __init__(
        self, settings: Settings, keys: Keys, sdk_app_id: int, *, first_wait_s: float = FIRST_WAIT_S
    ) -> None:
        self.sdk_app_id = sdk_app_id
        self._settings = settings
        self._keys = keys
        self._first_wait_s = first_wait_s
        self._pace = Pace(settings.vendor_requests_per_s)
        self._connections = asyncio.Semaphore(CONNECTIONS)
        self._threads = ThreadPoolExecutor(CONNECTIONS, thread_name_prefix="vendor")
        self._local = threading.local()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._threads.shutdown(wait=False, cancel_futures=True)

    async def page(self, span: Span, number: int) -> Page:
        """Raises VendorAway after some tries, or VendorRefused at once.

        The span is asked for with a second more at its start, since it is not documented whether its ends
        belong to it: what lies outside is for the caller to leave out.
        """
        asked = {
            "SdkAppId": self.sdk_app_id,
            "StartTimeStamp": span.start_s - 1,
            "EndTimeStamp": span.end_s,
            "PageSize": PAGE_SIZE,
            "PageNumber": number,
        }
        for wait_s in self.waits():
            try:
                return await self._once(asked)
            except VendorAway as exc:
                away = exc
                await asyncio.sleep(wait_s)
        raise away

    def waits(self) -> list[float]:
        """How long to wait after each try: growing, jittered, bounded; after the last one not at all."""
        bounds = [min(self._first_wait_s * 2**n, LONGEST_WAIT_S) for n in range(TRIES - 1)]
        return [*(random.uniform(bound / 2, bound) for bound in bounds), 0.0]  # noqa: S311 -- jitter

    async def _once(self, asked: Mapping[str, Any]) -> Page:
        loop = asyncio.get_running_loop()
        async with self._connections:
            await self._pace.turn()
            return await loop.run_in_executor(self._threads, self._ask, asked)

    def _ask(self, asked: Mapping[str, Any]) -> Page:
        """On a thread, each with a client of its own."""
        from tencentcloud.common.exception import TencentCloudSDKException

        if not hasattr(self._local, "client"):
            self._local.client = _client(self._settings, self._keys)
        try:
            answer = self._local.client.call_json("DescribeTelCdr", dict(asked))
        except TencentCloudSDKException as exc:
            raise _translated(str(exc.code)) from exc
        except (OSError, ValueError, TypeError, KeyError) as exc:
            raise VendorAway(
                f"the vendor's API breaks off, or answers in no JSON: {type(exc).__name__}"
            ) from exc
        return _page(answer)


def _page(answer: Any) -> Page:
    response = answer.get("Response") if isinstance(answer, dict) else None
    if not isinstance(response, dict):
        raise VendorAway("the vendor's API answers something that is not its own")
    if "Error" in response:
        error = response["Error"]
        raise _translated(str(error.get("Code")) if isinstance(error, dict) else "unknown")
    total, elements = response.get("TotalCount"), response.get("TelCdrList")
    if not isinstance(total, int) or not isinstance(elements, list | None):
        raise VendorAway("the vendor's API answers without TotalCount and TelCdrList")
    return Page(total, elements or [])


def _translated(code: str) -> VendorAway | VendorRefused:
    if code.startswith(_PASSING):
        return VendorAway(f"the vendor's API does not answer as it should: {code}")
    hint = next((hint for prefix, hint in _HINTS.items() if code.startswith(prefix)), None)
    return VendorRefused(f"the vendor's API refuses: {code}" + (f"; {hint}" if hint else ""))


def _client(settings: Settings, keys: Keys) -> Any:
    from tencentcloud.ccc.v20200210.ccc_client import CccClient
    from tencentcloud.common.credential import Credential
    from tencentcloud.common.profile.client_profile import ClientProfile
    from tencentcloud.common.profile.http_profile import HttpProfile

    endpoint = urlsplit(settings.vendor_endpoint)
    http = HttpProfile(
        protocol=endpoint.scheme, endpoint=endpoint.netloc, reqTimeout=settings.vendor_timeout_s
    )
    profile = ClientProfile(httpProfile=http, disable_region_breaker=True)
    return CccClient(Credential(keys.secret_id, keys.secret_key), "", profile)


def read_keys(environ: Mapping[str, str]) -> Keys:
    """From the variables that the SDK's own tools read, or the files that NAME_FILE names."""
    try:
        import tencentcloud.ccc  # noqa: F401 -- said before anything is begun
    except ImportError:
        raise OperatorError(
            "the vendor's SDK is not installed: pip install 'tccc-ingest[reconcile]'"
        ) from None
    return Keys(_secret(environ, "TENCENTCLOUD_SECRET_ID"), _secret(environ, "TENCENTCLOUD_SECRET_KEY"))


def _secret(environ: Mapping[str, str], name: str) -> str:
    file = environ.get(f"{name}_FILE")
    try:
        value = Path(file).read_text(encoding="utf-8").strip() if file else environ.get(name, "").strip()
    except (OSError, UnicodeDecodeError) as exc:
        raise SettingsError(f"{name}_FILE: the file cannot be read ({type(exc).__name__})") from None
    if not value:
        raise SettingsError(f"{name} is not set: the vendor's API asks for a key")
    return value
