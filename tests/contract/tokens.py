"""Signed tokens made by hand, right ones and every kind of wrong ones."""

import base64
import hashlib
import hmac
import json
import time
from collections.abc import Callable
from typing import Any

from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa, utils
from cryptography.hazmat.primitives.hashes import SHA256, SHA512
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from joserfc.jwk import ECKey, OctKey, RSAKey

Sign = Callable[[bytes], bytes]
Json = dict[str, Any]


def encoded(part: bytes | Json | list[Any]) -> str:
    raw = part if isinstance(part, bytes) else json.dumps(part).encode()
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode()


def token(header: Json | list[Any], claims: Json | bytes, sign: Sign) -> str:
    signed = f"{encoded(header)}.{encoded(claims)}"
    return f"{signed}.{encoded(sign(signed.encode()))}"


def by_hmac(key: bytes) -> Sign:
    return lambda signed: hmac.digest(key, signed, hashlib.sha256)


class Issuer:
    """An issuer's key and what it signs: RSA, or a curve's if `curve`."""

    algorithm = "RS256"

    def __init__(self, kid: str, *, curve: bool = False) -> None:
        self.kid = kid
        self._rsa = rsa.generate_private_key(65537, 2048)
        self._ec = ec.generate_private_key(ec.SECP256R1()) if curve else None
        if curve:
            self.algorithm = "ES256"

    def jwk(self, **more: str) -> Json:
        public = self._ec.public_key() if self._ec else self._rsa.public_key()
        key = RSAKey if self._ec is None else ECKey
        pem = public.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
        return {**key.import_key(pem).as_dict(private=False), "kid": self.kid, "use": "sig"} | more

    def pem(self) -> bytes:
        return self._rsa.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)

    def sign(self, signed: bytes) -> bytes:
        if self._ec is None:
            return self._rsa.sign(signed, padding.PKCS1v15(), SHA256())
        r, s = utils.decode_dss_signature(self._ec.sign(signed, ec.ECDSA(SHA256())))
        return r.to_bytes(32, "big") + s.to_bytes(32, "big")

    def sign_sha512(self, signed: bytes) -> bytes:
        return self._rsa.sign(signed, padding.PKCS1v15(), SHA512())

    def token(self, claims: Json | bytes, **header: Any) -> str:
        given = {"alg": self.algorithm, "typ": "JWT", "kid": self.kid} | header
        return token({k: v for k, v in given.items() if v is not None}, claims, self.sign)


def claims(issuer: str, audience: str, **changed: Any) -> Json:
    """What a good token says; a claim that is None is left out."""
    now_s = int(time.time())
    said = {"iss": issuer, "aud": audience, "sub": "tccc", "iat": now_s, "nbf": now_s, "exp": now_s + 300}
    return {name: value for name, value in (said | changed).items() if value is not None}


def wrong_claims(issuer: str, audience: str) -> dict[str, Json | bytes]:
    """By what is wrong with them; they are to be signed rightly."""
    now_s = int(time.time())

    def but(**changed: Any) -> Json:
        return claims(issuer, audience, **changed)

    return {
        "expired": but(exp=now_s - 60),
        "expired long ago": but(exp=1),
        "exp missing": but(exp=None),
        "exp null": but() | {"exp": None},
        "exp a string": but(exp=str(now_s + 300)),
        "exp true": but(exp=True),
        "exp NaN": json.dumps(but(exp=float("nan"))).encode(),
        "exp infinite": json.dumps(but(exp=float("inf"))).encode(),
        "exp of 400 digits": but(exp=10**400),
        "exp an object": but(exp={"a": 1}),
        "not yet valid": but(nbf=now_s + 86_400),
        "nbf a string": but(nbf="0"),
        "issued in the future": but(iat=now_s + 86_400),
        "iss missing": but(iss=None),
        "iss another": but(iss=issuer + "x"),
        "iss longer by a slash": but(iss=issuer + "/"),
        "iss a list": but(iss=[issuer]),
        "aud missing": but(aud=None),
        "aud another": but(aud="other"),
        "aud empty": but(aud=""),
        "aud empty list": but(aud=[]),
        "aud other list": but(aud=["other", audience + "x"]),
        "aud an object": but(aud={audience: True}),
        "no claims": {},
        "claims a list": json.dumps([but()]).encode(),
        "claims null": b"null",
        "claims no JSON": b"{",
        "claims bad UTF-8": b'{"iss":"\xff"}',
        "claims nested too deep": b'{"a":' + b"[" * 2500 + b"]" * 2500 + b"}",
    }


def wrong_own_tokens(key: str, issuer: str, audience: str) -> dict[str, str]:
    """Tokens that a receiver with this key did not issue, by what is wrong with them."""
    header = {"alg": "HS256", "typ": "JWT", "kid": OctKey.import_key(key).thumbprint()}
    good, sign = claims(issuer, audience), by_hmac(key.encode())
    right = token(header, good, sign)
    wrong = {name: token(header, said, sign) for name, said in wrong_claims(issuer, audience).items()}
    return wrong | {
        "of another key": token(header, good, by_hmac(b"x" * 32)),
        "no kid": token({"alg": "HS256"}, good, sign),
        "other kid": token(header | {"kid": "x"}, good, sign),
        "alg none": token(header | {"alg": "none"}, good, lambda _: b""),
        "alg HS512": token(header | {"alg": "HS512"}, good, sign),
        "crit": token(header | {"crit": ["x"], "x": 1}, good, sign),
        "the key itself": key,
        "changed": right[:-2] + ("AA" if right[-2:] != "AA" else "BA"),
    }


def wrong_tokens(key: Issuer, stranger: Issuer, issuer: str, audience: str) -> dict[str, str]:
    """Tokens by what is wrong with them; all else about each is right."""
    good = claims(issuer, audience)
    header = {"alg": "RS256", "typ": "JWT", "kid": key.kid}
    right = key.token(good)
    head, payload, signature = right.split(".")
    wrong = {name: key.token(said) for name, said in wrong_claims(issuer, audience).items()}
    return wrong | {
        "alg none": f"{encoded(header | {'alg': 'none'})}.{payload}.",
        "alg None": f"{encoded(header | {'alg': 'None'})}.{payload}.",
        "alg none, signed": key.token(good, alg="none"),
        "alg missing": key.token(good, alg=None),
        "alg a number": key.token(good, alg=256),
        "alg a list": key.token(good, alg=["RS256"]),
        "alg in lower case": key.token(good, alg="rs256"),
        "alg unknown": key.token(good, alg="RS257"),
        "alg another of the same key": key.token(good, alg="PS256"),
        "alg not the key's": token(header | {"alg": "RS512"}, good, key.sign_sha512),
        "alg of another key type": key.token(good, alg="ES256"),
        "HS256 with the public key": token(header | {"alg": "HS256"}, good, by_hmac(key.pem())),
        "HS256 with nothing": token(header | {"alg": "HS256"}, good, by_hmac(b"")),
        "HS256 with the kid": token(header | {"alg": "HS256"}, good, by_hmac(key.kid.encode())),
        "kid missing": key.token(good, kid=None),
        "kid empty": key.token(good, kid=""),
        "kid a number": key.token(good, kid=1),
        "kid a list": key.token(good, kid=[key.kid]),
        "kid a path": key.token(good, kid="../../dev/null"),
        "kid unknown": stranger.token(good),
        "signed by a stranger": stranger.token(good, kid=key.kid),
        "jku": stranger.token(good, kid=key.kid, jku="https://127.0.0.1/jwks"),
        "jku, signed rightly": key.token(good, jku="https://127.0.0.1/jwks"),
        "jwk": stranger.token(good, kid=key.kid, jwk=stranger.jwk()),
        "jwk, signed rightly": key.token(good, jwk=key.jwk()),
        "x5u": key.token(good, x5u="https://127.0.0.1/cert"),
        "x5c": key.token(good, x5c=["AAAA"]),
        "crit": key.token(good, crit=["exp"], exp=1),
        "crit empty": key.token(good, crit=[]),
        "crit unknown": key.token(good, crit=["x"], x=1),
        "b64 false": key.token(good, crit=["b64"], b64=False),
        "zip": key.token(good, zip="DEF"),
        "header a list": token(["alg", "RS256"], good, key.sign),
        "header no JSON": f"{encoded(b'{')}.{payload}.{signature}",
        "header nested too deep": f"{encoded(b'[' * 300)}.{payload}.{signature}",
        "signature missing": f"{head}.{payload}.",
        "signature cut off": f"{head}.{payload}",
        "signature of another": f"{head}.{payload}.{key.token(good | {'jti': '1'}).split('.')[2]}",
        "signature cut": right[:-8],
        "signature padded": right + "==",
        "signature in another spelling": right[:-1] + chr(ord(right[-1]) ^ 1),
        "signature all zeroes": f"{head}.{payload}.{encoded(bytes(256))}",
        "claims exchanged": f"{head}.{encoded(good | {'sub': 'other'})}.{signature}",
        "header exchanged": f"{encoded(header | {'typ': 'at+jwt'})}.{payload}.{signature}",
        "five parts": f"{right}.{payload}.{signature}",
        "one part": payload,
        "dots alone": "..",
        "empty": "",
        "a letter before": "x" + right,
        "noise within": f"{head}!.{payload}.{signature}",
        "encoded twice": encoded(right.encode()),
        "as JSON": encoded({"protected": head, "payload": payload, "signature": signature}),
        "7 KB of it": right + "A" * 6000,
    }
