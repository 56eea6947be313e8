"""linekey's own settings: one file, the environment, options; later ones win.

Rules: nothing here opens a file or reads the process's environment; both come in as
values (``parse_settings``). An unknown key is an error that names the nearest known
one, so that a typing mistake in a limit or a rule never passes for its default. Every
field has a docstring with its unit; ``docs/reference/settings.md`` is made from them.

The file is ``linekey.toml`` in the state folder. In the environment a field is
``LINEKEY_`` and its name in capitals, with two underscores for the dot:
``limits.body_bytes`` is ``LINEKEY_LIMITS__BODY_BYTES``; lists are comma-separated.
What a phone fetches is a *phone configuration* and has nothing to do with this.
"""

import difflib
import ipaddress
import tomllib
import zoneinfo
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Annotated, Any, ClassVar

from pydantic import (
    BaseModel,
    Field,
    SecretStr,
    ValidationError,
)
from pydantic import field_validator as validated
from pydantic_settings import (
    BaseSettings,
    PydanticBaseSettingsSource,
    SettingsConfigDict,
)

from linekey.alert_settings import AlertSettings
from linekey.anchor_settings import AnchorSettings
from linekey.endpoint import is_safe_origin, parse_endpoint
from linekey.errors import InputError
from linekey.section import Count, Files, Port, Seconds, Section, first_wrong

ENVIRONMENT_PREFIX = "LINEKEY_"
OTHER_VARIABLES = frozenset({"LINEKEY_STATE"})
"""Variables with our prefix that are no settings: where the state folder is."""


class StatusSettings(Section):
    """The management listener: the status page, the console and the HTTP API."""

    host: str = "127.0.0.1"
    """Address to listen on. Beyond loopback it needs ``certificate`` and ``key``, and
    there are console and API only: the status page has no log-in."""
    port: Port = 8480
    """TCP port; 0 takes a free one."""
    enabled: bool = True
    """Whether there is a status page, and an API, at all."""
    own_process: bool = True
    """Whether a process of its own serves it, so that phones do not wait for it. False
    spares some 100 MB of memory, for small machines. With several workers it is always
    so."""
    certificate: Path | None = None
    """PEM file with this listener's certificate first, then its intermediates. Then it
    speaks TLS 1.2 or newer only. A relative path starts at the state folder; a renewed
    file is read by itself."""
    key: Path | None = None
    """PEM file with that certificate's private key, mode 0600."""


class MetricsSettings(Section):
    """The numbers for Prometheus on a listener of their own (docs/howto/monitoring.md).

    They are on the status page's listener, too, for who may reach that.
    """

    listen: str = ""
    """``ADDRESS:PORT`` of ``/metrics``, such as ``10.0.0.7:9480``; empty: nowhere.
    Beyond loopback it needs ``certificate`` and ``key``."""
    token_file: Path = Path("metrics.token")
    """File with the bearer token that Prometheus sends, mode 0600; made with a new one
    if there is none. A relative path starts at the state folder; a changed file counts
    from the next request on."""
    certificate: Path | None = None
    """PEM file with this listener's certificate first, then its intermediates. A
    renewed file is read by itself."""
    key: Path | None = None
    """PEM file with that certificate's private key, mode 0600."""

    @validated("listen")
    @classmethod
    def _endpoint(cls, given: str) -> str:
        if given:
            parse_endpoint(given)
        return given


class ApiSettings(Section):
    """The HTTP API, on the status page's listener (docs/howto/api.md)."""

    enabled: bool = True
    """Whether there is an API. It needs the listener, so ``status.enabled``, too."""
    public_schema: bool = False
    """Whether the OpenAPI document is given to who has no token."""
    requests_each_minute: Count = 6_000
    """Calls that each token may make in a minute; more: 429."""
    refused_each_minute: Count = 60
    """Calls without a good token that an address may make in a minute before it hears
    429 instead of 401."""


class OidcSettings(Section):
    """Log-in to the console at an identity provider, by OpenID Connect."""

    issuer: str = ""
    """The provider's issuer, such as ``https://id.example.com/realms/office``; empty:
    users log in with passwords and links alone. It needs ``console.url``, since the
    provider sends browsers back there: to ``/console/provider/back``."""
    client_id: str = ""
    """What the provider calls linekey."""
    client_secret: SecretStr | None = None
    """The secret that goes with it; better in the environment
    (``LINEKEY_CONSOLE__OIDC__CLIENT_SECRET``). Not set: a public client, with PKCE."""
    name: Annotated[str, Field(max_length=60)] = "OpenID Connect"
    """What the log-in page calls the provider."""
    ca: Path | None = None
    """PEM file with the CAs that the provider's certificate may be from; not set: those
    of the system. A relative path starts at the state folder."""
    scope: str = "openid"
    """What is asked for, separated by spaces; a provider may give its groups only to
    who asks for ``groups``, too."""
    claim: str = "groups"
    """The claim of the ID token, a text or a list of texts, that ``roles`` reads."""
    roles: dict[str, str] = Field(default_factory=dict)
    """Which value of that claim is which role: ``"phone-admins" = "admin"``, with
    groups ``"acme-it" = "helpdesk acme"``; the first that fits counts. Who has one is
    or becomes a user with that role and these groups; who has none stays out. Empty:
    users and their roles are linekey's own."""

    @validated("roles")
    @classmethod
    def _grants(cls, given: dict[str, str]) -> dict[str, str]:
        for value, grant in given.items():
            if grant.partition(" ")[0] not in ("viewer", "helpdesk", "admin"):
                raise ValueError(
                    f"{value!r} is {grant!r}, which begins with none of viewer, "
                    "helpdesk and admin"
                )
        return given

    @validated("scope")
    @classmethod
    def _openid(cls, given: str) -> str:
        if "openid" not in given.split():
            raise ValueError(f"{given!r} does not ask for openid")
        return given

    @validated("issuer")
    @classmethod
    def _https(cls, given: str) -> str:
        if given and not is_safe_origin(given):
            raise ValueError(f"{given!r} is not an https URL (http: loopback only)")
        return given


class ConsoleSettings(Section):
    """The console: pages with log-in, on the status page's listener."""

    enabled: bool = True
    """Whether there is a console. It needs the listener, so ``status.enabled``, too."""
    url: str = ""
    """Where browsers reach it if not at the listener itself, such as
    ``https://pbx.example.com``: the name of a proxy before it, or of its certificate.
    On loopback no other name but this one is answered."""
    idle_minutes: Count = 60
    """Minutes without a request after which a user has to log in again."""
    session_hours: Annotated[int, Field(ge=1, le=168)] = 12
    """Hours after which a user has to log in again whatever it does."""
    time_zone: str = "UTC"
    """The zone in which times are shown, such as ``Europe/Berlin``."""
    oidc: OidcSettings = OidcSettings()
    """Log-in at an identity provider."""

    @validated("url")
    @classmethod
    def _origin(cls, given: str) -> str:
        given = given.rstrip("/")
        if given and not (is_safe_origin(given) and given.count("/") == 2):
            raise ValueError(f"{given!r} is not a URL such as https://pbx.example.com")
        return given

    @validated("time_zone")
    @classmethod
    def _zone(cls, given: str) -> str:
        try:
            zoneinfo.ZoneInfo(given)
        except (zoneinfo.ZoneInfoNotFoundError, ValueError, OSError):
            raise ValueError(f"{given!r} is not a time zone of this machine") from None
        return given


class LimitSettings(Section):
    """What one peer, or all of them together, may use up.

    The phone's own pages and the lab's menu stand behind the same door, with these
    defaults.
    """

    half_open: Count = 512
    """Handshakes, in each worker, that may be under way: from a whole ClientHello to
    the handshake's end; never more than half of ``connections``. More wait their turn:
    by turns the one that has waited longest, and the next source. Of connections
    without a whole ClientHello as many may wait unhurriedly; precedent: nginx's
    worker_connections, 768 in Debian's packaging.
    """
    half_open_per_source: Count = 64
    """Of these, how many one source (an IPv4 address, an IPv6 /64) is sure of, at most
    half of them. It may have more while nobody else needs them, and is never shut out;
    precedent: OpenSSH's PerSourceMaxStartups."""
    connections: Count = 10_000
    """Connections, in each worker, in all. At the limit one gives way for a new one:
    one that is ending, one of too many that are silent or wait for a turn, the longest
    idle one, one of the source that has most; if none may, new ones wait in the
    kernel's backlog."""
    backlog: Count = 2048
    """Connections the kernel keeps waiting; it caps this at net.core.somaxconn."""
    hello_bytes: Annotated[int, Field(ge=512)] = 16_384
    """Bytes of a ClientHello, its records' headers not counted. Real ones have 100 to
    2,000; a TLS record carries 16,384 at most (RFC 8446 §5.1)."""
    flight_bytes: Annotated[int, Field(ge=8_192)] = 131_072
    """Bytes a client may send before the handshake's end, its certificates included.
    OpenSSL allows 102,400 for a certificate list (SSL_MAX_CERT_LIST_DEFAULT)."""
    handshake_s: Seconds = 10.0
    """Seconds for a whole ClientHello, and as long again for the handshake from its
    turn on, however steadily bytes drip in: an RSA-1024 phone of 2008 signs in about a
    second. Who has waited longer for its turn comes after who has not."""
    turn_s: Seconds = 60.0
    """Seconds that a whole ClientHello may wait for its turn. Who gives up sooner costs
    no signature."""
    shed_after_s: Seconds = 2.0
    """Seconds after which, while there are more than ``half_open`` connections without
    a whole ClientHello, these are closed, all at once; silent or dripping. A handshake
    of a source beyond its share may stall twice as long while others of it wait, and 2
    seconds while one of another source does."""
    request_s: Seconds = 15.0
    """Seconds from a request's first byte (the first one: from the handshake's end) to
    its last."""
    write_s: Seconds = 20.0
    """Seconds in which a peer that stopped reading must read on."""
    keep_alive_s: Seconds = 15.0
    """Seconds a connection may idle between two requests; nginx has 75, Apache 5."""
    header_bytes: Annotated[int, Field(ge=1_024)] = 16_384
    """Bytes of a request line with its headers; nginx allows 4 × 8 kB. More: 431."""
    header_count: Annotated[int, Field(ge=8)] = 64
    """Headers of a request. More: 431."""
    body_bytes: Annotated[int, Field(ge=0)] = 65_536
    """Bytes of a request's body. Phones fetch and send none; more: 413."""
    refusal_queue: Count = 1_000
    """Refused handshakes waiting to be written to the log, in each worker. What does
    not fit is counted and the count logged, so that a flood cannot fill memory."""


class StopSettings(Section):
    """How this server ends (docs/howto/several-servers.md)."""

    announce_s: Annotated[float, Field(ge=0, le=600)] = 10.0
    """Seconds between SIGTERM and the end of accepting, in which ``/readyz`` answers
    503 (cause ``leaving``) and phones are served as before: load balancers send them
    elsewhere meanwhile. More than a balancer's interval times its failures (HAProxy:
    ``inter`` × ``fall``). Only where a balancer has asked on ``health_listen`` within
    15 s; otherwise nobody is waited for. 0: never."""
    finish_s: Annotated[float, Field(gt=0, le=600)] = 5.0
    """Seconds that handshakes and answers under way may take after that."""


class LogSettings(Section):
    """What is kept on record, and how long (docs/explanation/what-is-kept.md)."""

    keep_days: Annotated[int, Field(ge=0)] = 90
    """Days that decisions about phones are kept, some 700 bytes each; 0: for ever."""
    stranger_days: Annotated[int, Field(ge=0)] = 30
    """Days that counted refusals of strangers are kept; 0: for ever."""
    stranger_lines: Count = 3_000
    """Lines of counted refusals that are kept; the oldest go first. One is for a
    network (IPv4 /24, IPv6 /56), a reason and a minute: at most some 1,200 bytes."""
    refused_lines_each: Count = 20
    """Lines of its own that a phone's refusals may have a day; more are counted."""
    refused_lines: Annotated[int, Field(ge=0)] = 1_000
    """Lines of their own that refusals of all phones may have a day, besides the first
    of each phone."""
    change_days: Annotated[int, Field(ge=0)] = 730
    """Days that the record of changes (``linekey audit``) is kept; 0: for ever."""
    reserve_mb: Annotated[int, Field(ge=0)] = 16
    """Mebibytes kept free for a full disk, as a file in the state folder; 0: none. Not
    used with ``database_url``."""
    stderr_each_minute: Count = 10
    """Lines on stderr of one kind (such as refusals for one reason) in a minute; the
    rest is counted. Linux's kernel has 10 in 5 seconds (printk_ratelimit)."""


BasePath = Annotated[
    str, Field(pattern=r"^(/[A-Za-z0-9_-][A-Za-z0-9._-]*){1,4}$", max_length=200)
]


class RuleSettings(Section):
    """What the operator may decide about who gets what."""

    blanked_for_shared: bool = False
    """Whether a phone that proves only its vendor (a shared certificate) gets its file
    with every secret blanked. Off: it gets nothing without its second factor."""
    second_factor_without_certificate: bool = False
    """Whether a client without any certificate may come with a second factor alone
    (one-time token, HTTP digest). Off: its handshake is refused."""
    expired_certificates: Annotated[
        str, Field(pattern="^(refuse|named|registered|accept)$")
    ] = "refuse"
    """What phones get whose certificates, or a CA above them, have ended, unless the
    operator said something else for the CA (``linekey trust set --expired``).
    ``refuse``: nothing, and the TLS handshake fails. ``named``: only phones and groups
    that say otherwise themselves. ``registered``: phones that were registered before
    the end, with a second factor. ``accept``: as before, and each decision says so
    (docs/howto/expired-certificates.md)."""
    base_paths: tuple[BasePath, ...] = ()
    """Folders that phones may have before the file in their URLs, such as ``/prov``;
    the root is always served. Empty: any folder, up to four deep."""


class PendingSettings(Section):
    """Phones that prove themselves and that nobody has registered
    (docs/howto/pending.md)."""

    policy: Annotated[str, Field(pattern="^(refuse|waiting|adopt)$")] = "refuse"
    """What they get, unless the operator said something else for their CA (``linekey
    trust set --pending``). ``refuse``: nothing; they are listed all the same.
    ``waiting``: a file that shows a code on the display, and nothing else. ``adopt``:
    as waiting, and who fits a rule of ``linekey pending rules`` is registered at once.
    """
    keep: Annotated[int, Field(ge=1, le=100_000)] = 1_000
    """Phones that are listed, some 600 bytes each; who has not come for the longest
    time goes first. Those that the operator refused do not count."""
    keep_days: Annotated[int, Field(ge=0)] = 30
    """Days after its last visit that a phone is listed, also a refused one; 0: for
    ever."""
    ask_again_s: Annotated[int, Field(ge=60, le=86_400)] = 300
    """Seconds after which a phone with a waiting file is told to ask again."""


class ProxySettings(Section):
    """Behind a proxy that ends TLS and forwards the phone's certificate."""

    behind_proxy: bool = False
    """Whether requests come through such a proxy. Then this server speaks plain HTTP to
    the listed proxies only and takes identity from the proxy's headers."""
    trusted_proxies: tuple[str, ...] = ()
    """Addresses or networks (``192.0.2.10``, ``10.0.0.0/8``) of the proxies. From a
    loopback address every user of the machine can come: prefer ``unix_socket``."""
    unix_socket: Path | None = None
    """Absolute path of a Unix socket to listen on instead of host and port. Who may
    connect to it (mode 0660) is the proxy; an empty text: none."""
    unix_group: str = ""
    """Group that may connect to that socket, the one the proxy runs as (Debian:
    www-data, haproxy). Empty: this server's own group."""
    protocol_from: tuple[str, ...] = ()
    """Addresses or networks of balancers that pass TCP through and send the PROXY
    protocol (version 1 or 2) first, which names the phone's address. From them it is
    required, and from nobody else believed. Not with ``behind_proxy``."""
    public_port: Annotated[int, Field(ge=1, le=65535)] = 443
    """TCP port on which phones reach the proxy; it is in the URLs that phone
    configurations hold."""

    @validated("unix_socket", mode="before")
    @classmethod
    def _absolute(cls, given: object) -> object:
        if given is None or str(given) == "":
            return None
        if not str(given).startswith("/"):
            raise ValueError(f"{str(given)!r} is not an absolute path")
        return given

    @validated("trusted_proxies", "protocol_from")
    @classmethod
    def _networks(cls, given: tuple[str, ...]) -> tuple[str, ...]:
        for text in given:
            ipaddress.ip_network(text, strict=False)
        return given


class Settings(BaseSettings):
    """Everything an operator can set, checked. Sections hold what belongs together."""

    model_config: ClassVar[SettingsConfigDict] = SettingsConfigDict(
        extra="forbid", frozen=True, use_attribute_docstrings=True
    )

    host: str = "0.0.0.0"  # noqa: S104 - phones come from the network; that is the job
    """Address to listen on for phones; ``::`` for IPv6 and IPv4 together."""
    port: Port = 8443
    """TCP port for phones; 0 takes a free one. 443 needs CAP_NET_BIND_SERVICE."""
    certificate: Files = ()
    """PEM file with the server's certificate first, then its intermediates. A relative
    path starts at the state folder. A list of two, one for an RSA key and one for an EC
    key: each phone is shown the one that it can use, EC where it can use both."""
    key: Files = ()
    """PEM file with the certificate's private key, mode 0600; with two certificates a
    list of two, in the same order."""
    names: tuple[str, ...] = ()
    """Host names that phones use for this server. Each must be in the certificate;
    empty: the certificate's own names."""
    workers: Annotated[int, Field(ge=1, le=256)] = 1
    """Processes that serve phones. One per core is the most that helps."""
    database_url: SecretStr | None = None
    """SQLAlchemy URL such as ``postgresql+psycopg://linekey@db/linekey``; not set:
    SQLite in the state folder. It may hold a password and is never printed."""
    instance: Annotated[str, Field(max_length=200)] = ""
    """This server's name among those that share a database, as ``linekey layer
    rotate-key`` shows it; empty: the machine's name and the state folder."""
    health_listen: str = ""
    """``ADDRESS:PORT`` on which balancers are answered by plain HTTP: ``/healthz``
    (this process lives) and ``/readyz`` (phones can be served now), and nothing else.
    Empty: nowhere but on the status page. Let the balancer alone reach it."""
    log_level: Annotated[str, Field(pattern="^(debug|info|warning|error)$")] = "info"
    """Least level that is logged to stderr: debug, info, warning, error."""
    log_format: Annotated[str, Field(pattern="^(auto|json|text)$")] = "auto"
    """``json``: an object a line; ``text``: for people; ``auto``: by terminal."""
    status: StatusSettings = StatusSettings()
    """The status page."""
    api: ApiSettings = ApiSettings()
    """The HTTP API."""
    metrics: MetricsSettings = MetricsSettings()
    """The numbers for Prometheus on a listener of their own."""
    console: ConsoleSettings = ConsoleSettings()
    """The console, for people with a browser."""
    limits: LimitSettings = LimitSettings()
    """Limits against peers that send too much, too slowly, or too often."""
    stop: StopSettings = StopSettings()
    """How this server ends."""
    log: LogSettings = LogSettings()
    """What is kept on record, and how long."""
    rules: RuleSettings = RuleSettings()
    """Who gets what, where the operator has a choice."""
    pending: PendingSettings = PendingSettings()
    """Phones that nobody has registered yet."""
    proxy: ProxySettings = ProxySettings()
    """Behind a proxy that ends TLS."""
    trust_anchor: AnchorSettings = AnchorSettings()
    """The root of this server's certificate, as phones get it."""
    alerts: AlertSettings = AlertSettings()
    """Who is told of what by webhook and mail."""

    @property
    def has_own_process_for_status(self) -> bool:
        """Whether the management listener is there, apart from who serves phones."""
        status = self.status
        return status.enabled and (status.own_process or self.workers > 1)

    @validated("health_listen")
    @classmethod
    def _endpoint(cls, given: str) -> str:
        if given:
            parse_endpoint(given)
        return given

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """Take values as given only: ``parse_settings`` layers them, purely."""
        return (init_settings,)


def parse_settings(
    toml: str = "",
    environment: Mapping[str, str] | None = None,
    options: Mapping[str, Any] | None = None,
    *,
    file: str = "linekey.toml",
) -> Settings:
    """Layer the file's text, the environment and the options into one.

    ``environment`` may be the whole process environment: only ``LINEKEY_`` names are
    looked at. ``options`` maps names with dots to values; None means "not given".
    ``file`` is only used in messages. Raises InputError for text that is no TOML, an
    unknown key (naming the nearest), and a value that cannot be right.
    """
    try:
        merged = tomllib.loads(toml)
    except tomllib.TOMLDecodeError as error:
        raise InputError(f"{file}: not TOML: {error}", hint="see toml.io") from error
    _refuse_unknown(merged, Settings, file)
    for name, text in sorted((environment or {}).items()):
        if name.startswith(ENVIRONMENT_PREFIX) and name not in OTHER_VARIABLES:
            dotted = name.removeprefix(ENVIRONMENT_PREFIX).lower().replace("__", ".")
            _place(merged, dotted, _from_text(dotted, text), f"environment {name}")
    for dotted, value in (options or {}).items():
        if value is not None:
            _place(merged, dotted, value, "option")
    try:
        return Settings.model_validate(merged)
    except ValidationError as error:
        where, why = first_wrong(error)
        raise InputError(
            f"setting {where!r}: {why}",
            hint=f"{where}: {describe_field(where)}" if where in _names() else "",
        ) from None


def fields() -> Iterator[tuple[str, str, str, str]]:
    """Yield (dotted name, type, default, meaning) for each setting, in order."""
    yield from _walk(Settings, "")


def describe_field(dotted: str) -> str:
    """Return one setting's meaning with its unit, in one line."""
    return next(text for name, _, _, text in fields() if name == dotted)


def _walk(model: type[BaseModel], prefix: str) -> Iterator[tuple[str, str, str, str]]:
    sections = []
    for name, field in model.model_fields.items():
        kind = field.annotation
        if isinstance(kind, type) and issubclass(kind, BaseModel):
            sections.append((kind, f"{prefix}{name}."))
            continue
        text = " ".join((field.description or "").split())
        yield f"{prefix}{name}", _type_name(kind), _shown(field.default), text
    for kind, inner in sections:
        yield from _walk(kind, inner)


def _type_name(kind: Any) -> str:
    if isinstance(kind, type):
        return {"str": "text", "Path": "file", "SecretStr": "text"}.get(
            kind.__name__, kind.__name__
        )
    text = str(kind).replace("pathlib.Path", "file").replace("pydantic.types.", "")
    if "file" in text and "tuple" in text:
        return "file or list of files"
    if text.startswith("tuple"):
        return "list of texts"
    return text.replace("SecretStr", "text").replace(" | None", "")


def _shown(default: Any) -> str:
    if default is None:
        return "not set"
    if isinstance(default, bool):
        return str(default).lower()
    if isinstance(default, tuple):
        return "[" + ", ".join(map(str, default)) + "]"
    return str(default) or '""'


def _names() -> list[str]:
    return [name for name, _, _, _ in fields()]


def _unknown(dotted: str, where: str) -> InputError:
    near = difflib.get_close_matches(dotted, _names(), n=1, cutoff=0.5)
    return InputError(
        f"{where}: unknown setting {dotted!r}",
        hint=f"did you mean {near[0]!r}?" if near else "see docs/reference/settings.md",
    )


def _refuse_unknown(
    given: Mapping[str, Any], model: type[BaseModel], where: str, prefix: str = ""
) -> None:
    for name, value in given.items():
        field = model.model_fields.get(name)
        if field is None:
            raise _unknown(prefix + name, where)
        kind = field.annotation
        if isinstance(kind, type) and issubclass(kind, BaseModel):
            if not isinstance(value, Mapping):
                raise InputError(
                    f"{where}: {prefix + name!r} is a section, not a value",
                    hint=f"write [{prefix}{name}] on a line of its own",
                )
            _refuse_unknown(value, kind, where, f"{prefix}{name}.")


def _place(tree: dict[str, Any], dotted: str, value: Any, where: str) -> None:
    if dotted not in _names():
        raise _unknown(dotted, where)
    *sections, leaf = dotted.split(".")
    for section in sections:
        tree = tree.setdefault(section, {})
    tree[leaf] = value


def _from_text(dotted: str, text: str) -> Any:
    kind = next((k for n, k, _, _ in fields() if n == dotted), "text")
    if kind.endswith(("list of texts", "list of files")):
        return tuple(part.strip() for part in text.split(",") if part.strip())
    return text
