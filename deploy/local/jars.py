"""The pinned jars of Apache Kafka: got once through jgo, checked against the manifest, kept in the user's cache.

The manifest has the form of sha256sum; its paths are those of a Maven repository, and so say each jar's
coordinates. jgo only downloads: what is used is what the manifest lists, whatever a resolver would say today.
"""

import hashlib
import os
import shutil
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor, as_completed
from pathlib import Path, PurePosixPath

from jgo.maven import MavenContext
from msgspec import Struct

from deploy.local.file_lock import locked
from schemas.errors import OperatorError

Progress = Callable[[str, int, int], None]  # what is being done, steps done, steps in all

MANIFEST = Path(__file__).with_name("kafka_jars.txt")
KAFKA = "org/apache/kafka/kafka_2.13"

_DOWNLOADS = 8
_TIMEOUT_S = 30
_TRIES = 3
_LOCK_WAIT_S = 600.0  # as long as another process may take to download it all on a slow line


class Pin(Struct, frozen=True):
    """One line of the manifest."""

    sha256: str
    path: PurePosixPath


def no_progress(_what: str, _done: int, _total: int) -> None:
    """Show nothing."""


def read_manifest(manifest: Path = MANIFEST) -> list[Pin]:
    lines = manifest.read_text(encoding="ascii").splitlines()
    return [Pin(sha256=line[:64], path=PurePosixPath(line[64:].strip())) for line in lines if line]


def cache_folder(environ: Mapping[str, str] = os.environ) -> Path:
    """Give the folder for this version of Kafka, in the user's cache."""
    base = environ.get("XDG_CACHE_HOME", "")
    cache = Path(base) if Path(base).is_absolute() else Path.home() / ".cache"
    version = next(pin.path.parent.name for pin in read_manifest() if str(pin.path).startswith(KAFKA + "/"))
    return cache / "tccc-ingest" / f"kafka-{version}"


def ensure_jars(folder: Path, progress: Progress = no_progress, manifest: Path = MANIFEST) -> list[Path]:
    """Return the jars, after downloading them if this is the first time; needs no network after that.

    Safe for several processes at once. OperatorError if a jar cannot be had or is not the pinned one.
    """
    pins = read_manifest(manifest)
    jars = folder / "jars"
    # The folder appears whole, after every jar was checked; its marker names the manifest that it was checked by.
    marker = hashlib.sha256(manifest.read_bytes()).hexdigest()
    if not _is_whole(jars, marker):
        with locked(folder / "jars.lock", _LOCK_WAIT_S):
            if not _is_whole(jars, marker):
                _build(jars, pins, marker, progress)
    return [jars / pin.path.name for pin in pins]


def verify(jar: Path, pin: Pin) -> None:
    """Raise OperatorError unless the file is the one that the manifest pins."""
    with jar.open("rb") as file:
        found = hashlib.file_digest(file, "sha256").hexdigest()
    if found != pin.sha256:
        raise OperatorError(f"{pin.path.name} is not the pinned file: sha256 {found}, expected {pin.sha256}")


def _is_whole(jars: Path, marker: str) -> bool:
    try:
        return (jars / "checked").read_text(encoding="ascii") == marker
    except OSError:
        return False


def _build(jars: Path, pins: list[Pin], marker: str, progress: Progress) -> None:
    fresh = jars.with_name("jars.new")
    shutil.rmtree(fresh, ignore_errors=True)
    (fresh / "downloads").mkdir(parents=True)
    context = MavenContext(repo_cache=fresh / "downloads", timeout=_TIMEOUT_S)
    done = 0
    with ThreadPoolExecutor(_DOWNLOADS, thread_name_prefix="jars") as pool:
        try:
            for got in as_completed([pool.submit(_fetch, context, pin, fresh) for pin in pins]):
                got.result()
                done += 1
                progress("downloading Apache Kafka", done, len(pins))
        except BaseException:
            pool.shutdown(wait=False, cancel_futures=True)
            raise
    shutil.rmtree(fresh / "downloads")
    (fresh / "checked").write_text(marker, encoding="ascii")
    shutil.rmtree(jars, ignore_errors=True)
    fresh.rename(jars)


def _fetch(context: MavenContext, pin: Pin, folder: Path) -> None:
    """Download one jar, check it, and only then put it into the folder."""
    *group, artifact, version, _file = pin.path.parts
    wanted = context.project(".".join(group), artifact).at_version(version).artifact()
    for tries_left in reversed(range(_TRIES)):
        try:
            got = wanted.resolve()
            break
        # requests' errors are OSErrors; jgo raises RuntimeError for a jar that no repository gave
        except (OSError, RuntimeError) as exc:
            (context.repo_cache / pin.path).unlink(missing_ok=True)  # it would pass for a download
            if tries_left == 0:
                raise OperatorError(
                    f"{pin.path.name} could not be downloaded ({type(exc).__name__}): the first start needs the network"
                ) from exc
    verify(got, pin)
    got.rename(folder / pin.path.name)
