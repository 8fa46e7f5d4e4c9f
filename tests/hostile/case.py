"""The words that the table of bad input is written in: what is sent, and what has to come of it."""

import json
from typing import Any

import msgspec
from msgspec import Struct

from tests.contract.http_cases import request

# Stands where each case gets a name of its own, of the same length, so that lengths stay true.
ID = "case-0000"
SDK_APP_ID = 1400000001

STORED, REFUSED = "stored", "refused"
TAKEN = "200 0 kept"
MALFORMED = "400 40000 closed"
NO_ANSWER = "none"


class Produced(Struct, frozen=True):
    """A record that goes to the topic directly, past the receiver. Header names may be any bytes."""

    value: bytes | None
    key: bytes | None = ID.encode()
    headers: tuple[tuple[str, bytes | None], ...] = (
        ("action", b"cdr"),
        ("version", b"1"),
        ("push-id", ID.encode()),
        ("received-at", b"1700000000000000"),
        ("source", b"push"),
    )


class Case(Struct, frozen=True, kw_only=True):
    """One bad input.

    `answer` is status and ErrCode of each answer and what becomes of the connection: `200 0, 404 40401 kept`.
    `ends` is what becomes of each record: `stored`, `duplicate`, `stale`, `dead STAGE REASON`; or `refused`.
    `columns` are those of the row in `table` that matter; `extra` and `repairs` have to be absent unless named.
    """

    group: str
    name: str
    sent: bytes | Produced
    answer: str = ""
    ends: str = REFUSED
    columns: dict[str, Any] = {}
    table: str = "call"
    receiver: str = "open"
    hangs_up: bool = False

    def numbered(self, number: int) -> "Case":
        """The same with a name of its own in all that it sends and expects."""
        own = f"case-{number:04d}"
        sent = self.sent
        if isinstance(sent, bytes):
            sent = sent.replace(ID.encode(), own.encode())
        else:
            sent = Produced(
                sent.value and sent.value.replace(ID.encode(), own.encode()),
                sent.key and sent.key.replace(ID.encode(), own.encode()),
                tuple((k, v and v.replace(ID.encode(), own.encode())) for k, v in sent.headers),
            )
        return msgspec.structs.replace(self, sent=sent)


def cdr(**fields: Any) -> bytes:
    """A body that is good but for these fields."""
    whole = {"SdkAppId": SDK_APP_ID, "SessionId": ID} | fields
    return json.dumps(whole, ensure_ascii=False).encode()


def raw(text: str | bytes) -> bytes:
    """A body with such a text for one of its fields; it need not be JSON."""
    field = text.encode() if isinstance(text, str) else text
    return b'{"SessionId":"' + ID.encode() + b'",' + field + b"}"


def post(
    body: bytes, action: str = "cdr", *, target: str | None = None, push_id: str | None = ID, **how: Any
) -> bytes:
    """A push of such a body; `how` is as for `request`."""
    headers = {} if push_id is None else {"X-TCCC-PUSH-UUID": push_id}
    headers |= how.pop("headers", {})
    return request(target or f"/?action={action}&version=1", body, headers=headers, **how)
