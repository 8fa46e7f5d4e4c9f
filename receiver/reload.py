"""SIGHUP: what may change while a receiver serves is read anew; what cannot be used changes nothing."""

from collections.abc import Callable, Mapping

import structlog
from prometheus_client import CollectorRegistry, Counter

from schemas.errors import OperatorError

log = structlog.get_logger()


class Reload:
    """Each part is reread by itself; it raises OperatorError, and goes on with what it has, if that fails."""

    def __init__(self, parts: Mapping[str, Callable[[], None]], registry: CollectorRegistry) -> None:
        self._parts = parts
        self._count = Counter(
            "tccc_receiver_reloads", "Parts reread at SIGHUP", ["what", "outcome"], registry=registry
        )

    def __call__(self) -> None:
        """Blocks for as long as it takes to read a few small files."""
        for what, reread in self._parts.items():
            try:
                reread()
            except OperatorError as exc:
                self._count.labels(what, "failed").inc()
                log.error("reload_failed", what=what, kept="what was in force", detail=str(exc))  # noqa: TRY400 -- told in words
            else:
                self._count.labels(what, "done").inc()
                log.info("reloaded", what=what)
