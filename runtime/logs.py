"""Structured logs: an event and its facts, one JSON object a line when not on a terminal.

No body, phone number, mail address or secret is ever passed to a logger; exceptions are logged with their
type and place, without the message of those that are not ours, which may quote data. What libraries log is
shown without the exceptions and bytes in it, and without what looks like a number or a mail address.
"""

import contextlib
import logging
import re
import sys
import traceback
from collections.abc import Mapping
from typing import Any, TextIO

import structlog
from structlog.typing import EventDict, Processor

from schemas.errors import TcccError
from schemas.settings import Settings


def configure(settings: Settings) -> None:
    """Set up logging for this process, on standard error; libraries' own loggers end there too."""
    level = logging.getLevelNamesMapping()[settings.log_level.upper()]
    on_terminal = settings.log_format == "console" or (settings.log_format == "auto" and sys.stderr.isatty())
    shared: list[Processor] = [
        structlog.stdlib.add_log_level,
        structlog.stdlib.add_logger_name,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        _without_messages,
    ]
    renderer: Processor = (
        structlog.dev.ConsoleRenderer() if on_terminal else structlog.processors.JSONRenderer()
    )
    structlog.configure(
        processors=[
            structlog.stdlib.filter_by_level,
            *shared,
            structlog.stdlib.ProcessorFormatter.wrap_for_formatter,
        ],
        logger_factory=structlog.stdlib.LoggerFactory(),
        cache_logger_on_first_use=True,
    )
    handler = _Handler(sys.stderr)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=[*shared, _without_data],
            pass_foreign_args=True,
            processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, renderer],
        )
    )
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(level)
    # aiokafka warns on each reconnect and prints records' errors; asyncio prints task exceptions with data.
    for chatty in ("aiokafka", "asyncio", "aiohttp"):
        logging.getLogger(chatty).setLevel(max(level, logging.ERROR))
    handler.addFilter(_Damper(("aiokafka", "asyncio", "aiohttp", "opentelemetry")))


def _without_data(_logger: Any, _method: str, event: EventDict) -> EventDict:
    """Word what a library says anew, from its template; of asyncio the first line: the others show objects."""
    record: logging.LogRecord = event["_record"]
    args = event.pop("positional_args", ())
    shown = (
        {k: _shown(v) for k, v in args.items()}
        if isinstance(args, Mapping)
        else tuple(map(_shown, args or ()))
    )
    template = _shown(record.msg)
    said = str(template) % shown if shown else str(template)
    said = said.partition("\n")[0] if record.name == "asyncio" else said
    event["event"] = _TELLING.sub("#", said)
    return event


def _shown(value: object) -> object:
    if isinstance(value, BaseException):
        return type(value).__name__
    return f"{len(value)} bytes" if isinstance(value, bytes | bytearray | memoryview) else value


_TELLING = re.compile(r"[0-9]{7,}|[^\s\"'<>]+@[^\s\"'<>]+")


class _Handler(logging.StreamHandler[TextIO]):
    """Where a line cannot be written, logging's own would show its message and arguments."""

    def handleError(self, record: logging.LogRecord) -> None:  # noqa: N802 -- logging's name
        with contextlib.suppress(OSError, ValueError):
            error = type(sys.exc_info()[1]).__name__
            self.stream.write(
                f'{{"event": "log line not written", "logger": "{record.name}", "error": "{error}"}}\n'
            )


class _Damper(logging.Filter):
    """Of libraries that say the same thousands of times while something is away, lets one of each kind pass."""

    every_s = 10.0

    def __init__(self, loggers: tuple[str, ...]) -> None:
        super().__init__()
        self._loggers = loggers
        self._passed_at: dict[tuple[str, object], float] = {}

    def filter(self, record: logging.LogRecord) -> bool:
        if not record.name.startswith(self._loggers):
            return True
        kind = (record.name, record.lineno)
        if record.created - self._passed_at.get(kind, 0.0) < self.every_s:
            return False
        self._passed_at[kind] = record.created
        return True


def _without_messages(_logger: Any, _method: str, event: EventDict) -> EventDict:
    """Replace an exception by its type and place."""
    info = event.pop("exc_info", None)
    if info is True:
        info = sys.exc_info()
    error = info if isinstance(info, BaseException) else info[1] if isinstance(info, tuple) else None
    if error is not None:
        event.update(describe(error))
    return event


def describe(error: BaseException) -> dict[str, str]:
    """An error as facts for a log: its type, where it was raised, and its message only if it is ours."""
    frames = traceback.extract_tb(error.__traceback__)
    facts = {"error": type(error).__name__}
    if frames:
        facts["at"] = f"{frames[-1].filename.rpartition('site-packages/')[2]}:{frames[-1].lineno}"
    if isinstance(error, TcccError):
        facts["detail"] = str(error)
    return facts
