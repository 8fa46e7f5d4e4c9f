"""Values that no field should have, each of which is to be understood or kept in `repairs`; none is dropped."""

from typing import Any

from tests.hostile.case import STORED, TAKEN, Case, cdr, post, raw

_T = 1677140068
_AT = "2023-02-23T08:14:28+00:00"
_FORMULA = '=HYPERLINK("http://evil.example","a")'
_SQL = "Robert'); DROP TABLE tccc.call; --"
_DIGITS = "9" * 4000


def _row(group: str, name: str, body: bytes, **columns: Any) -> Case:
    return Case(group=group, name=name, sent=post(body), answer=TAKEN, ends=STORED, columns=columns)


def _number(name: str, text: str, duration_s: int | None, kept: Any = None) -> Case:
    """What Duration becomes for a JSON text."""
    repairs = None if duration_s is not None or kept is None else {"Duration": kept}
    return _row("a number", name, raw(f'"Duration":{text}'), duration_s=duration_s, repairs=repairs)


NUMBERS = [
    _number("1.0", "1.0", 1),
    _number("1e2", "1e2", 100),
    _number("1.5", "1.5", None, 1.5),
    _number('"12"', '"12"', 12),
    _number('" 12 "', '" 12 "', 12),
    _number('"12.0"', '"12.0"', 12),
    _number('"1e2"', '"1e2"', None, "1e2"),
    _number('"nan"', '"nan"', None, "nan"),
    _number('"0x1F"', '"0x1F"', None, "0x1F"),
    _number("true", "true", None, True),
    _number("-0", "-0", 0),
    _number("-0.0", "-0.0", 0),
    _number("negative", "-12", -12),
    _number('""', '""', None),
    _number('" "', '" "', None),
    _number("null", "null", None),
    _number("an array", "[1]", None, [1]),
    _number("an object", '{"a":1}', None, {"a": 1}),
    _number("beyond 32 bits", str(2**31), None, 2**31),
    _number("beyond 64 bits", str(2**64), None, 2**64),
    _number("beyond 64 bits, negative", str(-(2**63) - 1), None, -(2**63) - 1),
    _number("4,000 digits", _DIGITS, None, int(_DIGITS)),
    _number("5,000 digits", "9" * 5000, None, "9" * 5000),
    _number("200,000 digits", "9" * 200_000, None, "9" * 200_000),
    _number("5,000 digits as a string", f'"{"9" * 5000}"', None, "9" * 5000),
    _number("1e999", "1e999", None, 10**999),
    _number("1e9999999999999999999", "1e9999999999999999999", None, "1e9999999999999999999"),
    _number("1e-20000", "1e-20000", None, "1e-20000"),
    _row("a number", "4,000 digits in an unknown field", raw(f'"New":[{_DIGITS}]'), extra={"New": [int(_DIGITS)]}),
    _row("a number", "5,000 digits in an unknown field", raw(f'"New":[{"9" * 5000}]'), extra={"New": ["9" * 5000]}),
    _row("a number", "5,000 digits in a pressed key", raw(f'"IVRKeyPressedEx":[{{"Key":{"9" * 5000}}}]'),
         ivr_keys=[{"key": "9" * 5000}]),
    _row("a number", "beyond 64 bits in a pressed key", raw(f'"IVRKeyPressedEx":[{{"Key":{2**70}}}]'), ivr_keys=[{"key": 2**70}]),
    _row("a number", "the largest SdkAppId", cdr(SdkAppId=2**63 - 1), sdk_app_id=2**63 - 1),
    _row("a number", "an SdkAppId beyond", cdr(SdkAppId=2**63), sdk_app_id=None, repairs={"SdkAppId": 2**63}),
    _row("a number", "a CallType beyond 16 bits", cdr(CallType=2**15), call_type=None, repairs={"CallType": 2**15}),
]  # fmt: skip

TEXTS = [
    _row("a number for a string", "Caller", cdr(Caller=13800138000), caller="13800138000"),
    _row("a number for a string", "with a fraction", cdr(UserRemark=1.5), user_remark="1.5"),
    _row("a number for a string", "in SeatUser", cdr(SeatUser={"StaffNumber": 8546}), agent_staff_number="8546"),
    _row("another type for a string", "true", cdr(Caller=True), caller=None, repairs={"Caller": True}),
    _row("another type for a string", "an array", cdr(Caller=["a"]), caller=None, repairs={"Caller": ["a"]}),
    _row("another type for a string", "an object", cdr(Caller={"a": "\0"}), caller=None, repairs={"Caller": {"a": "\ufffd"}}),
    _row("another type for an object", "SeatUser a string", cdr(SeatUser="x"), agent_name=None, repairs={"SeatUser": "x"}),
    _row("another type for an object", "SeatUser an array", cdr(SeatUser=[{"Name": "x"}]), agent_name=None,
         repairs={"SeatUser": [{"Name": "x"}]}),
    _row("another type for an array", "skill groups a string", cdr(SeatUser={"SkillGroupNameList": "a"}), agent_skill_groups=["a"]),
    _row("another type for an array", "skill groups with holes", cdr(SeatUser={"SkillGroupNameList": ["a", None]}),
         agent_skill_groups=None, repairs={"SeatUser": {"SkillGroupNameList": ["a", None]}}),
    _row("another type for an array", "pressed keys a string", cdr(IVRKeyPressed="5"), ivr_keys=[{"key": "5"}]),
    _row("another type for an array", "pressed keys true", cdr(IVRKeyPressed=True), ivr_keys=None, repairs={"IVRKeyPressed": True}),
    _row("absent", "empty strings", cdr(Caller="", RecordId="", SeatUser={"Name": ""}), caller=None, record_id=None, agent_name=None),
    _row("absent", "null everywhere", cdr(Caller=None, Duration=None, SeatUser=None, TelLocation=None, ServeParticipants=None,
         IVRKeyPressedEx=None, StartTimestamp=None), caller=None, duration_s=None, started_at=None, participants=[]),
    _row("SQL and formula text in names", "SQL", cdr(SeatUser={"Name": _SQL}, Caller="' OR 1=1 --"), agent_name=_SQL, caller="' OR 1=1 --"),
    _row("SQL and formula text in names", "a formula", cdr(SeatUser={"Name": _FORMULA}), agent_name=_FORMULA),
    _row("SQL and formula text in names", "COPY's own escapes", cdr(Caller=r"\N", Callee="\\.", UserRemark="a\tb\\\n"),
         caller=r"\N", callee="\\.", user_remark="a\tb\\\n"),
    _row("SQL and formula text in names", "HTML", cdr(UserRemark="<script>alert(1)</script>"), user_remark="<script>alert(1)</script>"),
    _row("SQL and formula text in names", "a format", cdr(UserRemark="%s%n{0.__class__}$1"), user_remark="%s%n{0.__class__}$1"),
    _row("SQL and formula text in names", "an SQL name", cdr(**{'"; DROP TABLE call': 1}), extra={'"; DROP TABLE call': 1}),
    _row("long texts", "an indexed one of 1,000 bytes", cdr(Caller="x" * 1000), caller="x" * 1000),
    _row("long texts", "an indexed one of 1,001 bytes", cdr(Caller="x" * 1001), caller=None, repairs={"Caller": "x" * 1001}),
    _row("long texts", "an indexed one, 4-byte", cdr(Callee="😀" * 251), callee=None, repairs={"Callee": "😀" * 251}),
    _row("long texts", "one that needs no index", cdr(UserRemark="x" * 500_000), user_remark="x" * 500_000),
]  # fmt: skip


def _time(name: str, sent: Any, started_at: str | None, *, kept: bool = False) -> Case:
    repairs = {"StartTimestamp": sent} if kept else None
    return _row("times", name, cdr(StartTimestamp=sent), started_at=started_at, repairs=repairs)


TIMES = [
    _time("seconds", _T, _AT),
    _time("seconds as a string", str(_T), _AT),
    _time("seconds with a fraction of nought", float(_T), _AT),
    _time("milliseconds for seconds", _T * 1000, _AT),
    _time("milliseconds for seconds, as a string", str(_T * 1000), _AT),
    _time("0", 0, None),
    _time("negative", -1, None, kept=True),
    _time("very negative", -(2**70), None, kept=True),
    _time("year 2100", 4102444800, "2100-01-01T00:00:00+00:00"),
    _time("the last second of 9999", 253402300799, "9999-12-31T23:59:59+00:00"),
    _time("year 10000", 253402300800, None, kept=True),
    _time("year 10000 in milliseconds", 253402300800000, None, kept=True),
    _time("microseconds", _T * 10**6, None, kept=True),
    _time("text of a date", "2023-02-23 08:14:28", None, kept=True),
    _time("true", True, None, kept=True),
    _row("times", "end before start", cdr(StartTimestamp=_T, EndedTimestamp=_T - 60, Duration=-60), started_at=_AT,
         ended_at="2023-02-23T08:13:28+00:00", duration_s=-60),
]  # fmt: skip

OPEN_LISTS = [
    _row("unknown enumeration values", "EndStatusString", cdr(EndStatusString="newOne"), end_status="newOne"),
    _row("unknown enumeration values", "HungUpSide", cdr(HungUpSide="robot"), hung_up_side="robot"),
    _row("unknown enumeration values", "CallType", cdr(CallType=99), call_type=99),
    _row("unknown enumeration values", "Direction 7", cdr(Direction=7), direction=None, repairs={"Direction": 7}),
    _row("unknown enumeration values", "Direction as a word", cdr(Direction="in"), direction=None, repairs={"Direction": "in"}),
    _row("unknown fields at every level", "the root", cdr(New={"a": [1, None]}), extra={"New": {"a": [1, None]}}),
    _row("unknown fields at every level", "SeatUser", cdr(SeatUser={"Role": 3}), extra={"SeatUser": {"Role": 3}}),
    _row("unknown fields at every level", "TelLocation", cdr(TelLocation={"Zip": "1"}), extra={"TelLocation": {"Zip": "1"}}),
    _row("unknown fields at every level", "known names in another case", cdr(caller="a", CALLEE="b"), caller=None,
         extra={"caller": "a", "CALLEE": "b"}),
    _row("lower-case key/label", "lower", cdr(IVRKeyPressedEx=[{"key": "1", "label": "a"}]), ivr_keys=[{"key": "1", "label": "a"}]),
    _row("lower-case key/label", "mixed", cdr(PostIVRKeyPressed=[{"Key": "1", "label": "a", "NodeLabel": "n"}]),
         post_ivr_keys=[{"key": "1", "label": "a", "NodeLabel": "n"}]),
    _row("lower-case key/label", "both at once", cdr(IVRKeyPressedEx=[{"Key": "1", "key": "2"}]), ivr_keys=[{"Key": "1", "key": "2"}]),
    _row("lower-case key/label", "the older form knows more", cdr(IVRKeyPressed=[{"Key": "1", "Label": "a"}],
         IVRKeyPressedEx=[{"Key": "1"}]), ivr_keys=[{"key": "1"}], extra={"IVRKeyPressed": [{"Key": "1", "Label": "a"}]}),
]  # fmt: skip


def _other(action: str, table: str, name: str, body: bytes, **columns: Any) -> Case:
    return Case(group=f"the other pushes: {action}", name=name, sent=post(body, action), answer=TAKEN, ends=STORED,
                table=table, columns=columns)  # fmt: skip


OTHERS = [
    _other("record", "recording", "nothing but a SessionId", cdr(), endpoint_user="", record_id=""),
    _other("record", "recording", "numbers for its key", cdr(RecordId=7, EndpointUser=0), record_id="7", endpoint_user="0"),
    _other("record", "recording", "a key that no index takes", cdr(RecordId="x" * 1001), record_id="",
           repairs={"RecordId": "x" * 1001}),
    _other("record", "recording", "a URL of 100 KB", cdr(RecordURL="http://a/" + "x" * 100_000), record_url="http://a/" + "x" * 100_000),
    _other("voicemail", "voicemail", "EndpointUser a bare number", cdr(EndpointUser=13123456789), endpoint_user="13123456789"),
    _other("voicemail", "voicemail", "EndpointUser 0", cdr(EndpointUser=0), endpoint_user="0"),
    _other("voicemail", "voicemail", "EndpointUser beyond 64 bits", cdr(EndpointUser=2**80), endpoint_user=str(2**80)),
    _other("voicemail", "voicemail", "no RecordURL", cdr(), record_url=None, record_url_md5=""),
    _other("voicemail", "voicemail", "a javascript: URL", cdr(RecordURL="javascript:alert(1)"), record_url="javascript:alert(1)"),
    _other("imcdr", "chat", "Satisfaction a string", cdr(Satisfaction="good"), satisfaction=None, repairs={"Satisfaction": "good"}),
    _other("imcdr", "chat", "ClientData no Base64", cdr(ClientData="\x01{"), client_data="\x01{"),
    _other("imcdr", "chat", "the body of a call", cdr(Caller="a"), extra={"Caller": "a"}),
]  # fmt: skip


def _served(name: str, participants: Any, *rows: dict[str, Any], **columns: Any) -> Case:
    return _row("participants", name, cdr(ServeParticipants=participants), participants=list(rows), **columns)


PARTICIPANTS = [
    _served("null", None),
    _served("missing", []),
    _served("not an array: a string", "a", repairs={"ServeParticipants": "a"}),
    _served("not an array: an object", {"Sequence": 0}, repairs={"ServeParticipants": {"Sequence": 0}}),
    _served("elements that are no objects", [None, 3, {"Sequence": 1}], {"sequence": 1}, repairs={"ServeParticipants": {"0": None, "1": 3}}),
    _served("holes in Sequence", [{"Sequence": 0}, {"Sequence": 7}], {"sequence": 0}, {"sequence": 7}),
    _served("repeats in Sequence", [{"Sequence": 0, "Mail": "a"}, {"Sequence": 0, "Mail": "b"}],
            {"sequence": 0, "mail": "a", "repairs": None}, {"sequence": 1, "mail": "b", "repairs": {"Sequence": 0}}),
    _served("without Sequence", [{"Mail": "a"}, {"Mail": "b"}], {"sequence": 0, "mail": "a"}, {"sequence": 1, "mail": "b"}),
    _served("negative Sequence", [{"Sequence": -1}], {"sequence": 0, "repairs": {"Sequence": -1}}),
    _served("Sequence beyond 32 bits", [{"Sequence": 2**31}], {"sequence": 0, "repairs": {"Sequence": 2**31}}),
    _served("Sequence as a string", [{"Sequence": "4"}], {"sequence": 4, "repairs": None}),
    _served("unknown fields", [{"Sequence": 0, "New": [1]}], {"sequence": 0, "extra": {"New": [1]}}),
    _served("bad values", [{"Sequence": 0, "StartTimestamp": -5, "SkillGroupId": "x"}],
            {"sequence": 0, "started_at": None, "repairs": {"StartTimestamp": -5, "SkillGroupId": "x"}}),
    _served("5,000 of them", [{"Sequence": n} for n in range(5000)], *({"sequence": n} for n in range(5000))),
]  # fmt: skip

ALL = [*NUMBERS, *TEXTS, *TIMES, *OPEN_LISTS, *OTHERS, *PARTICIPANTS]
