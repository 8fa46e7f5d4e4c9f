"""Which pushes are taken, and why not the others."""

import hashlib
import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from receiver import answers
from receiver.admission import (
    ACTIONS,
    TRAILING_COMMAS,
    Admitted,
    Refused,
    _admit_slowly,
    admit,
    key_of,
    push_id_of,
    route,
)
from receiver.answers import Reply
from schemas.envelope import digest_push_id

CDR = route("/?action=cdr&version=1")
NONE: frozenset[int] = frozenset()


def body(session_id: Any = "s-1", **fields: Any) -> bytes:
    return json.dumps({"SessionId": session_id, **fields}, ensure_ascii=False).encode()


TARGETS: list[tuple[str, str, str, str, str | None]] = [
    ("/?action=cdr&version=1", "/", "cdr", "1", None),
    ("/?version=1&action=imcdr", "/", "imcdr", "1", None),
    ("/?action=record&version=1&more=x", "/", "record", "1", None),
    ("/?action=voicemail", "/", "voicemail", "", None),
    ("/?action=voicemail&version=", "/", "voicemail", "", None),
    ("/?action=voicemail&version=1", "/", "voicemail", "1", None),
    ("/a/b?action=cdr&version=1", "/a/b", "cdr", "1", None),
    ("/a%2Fb?action=cdr&version=1", "/a/b", "cdr", "1", None),
    ("/?%61ction=%63dr&version=%31", "/", "cdr", "1", None),
    ("http://host:80/?action=cdr&version=1", "/", "cdr", "1", None),
    ("http://host?action=cdr&version=1", "/", "cdr", "1", None),
    ("/?action=cdr&version=1#part", "/", "cdr", "1", None),
    ("/", "/", "", "", "action is missing"),
    ("/?", "/", "", "", "action is missing"),
    ("/?version=1", "/", "", "1", "action is missing"),
    ("/?action=&version=1", "/", "", "1", "action is missing"),
    ("/?action&version=1", "/", "", "1", "action is missing"),
    ("/?action=cdr", "/", "cdr", "", "version is missing"),
    ("/?action=cdr&version=", "/", "cdr", "", "version is missing"),
    ("/?action=cdr&version=2", "/", "cdr", "2", "version is unknown"),
    ("/?action=voicemail&version=2", "/", "voicemail", "2", "version is unknown"),
    ("/?action=CDR&version=1", "/", "CDR", "1", "action is unknown"),
    ("/?action=cdr&action=cdr&version=1", "/", "cdr", "1", "action is repeated"),
    ("/?action=cdr&version=1&version=1", "/", "cdr", "1", "version is repeated"),
    ("/?action=voicemail&version=&version=1", "/", "voicemail", "", "version is repeated"),
    ("/?action=cdr%0D%0AX:1&version=1", "/", "", "1", "action is unknown"),
    ("/?action=%FF&version=1", "/", "", "1", "action is unknown"),
    ("/?action=" + "x" * 65 + "&version=1", "/", "", "1", "action is unknown"),
    ("/?action=通话&version=1", "/", "通话", "1", "action is unknown"),
]


@pytest.mark.parametrize(("target", "path", "action", "version", "fault"), TARGETS)
def test_a_target_is_taken_apart(
    target: str, path: str, action: str, version: str, fault: str | None
) -> None:
    found = route(target)
    assert (found.path, found.action, found.version, found.fault) == (path, action, version, fault)


@given(st.text(max_size=300))
def test_any_target_can_be_taken_apart(target: str) -> None:
    found = route(target)
    found.action.encode()
    found.version.encode()


TAKEN: dict[str, bytes] = {
    "plain": body(),
    "no SdkAppId is needed": b'{"SessionId":"s-1"}',
    "white space around": b' \r\n\t{"SessionId": "s-1"}\n ',
    "unknown fields": body(Future={"a": [1, {"b": None}]}),
    "4-byte characters": body(Caller="\U0001f4de"),
    "Chinese": body(CallerLocation="广东深圳"),
    "NUL in a field": body(Caller="a\0b"),
    "lone surrogate elsewhere": b'{"SessionId":"s-1","Caller":"\\ud800"}',
    "256 levels": b'{"SessionId":"s-1","x":' + b"[" * 255 + b"]" * 255 + b"}",
    "brackets in a string": body(Uui="[" * 1000),
    "number of 4,000 digits": b'{"SessionId":"s-1","x":' + b"9" * 4000 + b"}",
    "SdkAppId of 5,000 digits": b'{"SessionId":"s-1","SdkAppId":' + b"9" * 5000 + b"}",
    "beyond 64 bits": b'{"SessionId":"s-1","SdkAppId":18446744073709551616}',
    "1e999": b'{"SessionId":"s-1","x":1e999}',
    "1e999 as SdkAppId": b'{"SessionId":"s-1","SdkAppId":1e999}',
    "minus zero": b'{"SessionId":"s-1","SdkAppId":-0}',
    "5,000 participants": body(ServeParticipants=[{"Sequence": i} for i in range(5000)]),
}


@pytest.mark.parametrize("sent", TAKEN.values(), ids=TAKEN.keys())
def test_taken_byte_for_byte(sent: bytes) -> None:
    assert admit(CDR, sent) == Admitted(b"s-1", sent)


def test_the_last_of_a_repeated_key_wins() -> None:
    sent = b'{"SessionId":"first","SessionId":"s-2"}'
    assert admit(CDR, sent) == Admitted(b"s-2", sent)


@pytest.mark.parametrize(
    ("sent", "strict"),
    [
        (b'{"SessionId":"s-1",}', b'{"SessionId":"s-1"}'),
        (b'{"SessionId":"s-1","a":[1,2,],"t":",]"}', b'{"SessionId":"s-1","a":[1,2],"t":",]"}'),
        ('{"SessionId":"s-1","城":["市", ]}'.encode(), '{"SessionId":"s-1","城":["市" ]}'.encode()),
    ],
)
def test_trailing_commas_are_repaired(sent: bytes, strict: bytes) -> None:
    assert admit(CDR, sent) == Admitted(b"s-1", strict, TRAILING_COMMAS)


NOT_JSON: dict[str, bytes] = {
    "empty": b"",
    "white space": b" \n",
    "BOM": b"\xef\xbb\xbf" + body(),
    "UTF-16": body().decode().encode("utf-16"),
    "trailing bytes": body() + b"x",
    "two objects": body() + body(),
    "array": b"[" + body() + b"]",
    "null": b"null",
    "number": b"17",
    "string": b'"SessionId"',
    "comment": b'{"SessionId":"s-1"/* */}',
    "NaN": b'{"SessionId":"s-1","x":NaN}',
    "Infinity": b'{"SessionId":"s-1","x":-Infinity}',
    "bad UTF-8 in a known field": b'{"SessionId":"s-\xff"}',
    "bad UTF-8 in an unknown field": b'{"SessionId":"s-1","x":"\xc3("}',
    "control character in a string": b'{"SessionId":"s-1","x":"a\nb"}',
    "two trailing commas": b'{"SessionId":"s-1",,}',
    "only a comma": b"{,}",
    "257 levels": b'{"SessionId":"s-1","x":' + b"[" * 256 + b"]" * 256 + b"}",
    "100,000 levels": b'{"SessionId":"s-1","x":' + b"[" * 100_000 + b"]" * 100_000 + b"}",
    "100,000 open": b"[" * 100_000,
    "cut short": body()[:-3],
    "form": b"action=cdr",
}


@pytest.mark.parametrize("sent", NOT_JSON.values(), ids=NOT_JSON.keys())
def test_not_json(sent: bytes) -> None:
    refused = admit(CDR, sent)
    assert isinstance(refused, Refused)
    assert refused.reply in (answers.NOT_JSON, answers.TOO_DEEP)
    assert (refused.reason, refused.key) == ("not-json", None)


BAD_SESSION_IDS: dict[str, bytes] = {
    "missing": b"{}",
    "null": body(None),
    "number": body(17),
    "true": body(True),
    "object": body({"a": 1}),
    "empty": body(""),
    "blank": body(" \u3000"),
    "257 bytes": body("x" * 257),
    "86 characters of 3 bytes": body("号" * 86),
    "10 KB": body("x" * 10_240),
    "NUL": body("a\0b"),
    "new line": body("a\nb"),
    "C1 control": body("a\x85b"),
    "DEL": body("a\x7fb"),
    "lone surrogate": b'{"SessionId":"s-\\ud800"}',
    "missing, and a trailing comma": b'{"a":1,}',
}


@pytest.mark.parametrize("sent", BAD_SESSION_IDS.values(), ids=BAD_SESSION_IDS.keys())
def test_bad_session_id(sent: bytes) -> None:
    refused = admit(CDR, sent)
    assert isinstance(refused, Refused)
    assert (refused.reply, refused.reason) == (answers.BAD_SESSION_ID, "bad-session-id")


@pytest.mark.parametrize("session_id", ["x" * 256, "号" * 85, "a b", " a ", "…", "\u00a0x", "/../{}"])
def test_odd_session_ids_that_are_taken(session_id: str) -> None:
    assert admit(CDR, body(session_id)) == Admitted(session_id.encode(), body(session_id))


def test_a_bad_action_comes_before_the_body() -> None:
    refused = admit(route("/?action=x&version=1"), b"no JSON")
    assert isinstance(refused, Refused)
    assert (refused.reply, refused.reason, refused.key) == (answers.BAD_ACTION, "bad-action", None)


@pytest.mark.parametrize(
    ("sent", "key"), [(body(), b"s-1"), (b'{"SessionId":"s-1",}', b"s-1"), (body(" "), None), (b"[]", None)]
)
def test_a_letter_keeps_its_key_if_that_is_good(sent: bytes, key: bytes | None) -> None:
    assert key_of(sent) == key
    refused = admit(route("/?action=x&version=1"), sent)
    assert isinstance(refused, Refused)
    assert refused.key == key


@pytest.mark.parametrize("sent", [1400001, "1400001", " 1400001 ", 1400001.0])
def test_an_sdk_app_id_is_compared_leniently(sent: Any) -> None:
    assert isinstance(admit(CDR, body(SdkAppId=sent), frozenset({7, 1400001})), Admitted)


@pytest.mark.parametrize("sent", [2, "2", None, True, "", "x", 1.5, [1], {"a": 1}])
def test_other_sdk_app_ids_are_refused(sent: Any) -> None:
    assert admit(CDR, body(SdkAppId=sent), frozenset({1})) == Refused(answers.FORBIDDEN)
    # the slow path, taken here for the surrogate, decides alike
    slow = body(SdkAppId=sent)[:-1] + b',"x":"\\ud800"}'
    assert admit(CDR, slow, frozenset({1})) == Refused(answers.FORBIDDEN)


def test_a_missing_sdk_app_id_is_refused_where_ids_are_set() -> None:
    assert admit(CDR, body(), frozenset({1})) == Refused(answers.FORBIDDEN)


def test_the_session_id_is_checked_before_the_sdk_app_id() -> None:
    refused = admit(CDR, body("", SdkAppId=2), frozenset({1}))
    assert isinstance(refused, Refused)
    assert refused.reply is answers.BAD_SESSION_ID


@given(st.binary(max_size=200) | st.text(max_size=100).map(str.encode) | st.just(b"{}"))
def test_nothing_is_ever_raised(sent: bytes) -> None:
    for target in (CDR, route("/?action=nothing")):
        assert isinstance(admit(target, sent, frozenset({1})), Admitted | Refused)
        push_id_of(None, target.action, sent)


JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(st.characters(exclude_categories=())),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=5), inner, max_size=4),
    max_leaves=12,
)


@given(
    st.dictionaries(st.sampled_from(["SessionId", "SdkAppId", "x", "é"]), JSON, max_size=4),
    st.booleans(),
    st.binary(max_size=1),
    st.integers(0, 300),
)
def test_fast_and_slow_path_agree(fields: dict[str, Any], ascii_only: bool, flaw: bytes, at: int) -> None:
    text = json.dumps(fields, ensure_ascii=ascii_only)
    sent = text.encode(errors="surrogatepass")
    sent = sent[:at] + flaw + sent[at + 1 :]
    allowed = frozenset({0, 1})
    assert _judgement(admit(CDR, sent, allowed)) == _judgement(_admit_slowly(sent, allowed))


def _judgement(decision: Admitted | Refused) -> Admitted | Reply:
    return decision if isinstance(decision, Admitted) else decision.reply


DIGEST = b"sha256:" + hashlib.sha256(b"cdr\0{}").hexdigest().encode()


@pytest.mark.parametrize(
    ("header", "push_id"),
    [
        ("u-1", b"u-1"),
        ("a b", b"a b"),
        ("编号", "编号".encode()),
        ("x" * 200, b"x" * 200),
        ("号" * 66, ("号" * 66).encode()),
        (None, DIGEST),
        ("", DIGEST),
        ("x" * 201, DIGEST),
        ("x" * 10_240, DIGEST),
        ("号" * 67, DIGEST),
        ("a\tb", DIGEST),
        ("a\x85b", DIGEST),
        (b"a\xff".decode(errors="surrogateescape"), DIGEST),
    ],
)
def test_push_ids(header: str | None, push_id: bytes) -> None:
    assert push_id_of(header, "cdr", b"{}") == push_id


def test_a_digest_tells_actions_apart() -> None:
    assert len({digest_push_id(action, b"{}") for action in ACTIONS}) == len(ACTIONS)
