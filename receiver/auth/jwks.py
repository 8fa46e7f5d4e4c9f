"""The keys of a trusted issuer: kept, fetched anew now and then and when an unknown one is named."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping

import structlog
from joserfc.jwk import Key
from prometheus_client import CollectorRegistry, Counter

from receiver.allowance import Allowance
from receiver.auth.tokens import KeyUnknown
from receiver.circuit import Circuit
from schemas.errors import IssuerAway

REFRESH_S = 300.0
# Fetches that unknown keys may cause: so many at once, then one in ten seconds, whatever is sent to us.
UNKNOWN_PER_MINUTE = 6
SHORTEST_WAIT_S, LONGEST_WAIT_S = 1.0, 60.0

Keys = Mapping[str | None, Key]
Fetch = Callable[[], Awaitable[Keys]]

log = structlog.get_logger()


class IssuerKeys:
    """`changed` is called when the keys are others than before. While the issuer is away the keys stay."""

    def __init__(self, fetch: Fetch, registry: CollectorRegistry) -> None:
        self._fetch = fetch
        self._keys: Keys | None = None
        self._allowance = Allowance(UNKNOWN_PER_MINUTE)
        self._under_way: asyncio.Task[None] | None = None
        self._fetches = Counter(
            "tccc_receiver_jwks_fetches", "Fetches of the issuer's keys", ["outcome"], registry=registry
        )
        self._circuit = Circuit(
            asyncio.get_running_loop().time, shortest_s=SHORTEST_WAIT_S, longest_s=LONGEST_WAIT_S
        )
        self.changed: Callable[[], None] = lambda: None

    @property
    def known(self) -> bool:
        """Whether the keys have been fetched, ever."""
        return self._keys is not None

    def find(self, kid: str | None) -> Key:
        """Raises KeyUnknown; IssuerAway if there are no keys yet."""
        if self._keys is None:
            raise IssuerAway("the issuer's keys have not been fetched yet")
        try:
            return self._keys[kid]
        except KeyError:
            raise KeyUnknown from None

    def refresh(self) -> Awaitable[None] | None:
        """Have the keys fetched for the sake of an unknown one; None if that was done too often of late."""
        if self._under_way is None and not self._allowance.take():
            return None
        return asyncio.shield(self._fetching())

    async def keep(self) -> None:
        """Fetch the keys, and again and again, until cancelled."""
        try:
            while True:
                await asyncio.shield(self._fetching())
                await asyncio.sleep(self._circuit.next_wait_s() if self._circuit.failures else REFRESH_S)
        finally:
            if (fetch := self._under_way) is not None:
                fetch.cancel()
                await asyncio.wait([fetch])

    def _fetching(self) -> asyncio.Task[None]:
        """One fetch at a time, which all who want one wait for."""
        if self._under_way is None:
            self._under_way = asyncio.create_task(self._fetch_once())
        return self._under_way

    async def _fetch_once(self) -> None:
        try:
            keys = await self._fetch()
        except IssuerAway as exc:
            self._circuit.failed()
            self._fetches.labels("failed").inc()
            log.warning("issuer_away", detail=str(exc), keys=len(self._keys or ()))
        else:
            self._circuit.succeeded()
            self._fetches.labels("done").inc()
            self._adopt(keys)
        finally:
            self._under_way = None

    def _adopt(self, keys: Keys) -> None:
        before = {kid: key.as_dict(private=False) for kid, key in (self._keys or {}).items()}
        self._keys = keys
        if before != {kid: key.as_dict(private=False) for kid, key in keys.items()}:
            self.changed()
            log.info("issuer_keys", keys=len(keys))
