"""Tells of crashes as the logs tell of errors: where, and of which type, but not with what data.

An exception's message may quote a row or a body, and so may the object that Python names where an error cannot
be raised. Whoever has set hooks of their own (a debugger, a test runner) keeps them.
"""

import sys
import threading
import traceback
from collections.abc import Iterator
from types import TracebackType
from typing import Any

import structlog

from runtime.logs import describe
from schemas.errors import TcccError


def without_data() -> None:
    """For this process, from here on: nothing that Python itself prints shows data."""
    if sys.excepthook is sys.__excepthook__:
        sys.excepthook = _crashed
    if threading.excepthook is threading.__excepthook__:
        threading.excepthook = _crashed_in_thread
    if sys.unraisablehook is sys.__unraisablehook__:
        sys.unraisablehook = _unraisable
    if not structlog.is_configured():
        # Its default shows the values of local variables.
        structlog.configure(processors=[_typed, structlog.processors.JSONRenderer()])


def outline(error: BaseException) -> Iterator[str]:
    """Lines as those of a traceback, without the messages of errors that are not ours."""
    cause = error.__cause__ or (None if error.__suppress_context__ else error.__context__)
    if cause is not None:
        yield from outline(cause)
        yield "which led to"
    for part in error.exceptions if isinstance(error, BaseExceptionGroup) else ():
        yield from outline(part)
        yield "as part of"
    yield "Traceback, without messages, which may quote data:"
    for frame in traceback.extract_tb(error.__traceback__):
        yield f"  {frame.filename}:{frame.lineno} in {frame.name}"
    yield type(error).__name__ + (f": {error}" if isinstance(error, TcccError) else "")


def _crashed(kind: type[BaseException], error: BaseException, place: TracebackType | None) -> None:
    if issubclass(kind, KeyboardInterrupt):
        sys.__excepthook__(kind, error, place)
        return
    sys.stderr.write("\n".join([*outline(error.with_traceback(place)), ""]))


def _crashed_in_thread(args: threading.ExceptHookArgs) -> None:
    if args.exc_value is not None and args.exc_type is not SystemExit:
        _crashed(args.exc_type, args.exc_value, args.exc_traceback)


def _unraisable(args: Any) -> None:
    if args.exc_value is not None:
        _crashed(args.exc_type, args.exc_value, args.exc_traceback)


def _typed(_logger: Any, _method: str, event: structlog.typing.EventDict) -> structlog.typing.EventDict:
    error = sys.exc_info()[1] if event.pop("exc_info", None) else None
    if error is not None:
        event.update(describe(error))
    return event
