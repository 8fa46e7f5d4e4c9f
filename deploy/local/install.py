"""Gets what a local Kafka needs, once for each user: its jars, and a cache that makes it start quickly."""

from deploy.local.broker import SMALL_JVM, Runtime
from deploy.local.jars import Progress, cache_folder, ensure_jars, no_progress
from deploy.local.training import ensure_start_cache


def install_kafka(
    progress: Progress = no_progress, *, heap_mb: int = 512, collector: tuple[str, ...] = SMALL_JVM
) -> Runtime:
    """Return what runs a broker; the network is used the first time only, and nothing is read again after it.

    OperatorError says what could not be had.
    """
    folder = cache_folder()
    jars = ensure_jars(folder, progress)
    cache = ensure_start_cache(folder, jars, progress)
    flags: tuple[str, ...] = (f"-Xmx{heap_mb}m",)
    if cache is not None:
        flags += (f"-XX:AOTCache={cache}", "-Xlog:aot*=off")
    return Runtime(jars=jars, jvm_flags=flags, collector=collector)
