"""TCCC_AUTH=oauth2 with tokens of a trusted issuer: its keys come over TLS, change, and are sometimes away."""

import asyncio
import functools
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from aiohttp import web
from msgspec.structs import replace

from schemas.settings import Settings
from tests.conftest import wait_until
from tests.contract.credentials import Lines, statuses, the_one_answer
from tests.contract.jwks_server import JwksServer
from tests.contract.tokens import Issuer, claims, wrong_tokens
from tests.processes import Role, port_of, running

ISSUER, AUDIENCE = "https://issuer.example/", "tccc-push"
FIRST, SECOND, CURVE = Issuer("first"), Issuer("second"), Issuer("curve", curve=True)


@pytest.fixture
async def server(tmp_path: Path) -> AsyncIterator[JwksServer]:
    server = JwksServer(tmp_path)
    server.give(FIRST)
    async with server.serving():
        yield server


@pytest.fixture
def settings(server: JwksServer, tmp_path: Path) -> Settings:
    """There is no Kafka: what is let in is spooled."""
    return Settings(
        auth="oauth2",
        oauth2_issuer=ISSUER,
        oauth2_audience=AUDIENCE,
        oauth2_jwks_url=server.url,
        oauth2_cafile=server.ca_file,
        kafka_bootstrap="127.0.0.1:1",
        listen="127.0.0.1:0",
        admin_listen="127.0.0.1:0",
        spool_dir=str(tmp_path / "spool"),
        drain_s=0,
    )


def bearer(issuer: Issuer, **changed: object) -> str:
    return f"Bearer {issuer.token(claims(ISSUER, AUDIENCE, **changed))}"


async def test_who_is_let_in_and_who_is_not(settings: Settings, server: JwksServer) -> None:
    server.keys = [
        FIRST.jwk(alg="RS256"),
        CURVE.jwk(),
        SECOND.jwk(use="enc"),
        {"kty": "AKP", "kid": "new"},
        {"kty": "EC", "crv": "P-0"},
    ]
    async with running("receiver", settings) as role:
        await role.event("issuer_keys", keys=2)
        port = await port_of(role)
        right = [
            bearer(FIRST),
            bearer(CURVE),
            bearer(FIRST, aud=["other", AUDIENCE]),
            bearer(FIRST, nbf=None, iat=None, sub=None),
        ]
        assert await statuses(port, *right, *right) == [200] * 8
        wrong = wrong_tokens(FIRST, SECOND, ISSUER, AUDIENCE)
        assert len(wrong) > 80
        lines: dict[str, Lines] = {name: (f"Bearer {one}",) for name, one in wrong.items()}
        lines |= {"none": (), "twice": (right[0], right[0]), "a key for encryption": (bearer(SECOND),)}
        refusal = await the_one_answer(port, lines)
        assert b'WWW-Authenticate: Bearer realm="tccc"\r\n' in refusal
        assert b'"ErrCode": 40101' in refusal
        assert not [line for line in role.log if "error" in line or "Traceback" in str(line)]


async def test_keys_are_rotated_without_a_refusal(settings: Settings, server: JwksServer) -> None:
    async with running("receiver", settings) as role:
        await role.event("issuer_keys")
        port = await port_of(role)
        old, new = bearer(FIRST), bearer(SECOND)
        assert await statuses(port, old) == [200]
        server.give(FIRST, SECOND)
        both = [statuses(port, *[one] * 5) for one in (old, new, new, new)]
        assert await asyncio.gather(*both) == [[200] * 5] * 4
        assert server.fetches == 2
        server.give(SECOND)
        await statuses(port, bearer(CURVE))  # names an unknown key: they are fetched anew
        assert await statuses(port, old, bearer(FIRST), new) == [401, 401, 200]


async def test_unknown_keys_do_not_flood_the_issuer(settings: Settings, server: JwksServer) -> None:
    async with running("receiver", settings) as role:
        await role.event("issuer_keys")
        port = await port_of(role)
        strangers = [f"Bearer {CURVE.token(claims(ISSUER, AUDIENCE), kid=f'k{n}')}" for n in range(300)]
        good = bearer(FIRST)
        flood = [statuses(port, *strangers[part::3]) for part in range(3)]
        *refused, taken = await asyncio.gather(*flood, statuses(port, *[good] * 100))
        assert {one for part in refused for one in part} == {401}
        assert set(taken) == {200}
        # the first one, those that unknown keys may cause at once, and what flows back meanwhile
        assert server.fetches <= 10


async def test_no_good_push_waits_for_a_slow_issuer(settings: Settings, server: JwksServer) -> None:
    async with running("receiver", settings) as role:
        await role.event("issuer_keys")
        port = await port_of(role)
        asked, release = asyncio.Event(), asyncio.Event()

        async def slow(_request: web.BaseRequest) -> web.StreamResponse:
            asked.set()
            await release.wait()
            return web.json_response({"keys": [FIRST.jwk(), SECOND.jwk()]})

        server.answer = slow
        waiting = asyncio.create_task(statuses(port, bearer(SECOND)))
        await asked.wait()
        assert await statuses(port, bearer(FIRST), bearer(FIRST)) == [200, 200]
        assert not waiting.done()
        release.set()
        assert await waiting == [200]


async def test_an_issuer_that_is_away_stops_nobody_whose_key_is_known(
    settings: Settings, server: JwksServer
) -> None:
    async with running("receiver", settings) as role:
        await role.event("issuer_keys")
        port = await port_of(role)

        async def redirect(_request: web.BaseRequest) -> web.StreamResponse:
            raise web.HTTPFound(server.url)

        async def error(_request: web.BaseRequest) -> web.StreamResponse:
            return web.Response(status=500)

        async def huge(_request: web.BaseRequest) -> web.StreamResponse:
            return web.Response(body=b'{"keys": [' + b" " * 2**20)

        async def no_json(_request: web.BaseRequest) -> web.StreamResponse:
            return web.Response(body=b"<html>")

        async def no_keys(_request: web.BaseRequest) -> web.StreamResponse:
            return web.json_response({"keys": [{"kty": "oct", "k": "AAAA", "kid": "first"}]})

        for count, answer in enumerate((redirect, error, huge, no_json, no_keys), start=1):
            server.answer = answer
            assert await statuses(port, bearer(SECOND), bearer(FIRST)) == [401, 200]
            await wait_until(functools.partial(has_been_away, role, count))
        assert role.process.returncode is None
        _, shown = await role.admin("/metrics")
        assert 'tccc_receiver_jwks_fetches_total{outcome="failed"} 5.0' in shown
        assert (await role.admin("/readyz"))[0] == 200


def has_been_away(role: Role, times: int) -> bool:
    return [line.get("event") for line in role.log].count("issuer_away") == times


async def test_before_the_keys_are_there_nobody_is_let_in(settings: Settings, server: JwksServer) -> None:
    """Not by a fault of the one who pushes: it is told to come again."""
    away = replace(settings, oauth2_cafile="")  # its certificate is not of an authority that we know
    async with running("receiver", away) as role:
        await role.event("issuer_away")
        port = await port_of(role)
        assert await statuses(port, bearer(FIRST), "Bearer x", "Basic eDp5") == [503, 401, 401]
        status, body = await role.admin("/readyz")
        assert status == 503
        assert "TCCC_OAUTH2_ISSUER" in body
    assert server.fetches == 0
    server.answer = none_yet
    async with running("receiver", settings) as role:
        await role.event("issuer_away")
        port = await port_of(role)
        assert await statuses(port, bearer(FIRST)) == [503]
        server.give(FIRST)
        await role.event("issuer_keys")
        assert await statuses(port, bearer(FIRST)) == [200]


async def none_yet(_request: web.BaseRequest) -> web.StreamResponse:
    return web.Response(status=503)
