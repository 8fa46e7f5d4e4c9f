"""Certificates of a test's own authority, for servers on loopback."""

import ssl
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import NamedTuple

import trustme
from cryptography.hazmat.primitives import serialization

HOST = "127.0.0.1"


class Issued(NamedTuple):
    """Files."""

    cert: Path
    key: Path
    both: Path


class Authority:
    """Makes certificates; `ca_file` is what those who trust it are given."""

    def __init__(self, folder: Path) -> None:
        self._ca = trustme.CA()
        self._folder = folder
        self.ca_file = folder / "ca.pem"
        self._ca.cert_pem.write_to_path(self.ca_file)

    def client_context(self) -> ssl.SSLContext:
        return ssl.create_default_context(cafile=self.ca_file)

    def server_context(self) -> ssl.SSLContext:
        context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        self._ca.issue_cert(HOST).configure_cert(context)
        return context

    def issue(self, name: str, *hosts: str, expired: bool = False) -> Issued:
        """Write a certificate and its key in PKCS#8, as Kafka wants it, apart and in one file."""
        now = datetime.now(UTC)
        made = self._ca.issue_cert(
            *hosts,
            not_before=now - timedelta(days=10),
            not_after=now + timedelta(days=-1 if expired else 10),
        )
        key = serialization.load_pem_private_key(made.private_key_pem.bytes(), None).private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        )
        chain = b"".join(blob.bytes() for blob in made.cert_chain_pems)
        issued = Issued(*(self._folder / f"{name}.{kind}.pem" for kind in ("cert", "key", "both")))
        for file, content in ((issued.cert, chain), (issued.key, key), (issued.both, key + chain)):
            file.touch(mode=0o600)
            file.write_bytes(content)
        return issued

    def write(self, cert: Path, key: Path, *, days: int = 90) -> datetime:
        """Write a new certificate and its key over those that are there, and give the end of its validity."""
        not_after = (datetime.now(UTC) + timedelta(days=days)).replace(microsecond=0)
        made = self._ca.issue_cert(HOST, not_after=not_after)
        key.write_bytes(made.private_key_pem.bytes())
        cert.write_bytes(b"".join(blob.bytes() for blob in made.cert_chain_pems))
        return not_after

    def write_key(self, key: Path) -> None:
        """Write a key that belongs to no certificate."""
        key.write_bytes(self._ca.issue_cert(HOST).private_key_pem.bytes())
