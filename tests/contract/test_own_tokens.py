"""TCCC_AUTH=oauth2 with tokens of the receiver's own: who gets one, where it holds, and what else is refused."""

import base64
import json
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from urllib.parse import urlencode

import pytest
from msgspec.structs import replace

from receiver.auth.own_tokens import AUDIENCE, ISSUER
from schemas.settings import Settings
from tests.contract.credentials import Lines, answered, statuses, the_one_answer
from tests.contract.http_cases import request
from tests.contract.tokens import Json, wrong_own_tokens
from tests.contract.wire import Answered, connected
from tests.processes import port_of, running

CLIENT, SECRET, NEXT = "tccc push", "s3cr:t/+ %", "the next one"
KEY = "k" * 32
GRANT = {"grant_type": "client_credentials"}
FORM = {"client_id": CLIENT, "client_secret": SECRET}


@pytest.fixture(scope="module")
async def ports(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[tuple[int, int]]:
    """Two receivers that share the key, as behind one balancer; there is no Kafka, so they spool."""
    settings = Settings(
        auth="oauth2",
        oauth2_client_id=CLIENT,
        oauth2_client_secret=SECRET,
        oauth2_client_secret_2=NEXT,
        oauth2_signing_key=KEY,
        kafka_bootstrap="127.0.0.1:1",
        listen="127.0.0.1:0",
        admin_listen="127.0.0.1:0",
        drain_s=0,
    )
    async with AsyncExitStack() as stack:
        folders = [str(tmp_path_factory.mktemp("spool")) for _ in range(2)]
        both = [
            await stack.enter_async_context(running("receiver", replace(settings, spool_dir=folder)))
            for folder in folders
        ]
        yield await port_of(both[0]), await port_of(both[1])


def asking(form: Json, *, basic: str | None = None, method: str = "POST", raw: bytes | None = None) -> bytes:
    headers = {"Content-Type": "application/x-www-form-urlencoded"}
    if basic is not None:
        headers["Authorization"] = "Basic " + base64.b64encode(basic.encode()).decode()
    body = urlencode(form).encode() if raw is None else raw
    return request("/oauth2/token", body, method=method, headers=headers)


async def ask(port: int, raw: bytes) -> Answered:
    async with connected(port) as wire:
        reply = await wire.ask(raw)
    assert reply is not None
    return reply


async def granted(port: int, raw: bytes) -> str:
    reply = await ask(port, raw)
    assert (reply.status, reply.headers["cache-control"], reply.headers["pragma"]) == (
        200,
        "no-store",
        "no-cache",
    )
    assert (reply.body["token_type"], reply.body["expires_in"]) == ("Bearer", 900)
    return str(reply.body["access_token"])


async def test_a_token_is_given_in_form_and_in_basic_and_holds_at_both(ports: tuple[int, int]) -> None:
    asked = [
        asking(GRANT | FORM),
        asking(GRANT | FORM | {"client_secret": NEXT}),
        asking(GRANT | FORM | {"scope": "any", "x": ""}),
        asking(GRANT, basic=f"{CLIENT}:{SECRET}"),
        asking(GRANT, basic=f"{CLIENT}:{NEXT}"),
        asking(GRANT | {"client_id": CLIENT}, basic=urlencode({CLIENT: SECRET}).replace("=", ":", 1)),
    ]
    for raw in asked:
        given = await granted(ports[0], raw)
        for port in ports:
            assert await statuses(port, f"Bearer {given}", f"bearer  {given}", f"Bearer {given}") == [200] * 3


async def test_wrong_clients_get_the_same_answer(ports: tuple[int, int]) -> None:
    wrong: dict[str, bytes] = {
        "nobody": asking(GRANT),
        "no secret": asking(GRANT | {"client_id": CLIENT}),
        "no id": asking(GRANT | {"client_secret": SECRET}),
        "wrong secret": asking(GRANT | FORM | {"client_secret": "x"}),
        "wrong id": asking(GRANT | FORM | {"client_id": "x"}),
        "no grant type either": asking({"client_id": "x", "client_secret": "y"}),
        "wrong in Basic": asking(GRANT, basic="x:y"),
        "no colon in Basic": asking(GRANT, basic=CLIENT),
        "empty Basic": asking(GRANT, basic=""),
        "Bearer": asking(GRANT).replace(b"Content-Type", b"Authorization: Bearer x\r\nContent-Type"),
        "Basic twice": asking(GRANT, basic=f"{CLIENT}:{SECRET}").replace(
            b"Content-Type", b"Authorization: Basic eDp5\r\nContent-Type"
        ),
    }
    replies = {name: await answered(ports[0], raw) for name, raw in wrong.items()}
    [refusal] = set(replies.values())
    assert refusal is not None
    head, _, body = refusal.partition(b"\r\n\r\n")
    assert head.startswith(b"HTTP/1.1 401 ")
    assert b"WWW-Authenticate: Basic" in head
    assert json.loads(body)["error"] == "invalid_client"
    assert json.loads(body)["ErrCode"] == 40101


@pytest.mark.parametrize(
    ("raw", "status", "error"),
    [
        (asking(FORM), 400, "invalid_request"),
        (asking(FORM | {"grant_type": "password"}), 400, "unsupported_grant_type"),
        (asking(GRANT | FORM, basic=f"{CLIENT}:{SECRET}"), 400, "invalid_request"),
        (asking({}, raw=urlencode(GRANT | FORM).encode() + b"&client_id=x"), 400, "invalid_request"),
        (asking({}, raw=b"\xff\xfe"), 400, "invalid_request"),
        (asking({}, raw=b"grant_type=%ff"), 400, "invalid_request"),
        (asking({}, raw=b"&a=1" * 50), 400, "invalid_request"),
        (asking({}, raw=b"x" * 9000), 413, None),
        (asking(GRANT | FORM, method="GET"), 405, None),
    ],
)
async def test_what_is_no_request_for_a_token(
    ports: tuple[int, int], raw: bytes, status: int, error: str | None
) -> None:
    reply = await ask(ports[0], raw)
    assert (reply.status, reply.body.get("error")) == (status, error)
    assert reply.body["ErrCode"]


async def test_tokens_that_are_not_good_get_the_same_answer(ports: tuple[int, int]) -> None:
    given = await granted(ports[0], asking(GRANT | FORM))
    wrong = wrong_own_tokens(KEY, ISSUER, AUDIENCE) | {"the secret": SECRET}
    lines: dict[str, Lines] = {name: (f"Bearer {one}",) for name, one in wrong.items()}
    lines |= {
        "none": (),
        "twice": (f"Bearer {given}", f"Bearer {given}"),
        "as Basic": (f"Basic {given}",),
        "no scheme": (given,),
        "client credentials": ("Basic " + base64.b64encode(f"{CLIENT}:{SECRET}".encode()).decode(),),
    }
    assert b'WWW-Authenticate: Bearer realm="tccc"' in await the_one_answer(ports[0], lines)
