"""`tccc send` with credentials and over TLS, against a receiver that asks for both."""

import signal
from pathlib import Path

from msgspec.structs import replace

from schemas.settings import Settings
from tests.certificates import Authority
from tests.commands import Ran, shell
from tests.processes import Role, environment, port_of, running

FIRST, SECOND = "tccc:s3cr:t+ ", "tccc:next one"


def spooling(tmp_path: Path) -> Settings:
    """A receiver without Kafka that serves TLS."""
    return Settings(
        kafka_bootstrap="127.0.0.1:1",
        listen="127.0.0.1:0",
        admin_listen="127.0.0.1:0",
        spool_dir=str(tmp_path / "spool"),
        tls_cert=str(tmp_path / "cert.pem"),
        tls_key=str(tmp_path / "key.pem"),
        drain_s=0,
    )


async def send(role: Role, authority: Authority, *words: str) -> Ran:
    return await shell(
        "send",
        "--json",
        *("--url", f"https://127.0.0.1:{await port_of(role)}/"),
        *("--count", "20", "--retries", "0", "--connections", "4", "--cafile", str(authority.ca_file)),
        *words,
        environ=environment(Settings()),
    )


async def test_a_password_in_a_file(tmp_path: Path) -> None:
    authority = Authority(tmp_path)
    authority.write(tmp_path / "cert.pem", tmp_path / "key.pem")
    credentials = tmp_path / "credentials"
    credentials.write_text(FIRST + "\n")
    user, _, password = FIRST.partition(":")
    settings = replace(spooling(tmp_path), auth="basic", basic_user=user, basic_password=password)
    async with running("receiver", settings) as role:
        taken = await send(role, authority, "--basic", f"@{credentials}")
        assert (taken.status, taken.json["taken"]) == (0, 20)
        refused = await send(role, authority, "--basic", SECOND)
        assert (refused.status, refused.json["refusals"]) == (1, {"401/40101": 20})


async def test_tokens_are_fetched_and_clients_exchanged(tmp_path: Path) -> None:
    authority = Authority(tmp_path)
    authority.write(tmp_path / "cert.pem", tmp_path / "key.pem")
    secret, second = tmp_path / "secret", tmp_path / "second"
    secret.write_text(FIRST.partition(":")[2])
    second.write_text("")
    files = {"TCCC_OAUTH2_CLIENT_SECRET_FILE": str(secret), "TCCC_OAUTH2_CLIENT_SECRET_2_FILE": str(second)}
    settings = replace(spooling(tmp_path), auth="oauth2", oauth2_client_id="tccc")
    async with running("receiver", settings, **files) as role:
        taken = await send(role, authority, "--oauth2", FIRST)
        assert (taken.status, taken.json["taken"]) == (0, 20)
        refused = await send(role, authority, "--oauth2", SECOND)
        assert (refused.status, refused.json["refusals"]) == (1, {"no token: 401": 20})
        second.write_text(SECOND.partition(":")[2])
        role.process.send_signal(signal.SIGHUP)
        await role.event("reloaded", what="credentials")
        for client in (FIRST, SECOND):
            assert (await send(role, authority, "--oauth2", client)).json["taken"] == 20
        assert (await send(role, authority, "--bearer", "x.y.z")).json["refusals"] == {"401/40101": 20}
