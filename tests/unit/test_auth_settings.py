"""What TCCC_AUTH needs is asked for by name, and no value is ever shown."""

import pytest

from schemas.auth import Pair, basic_pairs, check_auth
from schemas.errors import SettingsError
from schemas.settings import load

BASIC = {"TCCC_AUTH": "basic", "TCCC_BASIC_USER": "u", "TCCC_BASIC_PASSWORD": "p"}

OWN = {"TCCC_AUTH": "oauth2", "TCCC_OAUTH2_CLIENT_ID": "u", "TCCC_OAUTH2_CLIENT_SECRET": "p"}
ISSUER = {
    "TCCC_AUTH": "oauth2",
    "TCCC_OAUTH2_ISSUER": "https://issuer.example",
    "TCCC_OAUTH2_AUDIENCE": "tccc",
    "TCCC_OAUTH2_JWKS_URL": "https://issuer.example/keys",
}


@pytest.mark.parametrize(
    ("environ", "named"),
    [
        ({"TCCC_AUTH": "basic"}, "TCCC_BASIC_USER"),
        (BASIC | {"TCCC_BASIC_PASSWORD": ""}, "TCCC_BASIC_PASSWORD"),
        (BASIC | {"TCCC_BASIC_USER": "hunter2:"}, "TCCC_BASIC_USER"),
        (BASIC | {"TCCC_BASIC_USER_2": "hunter2"}, "TCCC_BASIC_PASSWORD_2"),
        (BASIC | {"TCCC_BASIC_PASSWORD": "hunter2\r"}, "TCCC_BASIC_PASSWORD"),
        ({"TCCC_AUTH": "oauth2"}, "TCCC_OAUTH2_CLIENT_ID"),
        (OWN | {"TCCC_OAUTH2_CLIENT_SECRET": ""}, "TCCC_OAUTH2_CLIENT_SECRET"),
        (OWN | {"TCCC_OAUTH2_CLIENT_ID_2": "hunter2"}, "TCCC_OAUTH2_CLIENT_SECRET_2"),
        (OWN | {"TCCC_OAUTH2_SIGNING_KEY": "hunter2"}, "TCCC_OAUTH2_SIGNING_KEY"),
        (OWN | {"TCCC_OAUTH2_SIGNING_KEY_2": "hunter2"}, "TCCC_OAUTH2_SIGNING_KEY_2"),
        (OWN | {"TCCC_PUSH_PATH": "/oauth2/token"}, "TCCC_PUSH_PATH"),
        (OWN | ISSUER, "TCCC_OAUTH2_CLIENT_ID"),
        (ISSUER | {"TCCC_OAUTH2_AUDIENCE": ""}, "TCCC_OAUTH2_AUDIENCE"),
        (ISSUER | {"TCCC_OAUTH2_ISSUER": ""}, "TCCC_OAUTH2_ISSUER"),
        (ISSUER | {"TCCC_OAUTH2_JWKS_URL": ""}, "TCCC_OAUTH2_JWKS_URL"),
        (ISSUER | {"TCCC_OAUTH2_JWKS_URL": "http://hunter2"}, "TCCC_OAUTH2_JWKS_URL"),
    ],
)
def test_what_is_missing_or_wrong_is_named(environ: dict[str, str], named: str) -> None:
    with pytest.raises(SettingsError) as error:
        check_auth(load(environ))
    assert named in str(error.value)
    assert "hunter2" not in str(error.value)


def test_other_roles_need_no_credentials() -> None:
    assert load({"TCCC_AUTH": "basic"}).auth == "basic"
    for good in ({}, OWN, ISSUER):
        check_auth(load(good))


def test_a_second_pair_may_have_the_first_ones_user() -> None:
    check_auth(load(BASIC))
    assert basic_pairs(load(BASIC)) == (Pair("u", "p"),)
    assert basic_pairs(load(BASIC | {"TCCC_BASIC_PASSWORD_2": "q"})) == (Pair("u", "p"), Pair("u", "q"))
    both = BASIC | {"TCCC_BASIC_USER_2": "v", "TCCC_BASIC_PASSWORD_2": "q"}
    assert basic_pairs(load(both)) == (Pair("u", "p"), Pair("v", "q"))
