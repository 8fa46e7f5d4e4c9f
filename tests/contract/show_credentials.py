"""`python -m tests.contract.show_credentials`: right and wrong credentials of each kind, and how they are answered."""

import asyncio
import tempfile
from pathlib import Path

from msgspec.structs import replace

from receiver.auth.own_tokens import AUDIENCE, ISSUER, OwnTokens
from schemas.settings import Settings
from tests.contract.credentials import Lines, statuses, the_one_answer
from tests.contract.jwks_server import JwksServer
from tests.contract.rotation import rotate
from tests.contract.tokens import Issuer, claims, wrong_own_tokens, wrong_tokens
from tests.contract.wrong_credentials import BASIC, PASSWORD, RIGHT, USER, basic
from tests.processes import port_of, running

KEYS = ("k" * 32, "n" * 32)


async def show(kind: str, settings: Settings, right: list[str], wrong: dict[str, Lines]) -> None:
    """Print one line; fails where a right one is refused, or a wrong one is answered otherwise than the others."""
    async with running("receiver", settings) as role:
        if settings.oauth2_issuer:
            await role.event("issuer_keys")
        port = await port_of(role)
        answers = await statuses(port, *right)
        assert set(answers) == {200}, answers
        refusal = await the_one_answer(port, wrong)
        again = await statuses(port, *right)
        assert set(again) == {200}, again
    words = refusal.decode().replace("\r\n", " | ")
    print(
        f"{kind}: {len(right)} right ones taken, {len(wrong)} wrong ones refused, all with these bytes:\n  {words}"
    )


def bearers(tokens: dict[str, str]) -> dict[str, Lines]:
    return {name: (f"Bearer {token}",) for name, token in tokens.items()} | {"none": ()}


async def show_all(folder: Path) -> None:
    settings = Settings(
        kafka_bootstrap="127.0.0.1:1",  # none: what is taken is spooled
        listen="127.0.0.1:0",
        admin_listen="127.0.0.1:0",
        spool_dir=str(folder / "spool"),
        drain_s=0,
    )
    password = replace(
        settings, auth="basic", basic_user=USER, basic_password="old", basic_password_2=PASSWORD
    )
    await show("basic", password, [basic(f"{USER}:old"), basic(RIGHT)], BASIC)

    own = replace(
        settings,
        auth="oauth2",
        oauth2_client_id=USER,
        oauth2_client_secret=PASSWORD,
        oauth2_signing_key=KEYS[0],
        oauth2_signing_key_2=KEYS[1],
    )
    issued = [f"Bearer {OwnTokens([key], 900).issue(USER)}" for key in KEYS]
    await show("oauth2, own tokens", own, issued, bearers(wrong_own_tokens(KEYS[0], ISSUER, AUDIENCE)))

    server, first, second, other = (
        JwksServer(folder),
        Issuer("first"),
        Issuer("second", curve=True),
        Issuer("x"),
    )
    server.keys = [first.jwk(alg="RS256"), second.jwk()]
    async with server.serving():
        trusting = replace(
            settings,
            auth="oauth2",
            oauth2_issuer=ISSUER,
            oauth2_audience=AUDIENCE,
            oauth2_jwks_url=server.url,
            oauth2_cafile=server.ca_file,
        )
        right = [f"Bearer {one.token(claims(ISSUER, AUDIENCE))}" for one in (first, second)]
        wrong = wrong_tokens(first, other, ISSUER, AUDIENCE)
        await show("oauth2, trusted issuer", trusting, right, bearers(wrong))

    rotated = await rotate(settings, folder)
    print(
        f"rotation under load: {rotated.pushes} pushes over three SIGHUPs, {rotated.refused} refused; "
        f"the old password afterwards: {rotated.old_after}"
    )


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as name:
        asyncio.run(show_all(Path(name)))
