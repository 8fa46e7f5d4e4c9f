"""What the console says of credentials and certificates: what is wrong with them, and never what they are."""

from pathlib import Path
from typing import Any

import pytest

from console.doctor import doors
from deploy.local.roles import role_environ
from schemas.settings import load
from tests.certificates import Authority
from tests.commands import run

OWN = {"TCCC_AUTH": "oauth2", "TCCC_OAUTH2_CLIENT_ID": "u", "TCCC_OAUTH2_CLIENT_SECRET": "hunter2"}
ISSUER = {
    "TCCC_AUTH": "oauth2",
    "TCCC_OAUTH2_ISSUER": "i",
    "TCCC_OAUTH2_AUDIENCE": "a",
    "TCCC_OAUTH2_JWKS_URL": "https://127.0.0.1:1/keys",
}


async def states(environ: dict[str, str]) -> dict[str, str]:
    return {each.check: each.state for each in await doors.examine(load(environ))}


async def test_the_doctor_looks_at_who_may_push() -> None:
    assert await states({}) == {"who may push": "warn"}
    assert await states(OWN) == {"who may push": "ok"}
    assert await states({"TCCC_AUTH": "basic"}) == {"who may push": "fail"}
    assert await states(ISSUER) == {"who may push": "ok", "issuer of tokens": "fail"}


@pytest.mark.parametrize(("days", "state"), [(90, "ok"), (3, "warn"), (-1, "fail")])
async def test_the_doctor_looks_at_the_certificate(tmp_path: Path, days: int, state: str) -> None:
    cert, key = tmp_path / "cert.pem", tmp_path / "key.pem"
    Authority(tmp_path).write(cert, key, days=days)
    environ = OWN | {"TCCC_TLS_CERT": str(cert), "TCCC_TLS_KEY": str(key)}
    assert (await states(environ))["certificate"] == state


@pytest.mark.parametrize(
    ("environ", "named"),
    [
        ({"TCCC_AUTH": "basic"}, "TCCC_BASIC_USER"),
        (ISSUER | {"TCCC_OAUTH2_CAFILE": "/hunter2"}, "TCCC_OAUTH2_CAFILE"),
        ({"TCCC_TLS_CERT": "/hunter2"}, "TCCC_TLS_CERT"),
        ({"TCCC_TLS_KEY": "/hunter2"}, "TCCC_TLS_CERT"),
    ],
)
def test_config_check_and_up_name_what_a_receiver_would_not_start_with(
    environ: dict[str, str], named: str, tmp_path: Path
) -> None:
    for words in (["config", "check"], ["up", "--home", str(tmp_path)]):
        ran = run(*words, environ=environ)
        assert ran.status == 2
        assert named in ran.err
        assert "hunter2" not in ran.err


def test_config_show_hides_credentials() -> None:
    shown = run("config", "show", "--json", environ=OWN)
    assert shown.status == 0
    assert "hunter2" not in shown.out
    [row] = [row for row in shown.json["settings"] if row["variable"] == "TCCC_OAUTH2_CLIENT_SECRET"]
    assert (row["set"], row["value"], row["secret"]) == (True, None, True)


def test_receivers_of_a_stack_share_the_key_of_their_tokens(tmp_path: Path) -> None:
    def handed(environ: dict[str, str]) -> dict[str, Any]:
        return role_environ(environ, home=tmp_path, bootstrap="b", database_url="d", receivers=2, brokers=1)

    name = "TCCC_OAUTH2_SIGNING_KEY"
    assert len(handed(OWN)[name]) >= 32
    assert handed(OWN)["TCCC_OAUTH2_CLIENT_SECRET"] == "hunter2"
    assert handed(OWN | {name: "k"})[name] == "k"
    assert name not in handed(OWN | {f"{name}_FILE": "f"})
    assert name not in handed({})
