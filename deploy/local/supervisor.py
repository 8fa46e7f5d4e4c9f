"""Starts again what has died, with waits that grow for what keeps dying and never exceed a bound."""

import time
from collections.abc import Callable

import structlog
from msgspec import Struct

from schemas.errors import OperatorError

_FIRST_WAIT_S = 0.2
_LONGEST_WAIT_S = 15.0
_HEALTHY_AFTER_S = 30.0  # one that lived this long starts over with the first wait

log = structlog.get_logger()


class Unit(Struct, frozen=True, kw_only=True):
    """Something that is either running or can be started without waiting for it."""

    name: str
    running: Callable[[], bool]
    spawn: Callable[[], None]


class _Watched(Struct):
    unit: Unit
    started_at: float
    wait_s: float = _FIRST_WAIT_S
    restart_at: float | None = None


class Supervisor:
    """Call `step` often; it never blocks for longer than a start takes."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._watched: list[_Watched] = []

    def watch(self, unit: Unit) -> None:
        self._watched.append(_Watched(unit, started_at=self._clock()))

    def step(self) -> bool:
        """Start what has died and has waited long enough; tell whether anything was started."""
        started = [self._step(watched) for watched in self._watched]  # every one, not up to the first
        return any(started)

    def _step(self, watched: _Watched) -> bool:
        now = self._clock()
        if watched.unit.running():
            return False
        if watched.restart_at is None:
            if now - watched.started_at >= _HEALTHY_AFTER_S:
                watched.wait_s = _FIRST_WAIT_S
            watched.restart_at = now + watched.wait_s
            log.warning("process-died", process=watched.unit.name, restart_in_s=watched.wait_s)
            watched.wait_s = min(watched.wait_s * 2, _LONGEST_WAIT_S)
        if now < watched.restart_at:
            return False
        watched.restart_at = None
        watched.started_at = now
        try:
            watched.unit.spawn()
        except (OperatorError, OSError) as exc:
            log.error("restart-failed", process=watched.unit.name, reason=str(exc))  # noqa: TRY400 -- no trace
            return False
        return True
