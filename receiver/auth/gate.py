"""The gate before every push: asks the check in force, and counts those that fail by their address."""

from collections.abc import Awaitable, Callable
from http import HTTPStatus

import structlog
from aiohttp.web import BaseRequest

from receiver.allowance import Allowance, AllowancePerAddress
from receiver.answers import TOO_MANY, UNAUTHORIZED_BASIC, Reply
from receiver.client_address import ClientAddresses

LOGS_PER_MINUTE = 6

Verdict = Reply | None
Check = Callable[[BaseRequest], Verdict | Awaitable[Verdict]]

log = structlog.get_logger()


class Gate:
    """Lets pass, or gives the answer that refuses. Whoever has the right credentials is never limited.

    `check` may be replaced at any time: each request is asked of the one then in force. Until it is set, none pass.
    """

    def __init__(self, addresses: ClientAddresses, failures_per_minute: int) -> None:
        self.check: Check = lambda _: UNAUTHORIZED_BASIC
        self._addresses = addresses
        self._failures = AllowancePerAddress(failures_per_minute)
        self._logs = Allowance(LOGS_PER_MINUTE)
        self._refused = 0

    def __call__(self, request: BaseRequest) -> Verdict | Awaitable[Verdict]:
        verdict = self.check(request)
        if verdict is None:
            return None
        if isinstance(verdict, Reply):
            return self.count(request, verdict)
        return self._later(request, verdict)

    def count(self, request: BaseRequest, refusal: Reply) -> Reply:
        """Give the answer for a refusal, which is another for an address that fails too often."""
        if refusal.status is not HTTPStatus.UNAUTHORIZED:
            return refusal
        self._refused += 1
        within = self._failures.take(self._addresses.of_request(request))
        if self._logs.take():
            log.warning("credentials_refused", requests=self._refused, limited=not within)
            self._refused = 0
        return refusal if within else TOO_MANY

    async def _later(self, request: BaseRequest, verdict: Awaitable[Verdict]) -> Verdict:
        settled = await verdict
        return None if settled is None else self.count(request, settled)
