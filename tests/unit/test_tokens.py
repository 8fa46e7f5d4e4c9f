"""Tokens and keys that nobody meant: whatever stands there, the judgement is given and nothing else is raised."""

import warnings

import pytest
from hypothesis import given
from hypothesis import strategies as st
from joserfc.jwk import OctKey

from receiver.auth.assembly import ISSUER_ALGORITHMS
from receiver.auth.jwks_fetch import _usable
from receiver.auth.tokens import Judge, TokenRefused
from tests.contract.tokens import by_hmac, encoded, token

KEY = OctKey.import_key("k" * 32)
JUDGE = Judge(algorithms=["HS256"], issuer="i", audience="a")

json = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=9),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=6,
)
headers = st.fixed_dictionaries({}, optional=dict.fromkeys(("kid", "typ", "cty", "x5t", "crit", "b64"), json))
said = st.fixed_dictionaries(
    {}, optional=dict.fromkeys(("iss", "aud", "exp", "nbf", "iat", "sub", "jti"), json)
)


@given(header=headers, claims=said)
def test_signed_nonsense_is_refused(header: dict[str, object], claims: dict[str, object]) -> None:
    with pytest.raises(TokenRefused):
        JUDGE.verify(token(header | {"alg": "HS256"}, claims, by_hmac(b"k" * 32)).encode(), lambda _: KEY)


@given(part=json.map(encoded) | st.text(max_size=30), dots=st.integers(0, 4))  # type: ignore[arg-type]
def test_unsigned_nonsense_is_refused(part: str, dots: int) -> None:
    with pytest.raises(TokenRefused):
        JUDGE.verify(".".join([part] * (dots + 1)).encode(errors="surrogatepass"), lambda _: KEY)


@given(st.binary(max_size=60))
def test_noise_is_refused(noise: bytes) -> None:
    with pytest.raises(TokenRefused):
        JUDGE.verify(noise, lambda _: KEY)


@given(
    key=st.dictionaries(
        st.sampled_from(["n", "e", "x", "y", "d", "crv", "kid", "alg", "key_ops", "use"]), json
    ),
    kty=st.sampled_from(["RSA", "EC", "OKP", "oct"]) | json,
    crv=st.sampled_from(["P-256", "P-521", "P-0", "secp256k1"]),
)
def test_keys_that_are_none_are_passed_over(key: dict[str, object], kty: object, crv: str) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        assert _usable({"crv": crv, "e": "AQAB"} | key | {"kty": kty}) is None


def test_a_curve_that_is_not_known_is_passed_over() -> None:
    assert _usable({"kty": "EC", "crv": "brainpoolP256r1", "x": "AQ", "y": "AQ"}) is None


def test_no_key_that_is_public_can_make_a_token() -> None:
    assert not [one for one in ISSUER_ALGORITHMS if one.startswith("HS") or one == "none"]
