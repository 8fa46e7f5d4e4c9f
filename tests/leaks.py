"""Looks through the logs of a test run for what the tests sent: `python -m tests.leaks DIRECTORY`.

Whatever a test's process writes to standard error, and the metrics it showed last, is kept in a folder of the
run; so are the secrets that it was configured with. At the end every file there is searched for those, for the
persons of tests/payloads, and for all that looks like a mobile number or a mail address.
"""

import itertools
import json
import re
import sys
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any, NamedTuple
from urllib.parse import urlsplit

from schemas.settings import FIELDS, SECRETS, Settings

PAYLOADS = Path(__file__).parent / "payloads"
SENT = "sent.txt"  # what to look for, a line each
_PERSONAL = frozenset(
    [
        "Caller",
        "Callee",
        "Mail",
        "Phone",
        "Name",
        "Nick",
        "EndpointUser",
        "TelNumber",
        "City",
        "UserRemark",
        "Uui",
        "UserNickName",
        "ClientData",
        "RecordURL",
        "TransferTo",
        "TransferFrom",
    ]
)
_MIN_CHARS = 6  # shorter ones are words of any log
_LOOKS_PERSONAL = re.compile(
    r"(?<![0-9A-Za-z])(?:0086|\+?86)?1[3-9][0-9]{9}(?![0-9A-Za-z])"
    r"|[\w.+-]+@(?!(?:127\.0\.0\.1|localhost|\[))[\w-]+\.[a-z]{2,}"
)

_folder: Path | None = None
_numbers = itertools.count()
_sent: set[str] = set()


class Leak(NamedTuple):
    """Where something stands that should not; `text` is what."""

    file: Path
    line: int
    text: str


def keep_in(folder: Path) -> None:
    """From here on, what processes write is kept there."""
    global _folder  # noqa: PLW0603 -- one run, one folder
    _folder = folder
    send(payload_texts())


def keep(name: str, text: bytes | str) -> None:
    """Keep something that must not hold what was sent."""
    if _folder is not None and text:
        raw = text.encode() if isinstance(text, str) else text
        (_folder / f"{next(_numbers):05}-{name}.log").write_bytes(raw)


def send(texts: Iterable[str]) -> None:
    """Look for these too."""
    new = {text for text in texts if len(text) >= _MIN_CHARS and "\n" not in text} - _sent
    if _folder is not None and new:
        _sent.update(new)
        with (_folder / SENT).open("a", encoding="utf-8") as file:
            file.writelines(f"{text}\n" for text in sorted(new))


def secrets_of(settings: Settings) -> Iterator[str]:
    """Those that a process with these settings is given."""
    for name in SECRETS:
        value = str(getattr(settings, FIELDS[name].name))
        yield (urlsplit(value).password or "") if name == "TCCC_DATABASE_URL" else value


def payload_texts() -> set[str]:
    """What tests/payloads tells of persons."""
    found: set[str] = set()
    for file in PAYLOADS.glob("*.json"):
        try:
            found.update(_personal(json.loads(file.read_bytes())))
        except ValueError:
            continue  # the vendor's sample that is not JSON; its fields stand in the others
    return found


def search(folder: Path, wanted: Iterable[str]) -> list[Leak]:
    """All that stands in the folder's files and should not."""
    exact = re.compile("|".join(sorted(map(re.escape, wanted), key=len, reverse=True)) or r"(?!)")
    return [
        Leak(file, number, found[0])
        for file in sorted(folder.rglob("*.log"))
        for number, line in enumerate(file.read_text(encoding="utf-8", errors="replace").splitlines(), 1)
        for pattern in (exact, _LOOKS_PERSONAL)
        for found in pattern.finditer(line)
    ]


def kept(folder: Path) -> list[Leak]:
    """The leaks of a run that kept its logs there."""
    sent = folder / SENT
    return search(folder, sent.read_text(encoding="utf-8").splitlines() if sent.exists() else payload_texts())


def _personal(value: Any) -> Iterator[str]:
    if isinstance(value, dict):
        for name, inner in value.items():
            if name in _PERSONAL and isinstance(inner, str | int):
                yield str(inner)
            yield from _personal(inner)
    elif isinstance(value, list):
        for inner in value:
            yield from _personal(inner)


def main(argv: list[str]) -> int:
    folder = Path(argv[1])
    leaks = kept(folder)
    for leak in leaks:
        print(f"{leak.file}:{leak.line}: {leak.text}")
    print(f"{len(leaks)} leaks in {sum(1 for _ in folder.rglob('*.log'))} files")
    return 1 if leaks else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv))
