import pytest

from schemas.envelope import Envelope, Origin, dead_headers, digest_push_id, push_headers, read_envelope
from tests.records import T0_US

VALUE = b'{"SessionId":"s"}'
STAMP_MS = T0_US // 1000 + 5


def test_what_is_written_is_read() -> None:
    headers = push_headers(b"cdr", b"1", b"u1", T0_US)
    assert read_envelope(headers, VALUE, STAMP_MS) == Envelope("cdr", "u1", T0_US, "push")


@pytest.mark.parametrize("push_id", [None, b"", b"x" * 201, b"\xff"])
def test_without_a_usable_push_id_action_and_body_name_the_push(push_id: bytes | None) -> None:
    headers = [("action", b"cdr")] + ([] if push_id is None else [("push-id", push_id)])
    named = read_envelope(headers, VALUE, STAMP_MS).push_id
    assert named == digest_push_id("cdr", VALUE)
    assert named != digest_push_id("record", VALUE)


@pytest.mark.parametrize("received", [None, b"", b"soon", b"-5", b"9" * 30, b"12", "１２３".encode()])
def test_without_a_usable_time_it_is_that_of_the_record(received: bytes | None) -> None:
    headers = [] if received is None else [("received-at", received)]
    assert read_envelope(headers, VALUE, STAMP_MS).received_at_us == STAMP_MS * 1000


def test_a_record_without_any_time_has_a_time_that_can_be_stored() -> None:
    assert read_envelope([], VALUE, -1).received_at_us > 0


def test_nothing_in_headers_is_trusted() -> None:
    headers = [("action", b"\xff"), ("source", b"\xff"), ("push-id", b"a\0b"), ("other", b"x")]
    named = digest_push_id("", VALUE)
    assert read_envelope(headers, VALUE, STAMP_MS) == Envelope("", named, STAMP_MS * 1000, "push")
    assert read_envelope([("action", b"c\0dr")], VALUE, STAMP_MS).action == ""
    assert read_envelope([("source", b"api")], VALUE, STAMP_MS).source == "api"


def test_a_header_without_content_is_as_if_it_were_not_there() -> None:
    headers = [("push-id", b"u1"), ("push-id", None)]
    assert read_envelope(headers, VALUE, STAMP_MS).push_id == "u1"


def test_a_dead_letter_says_why_and_whence() -> None:
    headers = dead_headers(
        stage="store",
        reason="refused-by-database",
        detail="SQLSTATE 23514",
        at_us=T0_US,
        origin=Origin("tccc.push", 3, 42),
    )
    assert dict(headers) == {
        "dead-stage": b"store",
        "dead-reason": b"refused-by-database",
        "dead-detail": b"SQLSTATE 23514",
        "dead-at": str(T0_US).encode(),
        "origin-topic": b"tccc.push",
        "origin-partition": b"3",
        "origin-offset": b"42",
    }
