import json
import logging
from collections.abc import Iterator
from typing import Any

import pytest
import structlog

from runtime.logs import configure
from schemas.errors import BrokerAway
from schemas.settings import Settings


@pytest.fixture(autouse=True)
def _restored() -> Iterator[None]:
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    yield
    root.handlers[:] = handlers
    root.setLevel(level)
    structlog.reset_defaults()


def logged(capsys: pytest.CaptureFixture[str]) -> list[dict[str, Any]]:
    return [json.loads(line) for line in capsys.readouterr().err.splitlines()]


def test_one_json_object_a_line(capsys: pytest.CaptureFixture[str]) -> None:
    configure(Settings(log_format="json"))
    structlog.get_logger("here").warning("happened", records=3)
    logging.getLogger("a.library").warning("said %s", "so")
    ours, theirs = logged(capsys)
    assert {name: ours[name] for name in ("event", "records", "level", "logger")} == {
        "event": "happened",
        "records": 3,
        "level": "warning",
        "logger": "here",
    }
    assert (theirs["event"], theirs["logger"]) == ("said so", "a.library")


def test_an_exception_is_told_by_type_and_place_not_by_its_message(
    capsys: pytest.CaptureFixture[str],
) -> None:
    configure(Settings(log_format="json"))
    for error in (ValueError("number 008613800138000"), BrokerAway("not confirmed")):
        try:
            raise error
        except (ValueError, BrokerAway):
            structlog.get_logger("here").exception("failed")
            logging.getLogger("a.library").exception("failed too")
    lines = logged(capsys)
    assert [line["error"] for line in lines] == ["ValueError"] * 2 + ["BrokerAway"] * 2
    assert [line.get("detail") for line in lines] == [None, None, "not confirmed", "not confirmed"]
    assert all("test_logs.py" in line["at"] for line in lines)
    assert "0086138" not in json.dumps(lines)


def test_the_level_is_obeyed(capsys: pytest.CaptureFixture[str]) -> None:
    configure(Settings(log_format="json", log_level="error"))
    structlog.get_logger("here").warning("quiet")
    assert logged(capsys) == []


def test_a_library_that_repeats_itself_is_heard_once(capsys: pytest.CaptureFixture[str]) -> None:
    configure(Settings(log_format="json"))
    for n in range(100):
        logging.getLogger("aiokafka").error("no node %d", n)
        structlog.get_logger("here").error("ours", n=n)
    names = [line["logger"] for line in logged(capsys)]
    assert (names.count("aiokafka"), names.count("here")) == (1, 100)


def test_what_a_library_says_shows_no_data(capsys: pytest.CaptureFixture[str]) -> None:
    configure(Settings(log_format="json"))
    library = logging.getLogger("a.library")
    library.error("cannot %s: %r after %d tries", "send", ValueError("Li Si"), 3)
    library.error("of %(who)s", {"who": "li.si@example.com"})
    library.error(ValueError("Li Si"))
    library.error("got %s from 0086%s", b"Li Si", "13800138000")
    library.error("a template that does not fit %s %s", "Li Si")
    logging.getLogger("asyncio").error(
        "Task exception was never retrieved\nfuture: <Task ValueError('Li Si')>"
    )
    assert [line["event"] for line in logged(capsys)] == [
        "cannot send: 'ValueError' after 3 tries",
        "of #",
        "ValueError",
        "got 5 bytes from #",
        "log line not written",
        "Task exception was never retrieved",
    ]
