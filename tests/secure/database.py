"""A real Postgres that asks for TLS, and shows whichever certificate it is told to."""

import asyncio
import socket
import ssl
import struct
from pathlib import Path

import asyncpg

from deploy.local.ports import HOST
from deploy.local.postgres import LocalPostgres
from tests.certificates import Authority, Issued
from tests.secure.programs import tls_programs

USER, PASSWORD = "tccc", "hunter2-postgres"
# A database of that name asks for a client certificate too.
CERTIFIED = "certified"
_HBA = f"""
hostssl {CERTIFIED} all 127.0.0.1/32 scram-sha-256 clientcert=verify-ca
hostssl all all 127.0.0.1/32 scram-sha-256
"""
_SSL_REQUEST = struct.pack(">ii", 8, 80877103)  # PostgreSQL's protocol, SSLRequest


class SecurePostgres:
    def __init__(self, folder: Path) -> None:
        self.authority = Authority(folder)
        self.good = self.authority.issue("postgres", HOST)
        self.expired = self.authority.issue("old-postgres", HOST, expired=True)
        self.elsewhere = self.authority.issue("other-postgres", "db.example")
        hba = folder / "pg_hba.conf"
        hba.write_text(_HBA, encoding="ascii")
        self._shown = Issued(*(folder / f"shown.{kind}.pem" for kind in ("cert", "key", "both")))
        self._put(self.good)
        self._server = LocalPostgres(
            folder / "postgres",
            fast=True,
            programs=tls_programs(),
            settings={
                "ssl": "on",
                "ssl_cert_file": str(self._shown.cert),
                "ssl_key_file": str(self._shown.key),
                "ssl_ca_file": str(self.authority.ca_file),
                "hba_file": str(hba),
            },
        )

    def start(self) -> None:
        self._server.start()

    def stop(self) -> None:
        self._server.stop()

    @property
    def superuser_url(self) -> str:
        return f"{self._server.url}?sslmode=require"

    def url(
        self,
        database: str,
        *,
        user: str = USER,
        password: str = PASSWORD,
        sslmode: str = "verify-full",
        ca_file: Path | None = None,
        client: Issued | None = None,
    ) -> str:
        """For a client of this server; all is right unless said otherwise."""
        address = self._server.url.rpartition("@")[2].partition("/")[0]
        query = f"sslmode={sslmode}&sslrootcert={ca_file or self.authority.ca_file}"
        if client is not None:
            query += f"&sslcert={client.cert}&sslkey={client.key}"
        return f"postgresql://{user}:{password}@{address}/{database}?{query}"

    async def execute(self, *statements: str) -> None:
        connection = await asyncpg.connect(self.superuser_url)
        try:
            for statement in statements:
                await connection.execute(statement)
        finally:
            await connection.close()

    async def show(self, certificate: Issued) -> None:
        """Have new connections see this certificate."""
        self._put(certificate)
        await self.execute("SELECT pg_reload_conf()")
        wanted = ssl.PEM_cert_to_DER_cert(certificate.cert.read_text(encoding="ascii"))
        async with asyncio.timeout(30):
            while await asyncio.to_thread(self._seen) != wanted:
                await asyncio.sleep(0.02)

    def _put(self, certificate: Issued) -> None:
        for ours, theirs in zip(self._shown, certificate, strict=True):
            ours.touch(mode=0o600)
            ours.write_bytes(theirs.read_bytes())

    def _seen(self) -> bytes | None:
        host, _, port = self._server.url.rpartition("@")[2].partition("/")[0].partition(":")
        context = ssl.create_default_context()
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
        with socket.create_connection((host, int(port)), timeout=10) as plain:
            plain.sendall(_SSL_REQUEST)
            plain.recv(1)
            with context.wrap_socket(plain) as wrapped:
                return wrapped.getpeercert(binary_form=True)
