"""TLS that the receiver serves itself: what it speaks, and how a certificate is exchanged while it serves."""

import signal
import ssl
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives import serialization
from msgspec.structs import replace

from receiver.tls import server_context
from schemas.errors import SettingsError
from schemas.settings import Settings
from tests.certificates import Authority
from tests.contract.http_cases import request
from tests.contract.wire import connected
from tests.processes import Role, port_of, running


@pytest.fixture
def authority(tmp_path: Path) -> Authority:
    return Authority(tmp_path)


@pytest.fixture
def files(tmp_path: Path) -> tuple[Path, Path]:
    return tmp_path / "cert.pem", tmp_path / "key.pem"


def served(topics: Settings, files: tuple[Path, Path]) -> Settings:
    return replace(topics, tls_cert=str(files[0]), tls_key=str(files[1]), ack_timeout_s=20.0)


async def test_pushes_are_taken_over_tls(
    topics: Settings, authority: Authority, files: tuple[Path, Path]
) -> None:
    not_after = authority.write(*files)
    async with running("receiver", served(topics, files)) as role:
        assert (await role.event("started"))["push"].startswith("https://")
        for version in (ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3):
            context = authority.client_context()
            context.minimum_version = context.maximum_version = version
            async with connected(await port_of(role), context) as wire:
                answers = [await wire.ask(request()) for _ in range(2)]
            assert [one and one.body["ErrCode"] for one in answers] == [0, 0]
        assert await expiry(role) == not_after.timestamp()
        await refuses_what_is_old(await port_of(role), authority)


async def refuses_what_is_old(port: int, authority: Authority) -> None:
    context = authority.client_context()
    context.set_ciphers("ALL:@SECLEVEL=0")
    with pytest.warns(DeprecationWarning, match="TLSv1"):
        context.minimum_version = ssl.TLSVersion.TLSv1
    with pytest.warns(DeprecationWarning, match="TLSv1_1"):
        context.maximum_version = ssl.TLSVersion.TLSv1_1
    with pytest.raises((ssl.SSLError, ConnectionError)):
        async with connected(port, context):
            pass
    async with connected(port) as plain:
        assert await plain.ask(request()) is None


async def test_a_certificate_is_exchanged_while_it_serves(
    topics: Settings, authority: Authority, files: tuple[Path, Path]
) -> None:
    authority.write(*files)
    async with running("receiver", served(topics, files)) as role:
        port = await port_of(role)
        async with connected(port, authority.client_context()) as wire:
            first = await serial(port, authority)
            not_after = authority.write(*files, days=30)
            role.process.send_signal(signal.SIGHUP)
            await role.event("reloaded", what="certificate")
            second = await serial(port, authority)
            assert second != first
            assert await expiry(role) == not_after.timestamp()

            authority.write_key(files[1])
            role.process.send_signal(signal.SIGHUP)
            assert "TCCC_TLS_KEY" in (await role.event("reload_failed", what="certificate"))["detail"]
            assert await serial(port, authority) == second
            assert await expiry(role) == not_after.timestamp()
            # connections that were open all the time are not disturbed
            answered = await wire.ask(request())
            assert answered is not None
            assert answered.status == 200


@pytest.mark.parametrize("fault", ["no file", "other key", "no certificate", "key with a password"])
def test_files_that_cannot_be_used_are_refused(
    authority: Authority, files: tuple[Path, Path], fault: str
) -> None:
    cert, key = files
    if fault != "no file":
        authority.write(cert, key)
    if fault == "other key":
        authority.write_key(key)
    if fault == "no certificate":
        cert.write_text("no certificate")
    if fault == "key with a password":
        lock(key)
    with pytest.raises(SettingsError, match="TCCC_TLS_KEY"):
        server_context(str(cert), str(key))


def lock(key: Path) -> None:
    private = serialization.load_pem_private_key(key.read_bytes(), None)
    locked = private.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.BestAvailableEncryption(b"secret"),
    )
    key.write_bytes(locked)


async def serial(port: int, authority: Authority) -> str:
    """The serial number of the certificate that a new connection is shown."""
    async with connected(port, authority.client_context()) as wire:
        shown: dict[str, Any] = wire.extra("peercert")
        return str(shown["serialNumber"])


async def expiry(role: Role) -> float:
    _, shown = await role.admin("/metrics")
    [line] = [line for line in shown.splitlines() if line.startswith("tccc_receiver_tls_not_after_seconds ")]
    return float(line.split()[1])
