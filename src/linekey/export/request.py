"""What the operator wants exported, checked before it gets into another's file.

Rule: a value that goes into a configuration is of a form that means the same in every
peer's language: names of letters, digits, dots and dashes; absolute paths without
spaces, quotes or other marks. What is not is refused, never escaped: six languages have
six ways to escape, and a wrong one would open what is to be closed.
"""

import ipaddress
import re
from dataclasses import dataclass, field
from typing import Literal
from urllib.parse import urlsplit

from linekey.certs.certificate import Certificate
from linekey.endpoint import bracketed, is_loopback, is_private
from linekey.errors import InputError
from linekey.export.account import Account
from linekey.export.accounts import Account as SipAccount
from linekey.export.active import ActivePhone
from linekey.export.admission import Group, admitted
from linekey.export.needs import Needs
from linekey.export.phone_book import ldif
from linekey.provisioning.ca_rules import Rules

_NAME = re.compile(r"(?=.{1,253}$)[A-Za-z0-9-]{1,63}(?:\.[A-Za-z0-9-]{1,63})*")
_PATH = re.compile(r"(?:/[A-Za-z0-9._@+=:-]+)+/?")


ClientCertificates = Literal["required", "optional"]


@dataclass(frozen=True, slots=True)
class Endpoint:
    """An address and a port. ``host`` is empty for every address."""

    host: str
    port: int

    @property
    def text(self) -> str:
        """``192.0.2.1:443``, ``[2001:db8::1]:443`` or ``*:443``."""
        return f"{self.bracketed or '*'}:{self.port}"

    @property
    def bracketed(self) -> str:
        """The host, an IPv6 address in brackets; empty for every address."""
        return bracketed(self.host)


@dataclass(frozen=True, slots=True)
class UnixSocket:
    """A Unix socket on this machine."""

    path: str
    """Absolute, without a mark that a peer's language takes for its end."""


Backend = Endpoint | UnixSocket
"""Where ``linekey serve --behind-proxy`` listens."""


@dataclass(frozen=True, slots=True)
class Request:
    """One export. Build its parts with the ``parse_…`` functions of this module."""

    needs: Needs
    authorities: tuple[Certificate, ...]
    """Vendor CAs, roots and intermediates, that may vouch for phones."""
    name: str
    """Host name that phones use for this server."""
    listen: Endpoint
    folder: str
    """Absolute path of the folder where the exported files will lie."""
    certificate: str
    """Absolute path of the server's certificate with its intermediates, PEM."""
    key: str
    """Absolute path of its private key, PEM."""
    also: tuple[str, str] | None = None
    """Paths of a second certificate, with an EC key, and of that key; for a peer that
    can show either of two (``Peer.both``). ``certificate`` is RSA's then."""
    backend: Backend | None = None
    """Where ``linekey serve --behind-proxy`` listens; None: ``files`` is served."""
    rules: Rules = field(default_factory=dict)
    """What the operator says of the phones of some of ``authorities``."""
    phones: tuple[ActivePhone, ...] = ()
    """The active ones, for a peer that knows phones one by one."""
    accounts: tuple[SipAccount, ...] = ()
    """Those of this registrar, for a peer that is one."""
    account_notes: tuple[str, ...] = ()
    """Which accounts are left out, and why."""
    phone_book: str = ldif(())
    """The registry's phones as LDIF, for a peer that is a directory."""
    files: str | None = None
    """Absolute path of a folder with the phones' files, for a peer that serves them."""
    groups: tuple[Group, ...] = admitted(())
    """Who is let in, for a peer that decides so by itself. Default: nobody."""
    account: Account | None = None
    """As whom the peer runs; None: as Debian's package of it does."""
    client_certificates: ClientCertificates = "required"
    """Whether a phone must show one, for a peer that can do without."""

    @property
    def pairs(self) -> tuple[tuple[str, str], ...]:
        """Each certificate with its key, RSA's first."""
        first = (self.certificate, self.key)
        return (first,) if self.also is None else (first, self.also)


def parse_name(text: str) -> str:
    """Read a host name or an IPv4 address. Raises InputError for anything else."""
    if not _NAME.fullmatch(text):
        raise InputError(
            f"not a host name: {text!r}",
            hint="give the name that phones use, such as phones.example.com",
        )
    return text


def parse_path(text: str, what: str) -> str:
    """Check an absolute path. Raises InputError for one that could mean two things."""
    if not _PATH.fullmatch(text) or "/../" in text + "/":
        raise InputError(
            f"the {what} {text!r} cannot stand in a configuration",
            hint=_path_cure(text),
        )
    return text


def _path_cure(text: str) -> str:
    if not text.startswith("/"):
        return "give it from the root on, such as /etc/linekey/nginx"
    if "/../" in text + "/":
        return "write it without '..'"
    odd = sorted(set(re.sub(r"[A-Za-z0-9._@+=:/-]", "", text)))
    if odd:
        return (
            f"choose one without {' '.join(map(repr, odd))}: letters, digits and "
            ". _ @ + = : - mean the same to every server"
        )
    return "write it with single slashes"


def parse_listen(text: str, default_port: int) -> Endpoint:
    """Read ``ADDR:PORT``, ``ADDR``, ``:PORT`` or ``[IPV6]:PORT``; ``*`` is every ADDR.

    Raises InputError for a host name or a port that is none.
    """
    host, port = _split(text, default_port)
    if host in ("", "*"):
        return Endpoint("", port)
    try:
        address = ipaddress.ip_address(host)
    except ValueError:
        raise InputError(
            f"not an address to listen on: {text!r}",
            hint="give ADDR:PORT, such as 192.0.2.10:443 or [2001:db8::1]:443",
        ) from None
    return Endpoint(str(address), port)


def parse_backend(text: str) -> Backend:
    """Read ``unix:PATH`` or ``http://ADDR:PORT``, where linekey serves the proxy.

    Raises InputError for another scheme, a path, and an address that is neither
    loopback nor private: between proxy and backend there is no TLS, so whoever is in
    between could be any phone.
    """
    if text.startswith("unix:"):
        path = parse_path(text.removeprefix("unix:"), "socket")
        if ":" in path or path.endswith("/"):
            raise InputError(
                f"the socket {path!r} cannot stand in a configuration",
                hint="use an absolute path without a colon, the file's own",
            )
        return UnixSocket(path)
    wrong = InputError(
        f"not a backend: {text!r}",
        hint="give unix:PATH or http://ADDR:PORT, where linekey serve --behind-proxy"
        " listens",
    )
    try:
        parts = urlsplit(text)
        host, port = parts.hostname or "", 80 if parts.port is None else parts.port
    except ValueError:
        raise wrong from None
    if parts.scheme != "http" or parts.path not in ("", "/") or parts.username:
        raise wrong
    if parts.query or parts.fragment:
        raise wrong
    if port == 0:
        raise InputError(
            f"not a port: {port}",
            hint="a port is 1 to 65535; give linekey serve one of its own with --port",
        )
    try:
        address = str(
            ipaddress.ip_address("127.0.0.1" if host == "localhost" else host)
        )
    except ValueError:
        raise wrong from None
    if not (is_loopback(address) or is_private(address)):
        raise InputError(
            f"the backend {address!r} is neither loopback nor private, and between"
            " proxy and backend there is no TLS",
            hint="run linekey serve --behind-proxy on the proxy's machine, or reach it"
            " over a private network",
        )
    return Endpoint(address, port)


def _split(text: str, default_port: int) -> tuple[str, int]:
    found = re.fullmatch(
        r"(?:\[([0-9A-Fa-f:.]+)\]|([^:\[\]]*))(?::([0-9]{1,5}))?", text
    )
    if found is None:
        if re.fullmatch(r"[0-9A-Fa-f:.]+", text) and text.count(":") > 1:
            return text, default_port
        raise InputError(
            f"not an address to listen on: {text!r}",
            hint="give ADDR:PORT, such as 192.0.2.10:443 or [2001:db8::1]:443",
        )
    port = int(found.group(3)) if found.group(3) else default_port
    if not 1 <= port <= 65535:
        raise InputError(f"not a port: {port}", hint="a port is 1 to 65535")
    return found.group(1) or found.group(2) or "", port
