"""Bad actions, versions, push ids and contact centres."""

from tests.hostile.case import ID, MALFORMED, STORED, TAKEN, Case, cdr, post

_GOOD = cdr()
_LONG = "x" * 7000  # header lines end at 8 KiB; a push id of 10 KB is no HTTP for us


def _kept(name: str, target: str, body: bytes = _GOOD) -> Case:
    return Case(group="action and version", name=name, sent=post(body, target=target), answer="400 40003 kept",
                ends="dead receive bad-action")  # fmt: skip


ACTIONS = [
    _kept("no query", "/"),
    _kept("no action", "/?version=1"),
    _kept("an empty action", "/?action=&version=1"),
    _kept("an unknown action", "/?action=cdrs&version=1"),
    _kept("capitals", "/?action=CDR&version=1"),
    _kept("a space after it", "/?action=cdr%20&version=1"),
    _kept("doubled action", "/?action=cdr&action=cdr&version=1"),
    _kept("two different actions", "/?action=cdr&action=record&version=1"),
    _kept("no version", "/?action=cdr"),
    _kept("an unknown version", "/?action=cdr&version=2"),
    _kept("version 01", "/?action=cdr&version=01"),
    _kept("doubled version", "/?action=cdr&version=1&version=1"),
    _kept("percent-encoded twice", "/?action=%2563dr&version=1"),
    _kept("bad percent-encoding", "/?action=cdr%zz&version=1"),
    _kept("bytes that are not UTF-8", "/?action=cdr%ff&version=1"),
    _kept("a NUL", "/?action=cdr%00&version=1"),
    _kept("CR LF in a query", "/?action=cdr%0d%0aX-Injected:%201&version=1"),
    _kept("CR LF in the version", "/?action=cdr&version=1%0d%0a"),
    _kept("parted by semicolons", "/?action=cdr;version=1"),
    _kept("of 7 KB", f"/?action={_LONG}&version=1"),
    _kept("a thousand parameters", "/?" + "a&" * 1000),
    _kept("checked before the body", "/?action=x&version=1", b"{"),
    Case(group="action and version", name="percent-encoded", answer=TAKEN, ends=STORED,
         sent=post(_GOOD, target="/?%61ction=%63%64r&version=%31")),
    Case(group="action and version", name="CR LF elsewhere in the query", answer=TAKEN, ends=STORED,
         sent=post(_GOOD, target="/?action=cdr&version=1&x=%0d%0aSet-Cookie:%20a")),
    Case(group="action and version", name="a voicemail needs no version", answer=TAKEN, ends=STORED, table="voicemail",
         sent=post(_GOOD, target="/?action=voicemail")),
    Case(group="action and version", name="a raw byte beyond ASCII", answer=MALFORMED,
         sent=post(_GOOD, target="/?action=é&version=1")),
    Case(group="action and version", name="a raw space", answer=MALFORMED, sent=post(_GOOD, target="/?action=c dr")),
]  # fmt: skip


def _push_id(name: str, push_id: str | None, **more: str) -> Case:
    return Case(
        group="push id", name=name, sent=post(_GOOD, push_id=push_id, headers=more), answer=TAKEN, ends=STORED
    )


PUSH_IDS = [
    _push_id("none", None),
    _push_id("empty", ""),
    _push_id("of 200 bytes", "u" * 200),
    _push_id("of 7 KB", _LONG),
    _push_id("SQL", "'; DROP TABLE tccc.push; --"),
    _push_id("of 4-byte characters", "😀"),
    Case(group="push id", name="of 10 KB", sent=post(_GOOD, push_id="u" * 10_000), answer=MALFORMED),
    Case(group="push id", name="that is not UTF-8", answer=TAKEN, ends=STORED,
         sent=post(_GOOD, push_id="@@").replace(b"@@", b"\xff\xfe")),
    Case(group="push id", name="two", answer=TAKEN, ends=STORED, sent=post(_GOOD).replace(
        b"Host:", b"X-TCCC-PUSH-UUID: other\r\nHost:")),
    Case(group="push id", name="the same with another body", answer="200 0, 200 0 kept", ends="stored, duplicate",
         sent=post(cdr(Caller="first")) + post(cdr(Caller="second")), columns={"caller": "first"}),
    Case(group="push id", name="the same with another session", answer="200 0, 200 0 kept", ends="stored, stored",
         sent=post(_GOOD) + post(cdr(SessionId=ID + "-b"))),
    Case(group="push id", name="none, the same body again", answer="200 0, 200 0 kept", ends="stored, duplicate",
         sent=post(_GOOD, push_id=None) * 2),
    Case(group="push id", name="none, another body", answer="200 0, 200 0 kept", ends="stored, stored",
         sent=post(_GOOD, push_id=None) + post(cdr(Caller="second"), push_id=None), columns={"caller": "second"}),
]  # fmt: skip


def _centre(name: str, answer: str, ends: str, body: bytes) -> Case:
    return Case(group="SdkAppId", name=name, sent=post(body), answer=answer, ends=ends, receiver="one-centre")


_FORBIDDEN = "403 40301 kept"
CENTRES = [
    _centre("of another centre", _FORBIDDEN, "refused", cdr(SdkAppId=7)),
    _centre("missing", _FORBIDDEN, "refused", b'{"SessionId":"%s"}' % ID.encode()),
    _centre("null", _FORBIDDEN, "refused", cdr(SdkAppId=None)),
    _centre("true", _FORBIDDEN, "refused", cdr(SdkAppId=True)),
    _centre("an array of it", _FORBIDDEN, "refused", cdr(SdkAppId=[1400000001])),
    _centre("an object", _FORBIDDEN, "refused", cdr(SdkAppId={})),
    _centre("1e999", _FORBIDDEN, "refused", cdr().replace(b"1400000001", b"1e999")),
    _centre(
        "1e9999999999999999999", _FORBIDDEN, "refused", cdr().replace(b"1400000001", b"1e9999999999999999999")
    ),
    _centre("of 5,000 digits", _FORBIDDEN, "refused", cdr().replace(b"1400000001", b"9" * 5000)),
    _centre("a lone surrogate", _FORBIDDEN, "refused", cdr().replace(b"1400000001", b'"\\ud800"')),
    _centre("sent twice, the last wins", _FORBIDDEN, "refused", cdr()[:-1] + b',"SdkAppId":7}'),
    _centre("the right one as a string", TAKEN, STORED, cdr(SdkAppId="1400000001")),
    _centre("the right one as 1400000001.0", TAKEN, STORED, cdr(SdkAppId=1400000001.0)),
]

ALL = [*ACTIONS, *PUSH_IDS, *CENTRES]
