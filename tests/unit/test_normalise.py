import hashlib
import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from schemas.errors import RecordError
from schemas.push import PUSHES, Action
from schemas.rows import Call, CallParticipant
from tests.records import at, body, payload
from worker.normalise import Normalised, normalise, normalise_leniently, read_session_id


def call(**fields: Any) -> Call:
    row = normalise("cdr", "s-1", body(SessionId="s-1", **fields)).row
    assert isinstance(row, Call)
    return row


def participants(*sent: Any) -> list[CallParticipant]:
    return normalise("cdr", "s-1", body(SessionId="s-1", ServeParticipants=list(sent))).participants


def parsed(text: str | None) -> Any:
    return None if text is None else json.loads(text)


def test_every_column_of_an_inbound_call_with_a_transfer() -> None:
    session = "5d0c1a52-6a0e-4b1e-9c35-0e6f3d0b7a11"
    normalised = normalise("cdr", session, payload("cdr-inbound-transfer"))
    assert normalised.row == Call(
        session_id=session,
        sdk_app_id=1400482256,
        direction="inbound",
        call_type=2,
        caller="008613800138000",
        callee="00864006666666",
        caller_location="北京",
        started_at=at(1677140000),
        queued_at=at(1677140012),
        rang_at=at(1677140020),
        accepted_at=at(1677140026),
        ended_at=at(1677140211),
        duration_s=185,
        ivr_duration_s=12,
        hung_up_side="user",
        end_status="ok",
        agent_user_id="lisi@example.com",
        agent_name="李四",
        agent_nick="小李",
        agent_mail="lisi@example.com",
        agent_phone="008613900139000",
        agent_staff_number="1002",
        agent_skill_groups=["售后一组", "售后二组"],
        skill_group_id=3301,
        skill_group_name="售后一组",
        ivr_keys='[{"key":"1","label":"中文服务"},{"key":"3","label":"售后"}]',
        post_ivr_keys='[{"key":"5","label":"Very satisfied"}]',
        record_id="d0b2a6d4-0000-4000-8000-0000000000aa",
        user_remark=None,
        uui=None,
        tel_number="008613800138000",
        tel_country="中国",
        tel_province="北京",
        tel_city="北京",
        tel_operator="移动",
        extra=None,
        repairs=None,
    )
    assert [(p.sequence, p.mail, p.transfer_to, p.transfer_from) for p in normalised.participants] == [
        (0, "wangwu@example.com", "lisi@example.com", None),
        (1, "lisi@example.com", None, "wangwu@example.com"),
    ]
    assert normalised.participants[1] == CallParticipant(
        session_id=session,
        sequence=1,
        type="staffPhoneSeat",
        mail="lisi@example.com",
        phone="008613900139000",
        started_at=at(1677140087),
        rang_at=at(1677140088),
        accepted_at=at(1677140091),
        ended_at=at(1677140211),
        record_id="r-2",
        transfer_from="wangwu@example.com",
        transfer_from_type="staffSeat",
        transfer_to=None,
        transfer_to_type=None,
        skill_group_id=3302,
        skill_group_name="售后二组",
        skill_group_priority=2,
        end_status="ok",
        extra=None,
        repairs=None,
    )


@pytest.mark.parametrize(
    ("field", "sent", "column", "stored", "repairs"),
    [
        ("StartTimestamp", 1677140068, "started_at", at(1677140068), None),
        ("StartTimestamp", "1677140068", "started_at", at(1677140068), None),
        ("StartTimestamp", 1677140068000, "started_at", at(1677140068), None),
        ("StartTimestamp", 1677140068.0, "started_at", at(1677140068), None),
        ("StartTimestamp", 0, "started_at", None, None),
        ("StartTimestamp", None, "started_at", None, None),
        ("StartTimestamp", "", "started_at", None, None),
        ("StartTimestamp", -1, "started_at", None, {"StartTimestamp": -1}),
        ("StartTimestamp", 4102444800, "started_at", at(4102444800), None),
        ("StartTimestamp", 253402300800, "started_at", None, {"StartTimestamp": 253402300800}),
        ("StartTimestamp", True, "started_at", None, {"StartTimestamp": True}),
        ("StartTimestamp", "soon", "started_at", None, {"StartTimestamp": "soon"}),
        ("StartTimestamp", [1], "started_at", None, {"StartTimestamp": [1]}),
        ("StartTimestamp", 10**30, "started_at", None, {"StartTimestamp": 10**30}),
        ("Duration", "12", "duration_s", 12, None),
        ("Duration", "-12", "duration_s", -12, None),
        ("Duration", 0, "duration_s", 0, None),
        ("Duration", 1.5, "duration_s", None, {"Duration": 1.5}),
        ("Duration", 2**31, "duration_s", None, {"Duration": 2**31}),
        ("Duration", "nan", "duration_s", None, {"Duration": "nan"}),
        ("SdkAppId", 0, "sdk_app_id", None, None),
        ("SdkAppId", 2**63, "sdk_app_id", None, {"SdkAppId": 2**63}),
        ("Direction", "1", "direction", "outbound", None),
        ("Direction", 7, "direction", None, {"Direction": 7}),
        ("CallType", 5, "call_type", 5, None),
        ("CallType", 99999, "call_type", None, {"CallType": 99999}),
        ("Caller", 13800138000, "caller", "13800138000", None),
        ("Caller", "", "caller", None, None),
        ("Caller", "x" * 1001, "caller", None, {"Caller": "x" * 1001}),
        ("Caller", "x" * 1000, "caller", "x" * 1000, None),
        ("Caller", "中" * 334, "caller", None, {"Caller": "中" * 334}),
        ("UserRemark", "a\0b", "user_remark", "a\ufffdb", {"UserRemark": "a\ufffdb"}),
        ("UserRemark", "a\ud800b", "user_remark", "a\ufffdb", {"UserRemark": "a\ufffdb"}),
        ("UserRemark", True, "user_remark", None, {"UserRemark": True}),
        ("UserRemark", "😀'; DROP TABLE call; --", "user_remark", "😀'; DROP TABLE call; --", None),
        ("HungUpSide", "robot", "hung_up_side", "robot", None),
        ("SeatUser", "nobody", "agent_name", None, {"SeatUser": "nobody"}),
        ("SeatUser", {"Name": 7}, "agent_name", "7", None),
        ("SeatUser", {"Name": True}, "agent_name", None, {"SeatUser": {"Name": True}}),
        ("SeatUser", None, "agent_name", None, None),
        ("TelLocation", [], "tel_city", None, {"TelLocation": []}),
        ("ServeParticipants", "none", "caller", None, {"ServeParticipants": "none"}),
        ("ServeParticipants", [None, 3], "caller", None, {"ServeParticipants": {"0": None, "1": 3}}),
        ("IVRKeyPressedEx", True, "ivr_keys", None, {"IVRKeyPressedEx": True}),
    ],
)
def test_a_value_is_understood_or_kept_in_repairs(
    field: str, sent: Any, column: str, stored: Any, repairs: Any
) -> None:
    row = call(**{field: sent})
    assert (getattr(row, column), parsed(row.repairs)) == (stored, repairs)


def test_unknown_fields_are_kept_where_they_stood() -> None:
    normalised = normalise(
        "cdr",
        "s-1",
        body(
            SessionId="s-1",
            New={"a": [1]},
            SeatUser={"Role": 3, "Name": "n"},
            ServeParticipants=[{"Sequence": 0, "X": 1}],
        ),
    )
    assert isinstance(normalised.row, Call)
    assert parsed(normalised.row.extra) == {"New": {"a": [1]}, "SeatUser": {"Role": 3}}
    assert parsed(normalised.participants[0].extra) == {"X": 1}


def test_numbers_in_unknown_fields_keep_every_digit() -> None:
    value = b'{"SessionId":"s-1","A":1.10,"B":1e999,"C":' + b"9" * 400 + b"}"
    row = normalise("cdr", "s-1", value).row
    assert isinstance(row, Call)
    assert row.extra == '{"A":1.10,"B":1E+999,"C":' + "9" * 400 + "}"


@pytest.mark.parametrize(
    ("asked", "given"),
    [
        ([0, 1, 2], [0, 1, 2]),
        ([0, 2], [0, 2]),
        ([None, None], [0, 1]),
        ([0, 0], [0, 1]),
        ([1, 1, 0], [1, 2, 0]),
        ([None, 0], [1, 0]),
        ([-1, 0], [1, 0]),
    ],
)
def test_sequences_are_unique_and_changes_are_noted(asked: list[int | None], given: list[int]) -> None:
    rows = participants(*[{} if number is None else {"Sequence": number} for number in asked])
    assert [row.sequence for row in rows] == given
    changed = [a != g for a, g in zip(asked, given, strict=True)]
    assert [row.repairs is not None for row in rows] == changed
    assert all("Sequence" in parsed(row.repairs) for row in rows if row.repairs)


@pytest.mark.parametrize(
    ("fields", "keys", "extra"),
    [
        ({"IVRKeyPressed": ["1", "3"]}, [{"key": "1"}, {"key": "3"}], None),
        ({"IVRKeyPressed": "5"}, [{"key": "5"}], None),
        (
            {"IVRKeyPressed": "5", "IVRKeyPressedEx": [{"Key": "6"}], "Duration": "1"},
            [{"key": "6"}],
            {"IVRKeyPressed": "5"},
        ),
        (
            {"IVRKeyPressed": ["1"], "IVRKeyPressedEx": [{"Key": "1", "Label": "a"}]},
            [{"key": "1", "label": "a"}],
            None,
        ),
        (
            {"IVRKeyPressed": [{"Key": "1", "Label": "a"}], "IVRKeyPressedEx": [{"Key": "1"}]},
            [{"key": "1"}],
            {"IVRKeyPressed": [{"Key": "1", "Label": "a"}]},
        ),
        (
            {"IVRKeyPressed": ["2"], "IVRKeyPressedEx": [{"key": "1"}]},
            [{"key": "1"}],
            {"IVRKeyPressed": ["2"]},
        ),
        (
            {"IVRKeyPressedEx": [{"Key": "1", "Timestamp": 1677140068123, "NodeLabel": "n"}]},
            [{"key": "1", "Timestamp": 1677140068123, "NodeLabel": "n"}],
            None,
        ),
        ({"IVRKeyPressedEx": []}, [], None),
        ({"IVRKeyPressedEx": [], "IVRKeyPressed": ["1"]}, [{"key": "1"}], None),
        ({"IVRKeyPressedEx": [{"Key": "5", "label": "x"}]}, [{"key": "5", "label": "x"}], None),
        ({"IVRKeyPressedEx": [{"KEY": "1", "LABEL": "x"}]}, [{"key": "1", "label": "x"}], None),
        ({"IVRKeyPressedEx": [{"Key": "1", "key": "2"}]}, [{"Key": "1", "key": "2"}], None),
        ({"IVRKeyPressedEx": ["1", 2]}, [{"key": "1"}, {"key": "2"}], None),
        ({"IVRKeyPressed": [{"Key": "1", "Label": "a"}]}, [{"key": "1", "label": "a"}], None),
        ({"IVRKeyPressed": ["1", None]}, [{"key": "1"}, {"key": None}], None),
        ({"IVRKeyPressed": None, "IVRKeyPressedEx": None}, None, None),
    ],
)
def test_key_presses_in_all_their_forms(fields: Any, keys: Any, extra: Any) -> None:
    row = call(**fields)
    assert (parsed(row.ivr_keys), parsed(row.extra)) == (keys, extra)


def test_the_other_three_kinds() -> None:
    recording = normalise("record", "s", payload("record"))
    assert recording.key == ("s", "008613800138000", "1608130651234")
    voicemail = normalise("voicemail", "s", payload("voicemail"))
    url_md5 = hashlib.md5(b"https://recordings.example.com/v.mp3?sign=x").hexdigest()
    assert voicemail.key == ("s", url_md5)
    assert voicemail.row.endpoint_user == "13123456789"  # type: ignore[attr-defined]
    for more in ({}, {"New": 1}):
        from_nobody = normalise("voicemail", "s", body(EndpointUser=0, **more)).row
        assert from_nobody.endpoint_user == "0"  # type: ignore[attr-defined]
    chat = normalise("imcdr", "s", payload("imcdr"))
    assert parsed(chat.row.satisfaction) == {"id": "104", "content": "满意"}  # type: ignore[attr-defined]
    assert normalise("record", "s", b"{}").key == ("s", "", "")
    assert normalise("voicemail", "s", b"{}").key == ("s", "")


def test_a_body_of_another_session_than_its_key_says_so() -> None:
    row = normalise("cdr", "s-1", body(SessionId="other")).row
    assert isinstance(row, Call)
    assert (row.session_id, parsed(row.repairs)) == ("s-1", {"SessionId": "other"})


@pytest.mark.parametrize(
    ("action", "value", "reason"),
    [
        ("cdr", b"", "not-json"),
        ("cdr", b"[]", "not-json"),
        ("cdr", b"null", "not-json"),
        ("cdr", b"{} {}", "not-json"),
        ("cdr", b'{"a":NaN}', "not-json"),
        ("cdr", b'{"a":1,}', "not-json"),
        ("cdr", b'\xef\xbb\xbf{"a":1}', "not-json"),
        ("cdr", '{"a":1}'.encode("utf-16"), "not-json"),
        ("cdr", b'{"Caller":"\xff"}', "not-json"),
        ("cdr", b'{"Unknown":"\xff"}', "not-json"),
        ("cdr", b'{"a":' + b"[" * 257 + b"]" * 257 + b"}", "too-deep"),
        ("cdr", b'{"a":' + b"[" * 100_000 + b"]" * 100_000 + b"}", "too-deep"),
        ("cdr", b"[" * 100_000, "too-deep"),
        ("", b"{}", "unknown-action"),
        ("nonsense", b"{}", "unknown-action"),
    ],
)
def test_what_can_never_become_a_row(action: str, value: bytes, reason: str) -> None:
    with pytest.raises(RecordError) as error:
        normalise(action, "s-1", value)
    assert error.value.reason == reason


@pytest.mark.parametrize("key", [None, b"", b" ", b"\xff", b"a\0b", b"x" * 257])
def test_a_key_that_names_no_session(key: bytes | None) -> None:
    with pytest.raises(RecordError) as error:
        read_session_id(key)
    assert error.value.reason == "no-key"


def test_nesting_up_to_the_limit_is_stored() -> None:
    row = normalise("cdr", "s-1", b'{"a":' + b"[" * 255 + b"]" * 255 + b"}").row
    assert isinstance(row, Call)
    assert row.extra is not None


HUGE = ("1e9999999999999999999", "1e-9999999999999999999", "10e999999999999999999", "1e200000", "1e-20000")


@pytest.mark.parametrize("huge", HUGE)
def test_a_number_that_nothing_can_hold_is_kept_as_text(huge: str) -> None:
    fields = (
        f'"Duration":{huge},"New":{huge},"SeatUser":{{"Role":{huge}}},"IVRKeyPressedEx":[{{"Key":{huge}}}]'
    )
    row = normalise("cdr", "s-1", f"{{{fields}}}".encode()).row
    assert isinstance(row, Call)
    assert parsed(row.repairs) == {"Duration": huge}
    assert parsed(row.extra) == {"New": huge, "SeatUser": {"Role": huge}}
    assert parsed(row.ivr_keys) == [{"key": huge}]
    known_only = f'{{"IVRKeyPressedEx":[{{"Key":{huge}}}]}}'.encode()
    assert parsed(normalise("cdr", "s-1", known_only).row.ivr_keys) == [{"key": huge}]  # type: ignore[attr-defined]


@pytest.mark.parametrize("digits", [4000, 4001, 4299, 4300, 4301, 5000])
@pytest.mark.parametrize("sign", ["", "-"])
def test_both_ways_of_decoding_read_the_longest_integers_alike(digits: int, sign: str) -> None:
    known_only = f'{{"IVRKeyPressedEx":[{{"Key":{sign}{"9" * digits}}}]'.encode()
    keys = {normalise("cdr", "s-1", known_only + more).row.ivr_keys for more in (b"}", b',"New":1}')}  # type: ignore[attr-defined]
    assert len(keys) == 1


def test_names_that_differ_only_in_what_cannot_be_stored_are_all_kept() -> None:
    row = normalise("cdr", "s-1", b'{"A\\u0000":1,"A\\ud800":2,"A\\ufffd":3}').row
    assert isinstance(row, Call)
    assert sorted(parsed(row.extra).values()) == [1, 2, 3]


def test_5000_participants() -> None:
    assert [row.sequence for row in participants(*[{"Sequence": n} for n in range(5000)])] == list(
        range(5000)
    )


_json = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=10,
)
_names = sorted({name for kind in PUSHES.values() for name in kind.__struct_encode_fields__})


@given(
    action=st.sampled_from(sorted(PUSHES)),
    fields=st.dictionaries(st.sampled_from(_names) | st.text(max_size=8), _json, max_size=8),
)
def test_any_object_becomes_a_row(action: Action, fields: dict[str, Any]) -> None:
    assert isinstance(normalise(action, "s-1", json.dumps(fields).encode()), Normalised)


@pytest.mark.parametrize("name", ["cdr-inbound-transfer", "cdr-outbound", "record", "imcdr"])
def test_both_ways_of_decoding_agree(name: str) -> None:
    action: Any = name.partition("-")[0]
    assert normalise(action, "s-1", payload(name)) == normalise_leniently(action, "s-1", payload(name))
