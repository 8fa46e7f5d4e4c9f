"""Bodies that are not the JSON of one object, or are so only just; and SessionIds that cannot be one."""

import json
from typing import Any

from tests.hostile.case import ID, STORED, TAKEN, Case, Produced, cdr, post, raw

_GOOD = cdr()
_NOT_JSON: dict[str, bytes] = {
    "empty body": b"",
    "white space": b" \r\n\t ",
    "BOM": b"\xef\xbb\xbf" + _GOOD,
    "UTF-16": _GOOD.decode().encode("utf-16"),
    "UTF-32": _GOOD.decode().encode("utf-32-be"),
    "trailing bytes: a letter": _GOOD + b"x",
    "trailing bytes: a NUL": _GOOD + b"\0",
    "trailing bytes: another object": _GOOD + _GOOD,
    "array at the root": b"[" + _GOOD + b"]",
    "null at the root": b"null",
    "a number at the root": b"12",
    "a string at the root": b'"' + ID.encode() + b'"',
    "true at the root": b"true",
    "comments": b"/* */" + _GOOD,
    "a comment at the end": _GOOD + b" // end",
    "NaN": raw('"Duration":NaN'),
    "Infinity": raw('"Duration":Infinity'),
    "-Infinity in an unknown field": raw('"New":[-Infinity]'),
    "control character in a string": raw('"Caller":"a\nb"'),
    "raw NUL in a string": raw('"Caller":"a\0b"'),
    "raw NUL between": raw('"Caller":\0"a"'),
    "bad UTF-8 in a known field": raw(b'"Caller":"\xff"'),
    "bad UTF-8 in an unknown field": raw(b'"New":"\xc3("'),
    "bad UTF-8: an encoded surrogate": raw(b'"New":"\xed\xa0\x80"'),
    "bad UTF-8: an overlong slash": raw(b'"New":"\xc0\xaf"'),
    "bad UTF-8 in a name": raw(b'"\xff":1'),
    "bad UTF-8 cut short": raw('"Caller":"中')[:-3] + b'"}',
    "cut in the middle": _GOOD[: len(_GOOD) // 2],
    "single quotes": _GOOD.replace(b'"', b"'"),
    "no quotes": b"{SessionId: 1}",
    "an unknown escape": raw(r'"Caller":"\x41"'),
    "half a \\u escape": raw(r'"Caller":"\u12"'),
    "a number with a leading zero": raw('"Duration":01'),
    "a number with a plus": raw('"Duration":+1'),
    "a hexadecimal number": raw('"Duration":0x1F'),
    "a number without a fraction": raw('"Duration":1.'),
    "True": raw('"Duration":True'),
    "two commas": raw('"Duration":1,,"Caller":"a"'),
    "only a comma": raw('"New":[,]'),
    "form data": b"SessionId=" + ID.encode(),
    "100,000 levels": raw('"New":' + "[" * 100_000 + "]" * 100_000),
    "100,000 levels that never close": raw('"New":' + "[" * 100_000),
    "100,000 objects": raw('"New":' + '{"a":' * 100_000 + "1" + "}" * 100_000),
    "257 levels": raw('"New":' + "[" * 256 + "]" * 256),
    "half a megabyte of brackets in both directions": b"[]" * 2**18,
}  # fmt: skip
# To the worker these say why they are dead in another word.
_TOO_DEEP = ("100,000 levels", "100,000 levels that never close", "100,000 objects", "257 levels")

NOT_JSON = [
    Case(group="not JSON", name=name, sent=post(body), answer="400 40001 kept", ends="dead receive not-json")
    for name, body in _NOT_JSON.items()
] + [
    Case(group="not JSON, straight to the worker", name=name, sent=Produced(body),
         ends=f"dead normalise {'too-deep' if name in _TOO_DEEP else 'not-json'}")
    for name, body in _NOT_JSON.items()
]  # fmt: skip

_NESTED: dict[str, Any] = json.loads("[" * 255 + "]" * 255)


def _taken(name: str, body: bytes, **columns: Any) -> Case:
    return Case(
        group="JSON, if only just", name=name, sent=post(body), answer=TAKEN, ends=STORED, columns=columns
    )


JUST_JSON = [
    _taken("trailing comma in an array", raw('"New":[1,]'), extra={"New": [1]}),
    _taken("trailing comma in an object", raw('"SeatUser":{"Name":"a",}'), agent_name="a"),
    _taken("trailing comma at the end", raw('"Caller":"a",'), caller="a"),
    _taken("trailing commas, and commas in strings", raw('"Caller":",]",'), caller=",]"),
    _taken("1e999", raw('"New":1e999'), extra={"New": 10**999}),
    _taken("the same key twice", raw('"Caller":"first","Caller":"last"'), caller="last"),
    _taken("the same key twice, once escaped", raw(r'"Caller":"first","\u0043aller":"last"'), caller="last"),
    _taken("the same key twice, SessionId", b'{"SessionId":5,' + _GOOD[1:]),
    _taken("\\u0000 in a known field", raw(r'"Caller":"a\u0000b"'), caller="a\ufffdb", repairs={"Caller": "a\ufffdb"}),
    _taken("\\u0000 in an unknown field", raw(r'"New":["\u0000"]'), extra={"New": ["\ufffd"]}, repairs={"New": ["\ufffd"]}),
    _taken("\\u0000 in an unknown name", raw(r'"N\u0000":1'), extra={"N\ufffd": 1}, repairs={"N\ufffd": 1}),
    _taken("a lone surrogate in a known field", raw(r'"UserRemark":"\ud800"'), user_remark="\ufffd",
           repairs={"UserRemark": "\ufffd"}),
    _taken("a lone surrogate in an unknown field", raw(r'"New":"\udfff"'), extra={"New": "\ufffd"}, repairs={"New": "\ufffd"}),
    _taken("a lone surrogate in a pressed key", raw(r'"IVRKeyPressedEx":[{"Key":"\udc00"}]'), ivr_keys=[{"key": "\ufffd"}],
           repairs={"IVRKeyPressedEx": [{"Key": "\ufffd"}]}),
    _taken("a pair of surrogates", raw(r'"Caller":"\ud83d\ude00"'), caller="😀"),
    _taken("4-byte characters", cdr(Caller="😀", New="𠀀"), caller="😀", extra={"New": "𠀀"}),
    _taken("characters that do not exist", cdr(Caller="\uffff\ufffe"), caller="\uffff\ufffe"),
    _taken("text from right to left", cdr(Caller="\u202eabc"), caller="\u202eabc"),
    _taken("256 levels", raw('"New":' + "[" * 255 + "]" * 255), extra={"New": _NESTED}),
    _taken("brackets in a string", cdr(UserRemark="[" * 100_000), user_remark="[" * 100_000),
    _taken("white space all over", b" \r\n\t" + json.dumps({"SessionId": ID, "Caller": "a"}, indent=8).encode() + b"\n", caller="a"),
    _taken("an empty name", raw('"":1'), extra={"": 1}),
    _taken("10,000 unknown fields", cdr(**{f"New{n}": n for n in range(10_000)}), extra={f"New{n}": n for n in range(10_000)}),
    _taken("an unknown name of 100 KB", cdr(**{"n" * 100_000: 1}), extra={"n" * 100_000: 1}),
    _taken("escapes everywhere", raw(r'"\u0043aller":"\u0061\/\b\f\n\r\t\"\\"'), caller='a/\b\f\n\r\t"\\'),
]  # fmt: skip


def _no_session(name: str, body: bytes) -> Case:
    return Case(
        group="SessionId",
        name=name,
        sent=post(body),
        answer="400 40002 kept",
        ends="dead receive bad-session-id",
    )


SESSION_IDS = [
    _no_session("missing", b"{}"),
    _no_session("in lower case", b'{"sessionid":"a"}'),
    *(_no_session(name, json.dumps({"SessionId": value}).encode()) for name, value in {
        "null": None, "a number": 12, "true": True, "an array": ["a"], "an object": {"a": 1}, "empty": "",
        "blank": "  ", "a blank that is not ASCII": "\u00a0\u3000", "10 KB": "s" * 10_000, "257 bytes": "中" * 86,
        "a line break": "a\nb", "a NUL": "a\0b", "DEL": "a\x7f", "a C1 control": "a\x85b", "a lone surrogate": "a\ud800",
    }.items()),
    _no_session("given, then null", raw('"SessionId":null')),
    Case(group="SessionId", name="256 bytes", answer=TAKEN, ends=STORED, sent=post(cdr(SessionId=ID + "中" * 82 + "a"))),
    Case(group="SessionId", name="SQL", answer=TAKEN, ends=STORED, sent=post(cdr(SessionId=ID + "'; DROP TABLE tccc.call; --"))),
    Case(group="SessionId", name="a path", answer=TAKEN, ends=STORED, sent=post(cdr(SessionId=ID + "/../../etc/passwd"))),
    Case(group="SessionId", name="blanks around it", answer=TAKEN, ends=STORED, sent=post(cdr(SessionId=f" {ID} "))),
]  # fmt: skip

ALL = [*NOT_JSON, *JUST_JSON, *SESSION_IDS]
