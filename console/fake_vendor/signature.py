"""Checks TC3-HMAC-SHA256, the signature of the vendor's API (version 3), and the age of a request.

Source: the vendor's public description of signature v3. The key is derived for a day and a service from the
secret; what is signed is the method, the path, the signed headers and a digest of the body.
"""

import hashlib
import hmac
import re
from collections.abc import Mapping
from datetime import UTC, datetime

from console.fake_vendor.parameters import ApiError

MAX_SKEW_S = 300
SERVICE = "ccc"
# They open nothing but this.
SECRET_ID, SECRET_KEY = "fake-secret-id", "fake-secret-key"

_AUTHORIZATION = re.compile(
    r"TC3-HMAC-SHA256 Credential=(?P<id>[^/]+)/(?P<date>\d{4}-\d{2}-\d{2})/(?P<service>[a-z]+)/tc3_request, ?"
    r"SignedHeaders=(?P<headers>[a-z0-9;-]+), ?Signature=(?P<signature>[0-9a-f]{64})"
)


class Keys:
    """The one pair of keys that is known here."""

    def __init__(self, secret_id: str, secret_key: str) -> None:
        self._secret_id = secret_id
        self._secret_key = secret_key

    def check(self, headers: Mapping[str, str], body: bytes, now_s: float) -> None:
        """Raise ApiError as the vendor does. Header names are looked up in lower case."""
        match = _AUTHORIZATION.fullmatch(headers.get("authorization", ""))
        if match is None or match["service"] != SERVICE:
            raise ApiError(
                "AuthFailure.SignatureFailure", "The Authorization header is missing or malformed."
            )
        timestamp = headers.get("x-tc-timestamp", "")
        if not timestamp.isdigit() or abs(now_s - int(timestamp)) > MAX_SKEW_S:
            raise ApiError("AuthFailure.SignatureExpire", "The signature has expired: check the clock.")
        if match["date"] != datetime.fromtimestamp(int(timestamp), UTC).strftime("%Y-%m-%d"):
            raise ApiError("AuthFailure.SignatureFailure", "The credential's date is not the timestamp's.")
        if match["id"] != self._secret_id:
            raise ApiError("AuthFailure.SecretIdNotFound", "The SecretId is not found.")
        names = match["headers"].split(";")
        if not {"content-type", "host"} <= set(names):
            raise ApiError("AuthFailure.SignatureFailure", "content-type and host have to be signed.")
        signed = self._sign(names, headers, body, timestamp, match["date"])
        if not hmac.compare_digest(signed, match["signature"]):
            raise ApiError("AuthFailure.SignatureFailure", "The provided credentials could not be validated.")

    def _sign(
        self, names: list[str], headers: Mapping[str, str], body: bytes, timestamp: str, date: str
    ) -> str:
        canonical = "\n".join(
            [
                "POST",
                "/",
                "",
                *[f"{name}:{headers.get(name, '').strip()}" for name in names],
                "",
                ";".join(names),
                hashlib.sha256(body).hexdigest(),
            ]
        )
        digest = hashlib.sha256(canonical.encode()).hexdigest()
        text = f"TC3-HMAC-SHA256\n{timestamp}\n{date}/{SERVICE}/tc3_request\n{digest}"
        key = ("TC3" + self._secret_key).encode()
        for part in (date, SERVICE, "tc3_request"):
            key = hmac.digest(key, part.encode(), "sha256")
        return hmac.new(key, text.encode(), "sha256").hexdigest()
