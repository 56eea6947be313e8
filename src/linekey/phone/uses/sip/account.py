"""A phone's SIP account, read from its settings.

Rules:

- ``user_outbound`` is a list by comma of ``host:5061;transport=tls`` (templates of two
  public systems, from 8.7 on, M); empty entries are none, since templates render a
  trailing comma. The first is called; the others are its stand-ins. Without it the
  registrar ``user_host`` is called, where older templates put the port and
  ``;transport=tls`` as well (M).
- **Nothing that speaks of TLS comes out as no TLS.** An entry that cannot be read, an
  unknown transport, a parameter that is nearly one: refused, never called in plain.
  In a list with one TLS entry every entry must be one; ``transport=tls`` of the
  registrar holds for an outbound proxy that names no transport.
- RFC 3261 §19.1: the default port of SIP over TLS is 5061; ``sips:`` means TLS. The
  name that the certificate must carry is the outbound proxy, else the registrar
  (vendor, from 10.1.63.0, H; RFC 5922 §4; for older firmware the same reading, L).
- What is copied into messages has no control character: a line break in a setting would
  be a header of its own.
"""

import re
from collections.abc import Callable
from dataclasses import dataclass, field

from linekey.digits import digits_of
from linekey.endpoint import bracketed
from linekey.errors import InputError

_ENTRY = re.compile(
    r"(?:(?P<scheme>sips?):)?"
    r"(?P<host>\[[0-9A-Fa-f:.]+\]|[\w.-]+)"
    r"(?::(?P<port>[0-9]{1,5}))?"
    r"(?P<parameters>(?:;[^\s;,]*)*)",
    re.IGNORECASE,
)
_PARAMETER = re.compile(r"(?P<name>[A-Za-z0-9_.!~*-]+)(?:=(?P<value>[^=]*))?")
_PLAIN = frozenset({"udp", "tcp"})
_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f]")
MAX_EXPIRY_S = 2**31 - 1
DEFAULT_EXPIRY_S = 3600
"""``user_expiry``'s default (vendor, M)."""


@dataclass(frozen=True, slots=True)
class Outbound:
    """A server to call: host without brackets, port, and whether by TLS."""

    host: str
    port: int
    tls: bool


@dataclass(frozen=True, slots=True)
class SipAccount:
    """One line of a phone."""

    index: int
    user: str
    registrar: str
    """The domain: Request-URI, From and To."""
    host: str
    """What is connected to, and what the certificate must name."""
    port: int
    tls: bool
    password: str = field(default="", repr=False)
    auth_user: str = ""
    display_name: str = ""
    expires_s: int = DEFAULT_EXPIRY_S
    standby: tuple[Outbound, ...] = ()
    """Called in turn where ``host`` cannot be reached."""

    @property
    def servers(self) -> tuple[Outbound, ...]:
        """Whom to call, in order."""
        return (Outbound(self.host, self.port, self.tls), *self.standby)

    @property
    def address(self) -> str:
        """The address of record, ``sip:user@domain``."""
        return f"sip:{self.user}@{self.registrar}"


def read_account(
    index: int, setting: Callable[[str, int], str | None]
) -> SipAccount | None:
    """Read account ``index`` (from 1); None where the phone has none.

    ``setting`` looks up a setting by name and idx. Raises InputError for an outbound
    proxy that cannot be read, and for control characters in what messages carry.
    """

    def value(name: str) -> str:
        return (setting(name, index) or "").strip()

    user, registrar = value("user_name"), value("user_host")
    if not user or not registrar or value("user_active").lower() == "off":
        return None
    for name in ("user_name", "user_host", "user_pname", "user_realname"):
        if _CONTROL.search(value(name)):
            raise InputError(
                f"{name}{index} has control characters: {value(name)[:80]!r}",
                hint="write it in one line, without line breaks, tabs and NUL",
            )
    home = _read_list(registrar, f"user_host{index}")
    if not home:
        return None
    servers = _read_list(value("user_outbound"), f"user_outbound{index}")
    if not servers:
        servers = home[:1]
    elif home[0].transport == "tls" and not servers[0].transport:
        servers = tuple(_Entry(s.host, s.port, "tls") for s in servers)
    if home[0].transport == "tls" != servers[0].transport:
        raise InputError(
            f"user_host{index} says transport=tls, and user_outbound{index} "
            f"transport={servers[0].transport}",
            hint="write the transport into user_outbound alone, as "
            "host:5061;transport=tls",
        )
    first, *others = (s.outbound for s in servers)
    return SipAccount(
        index=index,
        user=user,
        registrar=home[0].written_host,
        host=first.host,
        port=first.port,
        tls=first.tls,
        standby=tuple(others),
        password=setting("user_pass", index) or "",
        auth_user=value("user_pname") or user,
        display_name=value("user_realname"),
        expires_s=digits_of(value("user_expiry"), MAX_EXPIRY_S) or DEFAULT_EXPIRY_S,
    )


@dataclass(frozen=True, slots=True)
class _Entry:
    """One entry of a list as it is written; ``transport`` is lower case, or empty."""

    host: str
    port: int | None
    transport: str

    @property
    def written_host(self) -> str:
        """For a SIP URI: IPv6 in brackets."""
        return bracketed(self.host)

    @property
    def outbound(self) -> Outbound:
        tls = self.transport == "tls"
        return Outbound(self.host, self.port or (5061 if tls else 5060), tls)


def _read_list(text: str, name: str) -> tuple[_Entry, ...]:
    """Every entry of a list by comma, empty ones left out. Raises InputError."""
    entries = tuple(
        _read_entry(part.strip(), name) for part in text.split(",") if part.strip()
    )
    kinds = {entry.transport == "tls" for entry in entries}
    if len(kinds) > 1:
        raise InputError(
            f"{name} has entries with transport=tls and entries without",
            hint="add ;transport=tls to each: if the first server does not answer, the "
            "phone would otherwise continue without TLS",
        )
    return entries


def _read_entry(text: str, name: str) -> _Entry:
    match = _ENTRY.fullmatch(text)
    port = digits_of(match["port"], 65536) if match and match["port"] else None
    if match is None or port in (0, 65536) or match["host"].lower() == "tls":
        raise InputError(
            f"{name} cannot be read: {_without_login(text)!r}",
            hint="write host:5061;transport=tls, several with a comma between them, "
            "without user and password (they go into user_name and user_pass), blanks "
            "and control characters",
        )
    transports = set()
    for parameter in filter(None, match["parameters"].split(";")):
        read = _PARAMETER.fullmatch(parameter)
        word = parameter.lower()
        if read is not None and read["name"].lower() == "transport":
            transports.add((read["value"] or "").lower())
        elif read is None or "tls" in word or "transp" in word:
            raise InputError(
                f"{name} has a parameter that is not understood: {parameter[:40]!r}",
                hint="write ;transport=tls",
            )
    if (match["scheme"] or "").lower() == "sips":
        # RFC 3261 §26.2.2: TLS, whatever carries it.
        transports = {"tls"} if transports <= {"tls", "tcp"} else transports | {"tls"}
    if len(transports) > 1 or not transports <= {"tls"} | _PLAIN:
        raise InputError(
            f"{name} has an unknown transport: {', '.join(sorted(transports))[:60]!r}",
            hint="write ;transport=tls once, or udp or tcp for no TLS",
        )
    return _Entry(match["host"].strip("[]"), port, next(iter(transports), ""))


def _without_login(outbound: str) -> str:
    """The value as an error may show it: ``sip:user:password@`` is a secret."""
    _, at, rest = outbound.rpartition("@")
    return f"…@{rest}"[:80] if at else outbound[:80]
