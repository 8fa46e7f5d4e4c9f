"""The machine it runs on: the folder and disk of the spool, the limit of open files."""

import resource
import shutil
import tempfile
from pathlib import Path

from console.doctor.finding import Finding, fail, ok, warn
from console.status.screen import size
from schemas.settings import Settings

FEW_FILES = 4096


def examine(settings: Settings, *, receives: bool) -> list[Finding]:
    """Blocks for as long as the disk does; only a machine that receives has a spool."""
    return [*(_spool(settings) if receives else ()), _open_files()]


def _spool(settings: Settings) -> list[Finding]:
    check = "spool"
    if not settings.spool_dir:
        remedy = "Pushes are refused while Kafka is away: set TCCC_SPOOL_DIR to a folder on a local disk."
        return [warn(check, "TCCC_SPOOL_DIR is empty: there is no spool", remedy)]
    folder = Path(settings.spool_dir).absolute()
    existing = next(path for path in (folder, *folder.parents) if path.exists())
    try:
        with tempfile.TemporaryFile(dir=existing) as probe:
            probe.write(b"tccc doctor")
            probe.flush()
        free_bytes = shutil.disk_usage(existing).free
    except OSError as exc:
        remedy = "Receivers have to write there: mend its owner and mode, or set TCCC_SPOOL_DIR elsewhere."
        return [fail(check, f"{existing} cannot be written: {exc.strerror}", remedy)]
    detail = f"{folder}{'' if existing == folder else ' (not made yet)'}, {size(free_bytes)} free"
    if free_bytes < settings.spool_max_bytes:
        remedy = (
            f"TCCC_SPOOL_MAX_BYTES is {size(settings.spool_max_bytes)}: free space on the disk, or lower it."
        )
        return [warn(check, detail, remedy)]
    return [ok(check, detail)]


def _open_files() -> Finding:
    limit, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    detail = f"{'unlimited' if limit == resource.RLIM_INFINITY else limit} (ulimit -n)"
    if limit != resource.RLIM_INFINITY and limit < FEW_FILES:
        remedy = "Each connection of a sender takes one: raise it where receivers run (ulimit -n 65536, LimitNOFILE=)."
        return warn("open files", detail, remedy)
    return ok("open files", detail)
