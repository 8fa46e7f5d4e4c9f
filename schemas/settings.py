"""Settings: the environment becomes one frozen Struct, and these are the only defaults in the repository.

Every field is the variable `TCCC_` + its name in capitals. A field marked secret may also be given as
`TCCC_…_FILE`, the path of a file that holds it, and is never shown.
"""

import re
from collections.abc import Mapping
from ipaddress import ip_network
from pathlib import Path
from typing import Annotated, Any, Literal

import msgspec
from msgspec import Meta, Struct

from schemas.decoding import MAX_DEPTH
from schemas.errors import SettingsError

PREFIX = "TCCC_"
TOKEN_PATH = "/oauth2/token"  # noqa: S105 -- a path of the contract
# What Kubernetes puts into each container for services whose name begins with "tccc".
INJECTED = re.compile(r"TCCC_(.+_)?SERVICE_.+|TCCC_(.+_)?PORT(_.*)?|TCCC_.+_PORT.*")

_SECRET = {"secret": True}
# A record of tccc.push may have 2 MiB; what is left is for its key, its headers and the framing.
MAX_BODY_BYTES = 2 * 2**20 - 64 * 1024
_DAY_MS = 24 * 60 * 60 * 1000

_ADDRESS = r"(\[[0-9a-fA-F:]+\]|[^:\s]+):\d{1,5}"
Port = Annotated[str, Meta(pattern=f"^{_ADDRESS}$")]
OptionalUrl = Annotated[str, Meta(pattern=r"^(https?://[^?#@\s]+)?$")]
OptionalPort = Annotated[str, Meta(pattern=f"^({_ADDRESS})?$")]
Positive = Annotated[int, Meta(ge=1)]
Seconds = Annotated[float, Meta(ge=0, le=86400)]
Secret = Annotated[str, Meta(extra=_SECRET)]


class Settings(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One set for all roles; a role ignores what is another's. Names end in their unit."""

    # receiver
    listen: Annotated[Port, Meta(description="where pushes are taken, HOST:PORT")] = "0.0.0.0:8080"
    admin_listen: Annotated[
        OptionalPort,
        Meta(description="health and metrics; empty: 127.0.0.1:9464 (receiver) or :9465 (worker)"),
    ] = ""
    push_path: Annotated[str, Meta(pattern=r"^/[^?#\s]*$", description="path of the push URL")] = "/"
    reuse_port: Annotated[bool, Meta(description="several receivers share the port (SO_REUSEPORT)")] = False
    auth: Annotated[
        Literal["none", "basic", "oauth2"],
        Meta(description="who may push: anybody, who knows a password, or who has a token"),
    ] = "none"
    basic_user: Annotated[Secret, Meta(description="of HTTP Basic")] = ""
    basic_password: Secret = ""
    basic_user_2: Annotated[
        Secret, Meta(description="a second user while credentials are changed; empty: the first")
    ] = ""
    basic_password_2: Annotated[Secret, Meta(description="also taken, if set")] = ""
    oauth2_client_id: Annotated[Secret, Meta(description=f"who gets a token at {TOKEN_PATH}")] = ""
    oauth2_client_secret: Secret = ""
    oauth2_client_id_2: Annotated[
        Secret, Meta(description="a second client while credentials are changed; empty: the first")
    ] = ""
    oauth2_client_secret_2: Annotated[Secret, Meta(description="also taken, if set")] = ""
    oauth2_signing_key: Annotated[
        Secret,
        Meta(description="signs the tokens, at least 32 bytes, the same for all receivers; empty: drawn"),
    ] = ""
    oauth2_signing_key_2: Annotated[
        Secret, Meta(description="signs none, but tokens signed with it are taken")
    ] = ""
    oauth2_token_s: Annotated[
        int, Meta(ge=10, le=86400, description="how long a token may be used that is issued here")
    ] = 900
    oauth2_issuer: Annotated[str, Meta(description="trust this issuer's tokens (iss), and issue none")] = ""
    oauth2_audience: Annotated[str, Meta(description="for whom such a token has to be (aud)")] = ""
    oauth2_jwks_url: Annotated[str, Meta(description="where the issuer's keys are, https://…")] = ""
    oauth2_cafile: Annotated[
        str, Meta(description="certificates to know the issuer's server by; empty: the system's")
    ] = ""
    auth_failures_per_minute: Annotated[
        Positive, Meta(description="wrong credentials from one address; past it, they get 429")
    ] = 600
    sdk_app_ids: Annotated[
        tuple[int, ...], Meta(description="contact centres that may push, comma-separated; empty: all")
    ] = ()
    trusted_proxies: Annotated[
        tuple[str, ...],
        Meta(description="networks of proxies whose X-Forwarded-For is believed, comma-separated"),
    ] = ()
    tls_cert: Annotated[
        str, Meta(description="file of the certificate and its chain, PEM; empty: no TLS")
    ] = ""
    tls_key: Annotated[str, Meta(description="file of its key, PEM, without a password")] = ""
    ack_timeout_s: Annotated[
        float, Meta(gt=0, le=60, description="how long Kafka may take before the spool does")
    ] = 0.5
    drain_s: Annotated[Seconds, Meta(description="how long to go on serving, unready, after SIGTERM")] = 5.0
    head_timeout_s: Annotated[float, Meta(gt=0, description="a request's headers must be in within")] = 10.0
    body_timeout_s: Annotated[float, Meta(gt=0, description="a request's body must be in within")] = 20.0
    keepalive_s: Annotated[float, Meta(gt=0, description="how long an idle connection is kept")] = 75.0
    max_connections: Annotated[
        Positive, Meta(description="at once; past it the one that keeps waiting longest makes way")
    ] = 10_000
    max_connections_per_address: Annotated[
        int,
        Meta(ge=0, description="at once; 0: no limit; set it only where senders are not behind one address"),
    ] = 0
    max_line_bytes: Annotated[
        int, Meta(ge=256, le=2**16, description="of a request's URL, and of each of its headers")
    ] = 8192
    max_head_bytes: Annotated[
        int, Meta(ge=256, le=2**20, description="of a request's URL and headers together")
    ] = 32 * 1024
    max_body_bytes: Annotated[int, Meta(ge=1, le=MAX_BODY_BYTES, description="larger bodies are refused")] = (
        2**20
    )
    max_in_flight_bytes: Annotated[
        int, Meta(ge=1, description="bodies taken and not yet answered; past it, 503")
    ] = 64 * 2**20
    max_json_depth: Annotated[
        int, Meta(ge=8, le=MAX_DEPTH, description="levels of arrays and objects in a body")
    ] = MAX_DEPTH
    dead_per_minute: Annotated[
        int, Meta(ge=0, description="refused bodies that are kept as dead letters in a minute")
    ] = 600
    dead_bytes_per_minute: Annotated[
        int, Meta(ge=0, description="bytes of refused bodies that are kept in a minute")
    ] = 16 * 2**20
    spool_dir: Annotated[
        str, Meta(description="folder that takes pushes while Kafka is away; empty: no spool")
    ] = ".tccc/spool"
    spool_max_bytes: Annotated[int, Meta(ge=1, description="bound of the spool on disk")] = 2**30
    spool_drain_per_s: Annotated[Positive, Meta(description="records drained a second, at the most")] = 6000

    # Kafka
    kafka_bootstrap: Annotated[str, Meta(min_length=1, description="brokers, comma-separated")] = (
        "127.0.0.1:9092"
    )
    kafka_topic: Annotated[str, Meta(min_length=1)] = "tccc.push"
    kafka_dead_topic: Annotated[str, Meta(min_length=1)] = "tccc.push.dead"
    kafka_group: Annotated[str, Meta(min_length=1, description="consumer group of the workers")] = "tccc"
    kafka_security_protocol: Annotated[
        Literal["PLAINTEXT", "SSL", "SASL_PLAINTEXT", "SASL_SSL"],
        Meta(description="TLS (SSL) and credentials (SASL) to the brokers"),
    ] = "PLAINTEXT"
    kafka_sasl_mechanism: Literal["PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512"] = "PLAIN"
    kafka_sasl_username: str = ""
    kafka_sasl_password: Secret = ""
    kafka_ssl_cafile: Annotated[
        str, Meta(description="PEM file of the authorities of the brokers; empty: the system's")
    ] = ""
    kafka_ssl_certfile: Annotated[str, Meta(description="PEM file of our certificate, for mutual TLS")] = ""
    kafka_ssl_keyfile: Annotated[str, Meta(description="PEM file of its key, without a password")] = ""
    topic_partitions: Annotated[Positive, Meta(description="of a topic that is created")] = 6
    topic_replication: Annotated[Positive, Meta(description="replicas of a topic that is created")] = 1
    topic_min_insync_replicas: Annotated[
        int, Meta(ge=0, description="0: one less than the replicas, at least 1")
    ] = 0
    topic_retention_ms: Positive = 7 * _DAY_MS
    dead_topic_retention_ms: Positive = 30 * _DAY_MS

    # worker
    database_url: Annotated[
        Secret,
        Meta(description="postgresql://user:password@host:port/database"),
    ] = ""
    batch_records: Annotated[int, Meta(ge=1, le=10000, description="records in one transaction")] = 2000
    revoke_grace_s: Annotated[
        Seconds, Meta(description="how long a batch may finish when its partitions are revoked")
    ] = 10.0
    store_timeout_s: Annotated[float, Meta(gt=0, description="a transaction that takes longer is undone")] = (
        60.0
    )
    stuck_s: Annotated[
        float, Meta(gt=0, description="a worker without progress for so long, with records waiting, exits")
    ] = 300.0
    dead_max_ratio: Annotated[
        float,
        Meta(gt=0, le=1, description="a worker pauses when more of its records than this turn out dead"),
    ] = 0.5
    replay_max: Annotated[Positive, Meta(description="times that one dead letter may be replayed")] = 3
    rollup_s: Annotated[
        Seconds,
        Meta(
            description="how often the roll-up behind the answers is brought up to date; 0: by this worker never"
        ),
    ] = 60.0
    ledger_days: Annotated[
        Positive, Meta(description="days the ledger keeps; must exceed the topic's retention")
    ] = 35

    # the vendor's API; its keys are TENCENTCLOUD_SECRET_ID and TENCENTCLOUD_SECRET_KEY
    vendor_endpoint: Annotated[
        str,
        Meta(
            pattern=r"^https?://[^/?#@\s]+/?$",
            description="the vendor's API: scheme, host and, if need be, port",
        ),
    ] = "https://ccc.tencentcloudapi.com"
    vendor_requests_per_s: Annotated[
        float, Meta(gt=0, le=20, description="at the most; the vendor refuses more than 20")
    ] = 18.0
    vendor_timeout_s: Annotated[
        float, Meta(gt=0, le=300, description="how long the vendor's API may take for a page")
    ] = 15.0
    reconcile_settle_s: Annotated[
        Seconds,
        Meta(description="a call that began later than so long ago may not be over: not signed off yet"),
    ] = 3600.0

    # every role
    log_format: Annotated[
        Literal["auto", "json", "console"], Meta(description="auto: console on a terminal, else JSON")
    ] = "auto"
    log_level: Literal["debug", "info", "warning", "error"] = "info"
    tracing: Annotated[
        Literal["off", "otlp"], Meta(description="otlp: send spans to an OpenTelemetry collector")
    ] = "off"
    tracing_endpoint: Annotated[
        OptionalUrl,
        Meta(
            description="the collector, http://HOST:4318; empty: OTEL_EXPORTER_OTLP_ENDPOINT, else localhost"
        ),
    ] = ""
    tracing_ratio: Annotated[
        float, Meta(ge=0, le=1, description="share of the pushes that are traced; the receiver draws them")
    ] = 1.0

    @property
    def min_insync_replicas(self) -> int:
        return self.topic_min_insync_replicas or max(1, self.topic_replication - 1)


FIELDS = {PREFIX + field.name.upper(): field for field in msgspec.structs.fields(Settings)}
SECRETS = frozenset(
    name
    for name, info in zip(FIELDS, msgspec.inspect.type_info(Settings).fields, strict=True)  # type: ignore[attr-defined]
    if isinstance(info.type, msgspec.inspect.Metadata) and _SECRET.items() <= (info.type.extra or {}).items()
)
HOME = PREFIX + "HOME"  # the console's own; roles ignore it


def load(environ: Mapping[str, str]) -> Settings:
    """Read the settings; SettingsError names the variable that is wrong and never shows its value."""
    given: dict[str, Any] = {}
    for name, value in environ.items():
        if not name.startswith(PREFIX) or name == HOME:
            continue
        target = _secret_of(name)
        if name not in FIELDS and target is None:
            if INJECTED.fullmatch(name):
                continue
            raise SettingsError(f"{name} is not a setting: see 'tccc config show' for those there are")
        if target is not None and target in environ:
            raise SettingsError(f"{target} and {name} are both set: keep one")
        given[target or name] = _read_file(name, value) if target else value
    settings = Settings(**{FIELDS[name].name: _convert(name, value) for name, value in given.items()})
    _check_together(settings)
    return settings


def _secret_of(name: str) -> str | None:
    secret = name.removesuffix("_FILE")
    return secret if secret != name and secret in SECRETS else None


def _read_file(name: str, path: str) -> str:
    try:
        return Path(path).read_text(encoding="utf-8").removesuffix("\n")
    except (OSError, UnicodeDecodeError) as exc:
        raise SettingsError(f"{name}: the file cannot be read ({type(exc).__name__})") from None


def _convert(name: str, value: str) -> Any:
    field = FIELDS[name]
    raw: Any = value
    if isinstance(field.default, tuple):
        raw = [part.strip() for part in value.split(",") if part.strip()]
    try:
        return msgspec.convert(raw, field.type, strict=False)
    except msgspec.ValidationError as exc:
        # msgspec's message tells what was expected; where it would show the value, say only that much.
        reason = "is not one of its values" if "enum" in str(exc) else str(exc)
        if "regex" in reason:
            reason = _EXPECTED.get(name, "HOST:PORT is expected")
        raise SettingsError(f"{name}: {reason}") from None


_EXPECTED = {
    "TCCC_PUSH_PATH": "a path such as /push is expected",
    "TCCC_VENDOR_ENDPOINT": "http://HOST:PORT or https://HOST is expected",
    "TCCC_TRACING_ENDPOINT": "http://HOST:PORT or https://HOST, without /v1/traces, is expected",
}


def _check_together(settings: Settings) -> None:
    for name, address in (("TCCC_LISTEN", settings.listen), ("TCCC_ADMIN_LISTEN", settings.admin_listen)):
        if address and host_port(address)[1] > 65535:
            raise SettingsError(f"{name}: a port is at most 65535")
    _check_networks(settings.trusted_proxies)
    if settings.ledger_days * _DAY_MS <= settings.topic_retention_ms:
        raise SettingsError(
            "TCCC_LEDGER_DAYS must exceed TCCC_TOPIC_RETENTION_MS: the ledger has to outlive what may be consumed"
        )
    if settings.kafka_security_protocol.startswith("SASL") and not settings.kafka_sasl_username:
        raise SettingsError("TCCC_KAFKA_SASL_USERNAME is needed with TCCC_KAFKA_SECURITY_PROTOCOL=SASL_…")
    if settings.min_insync_replicas > settings.topic_replication:
        raise SettingsError("TCCC_TOPIC_MIN_INSYNC_REPLICAS exceeds TCCC_TOPIC_REPLICATION")


def _check_networks(networks: tuple[str, ...]) -> None:
    for network in networks:
        try:
            ip_network(network)
        except ValueError:
            raise SettingsError("TCCC_TRUSTED_PROXIES: networks such as 10.0.0.0/8 are expected") from None


def host_port(address: str) -> tuple[str, int]:
    """`HOST:PORT` or `[IPv6]:PORT` as a pair; port 0 lets the system choose."""
    host, _, port = address.rpartition(":")
    return host.strip("[]"), int(port)
