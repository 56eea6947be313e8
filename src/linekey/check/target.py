"""What an operator types for a server, read: host, port, and how to show it."""

import re
from dataclasses import dataclass
from typing import Final
from urllib.parse import quote, urlsplit

from linekey.certs.host_names import parse_address
from linekey.endpoint import host_port
from linekey.errors import InputError

DEFAULT_PORT: Final = 443
_SCHEMES: Final = {"https": 443, "sips": 5061, "sip": 5061, "ldaps": 636, "tls": 443}
_SIP: Final = re.compile(r"sips?:(?!\d*$)", re.ASCII | re.IGNORECASE)
"""A SIP URI; ``sip:443`` is a host called sip, as no host is a number."""
_HOST: Final = re.compile(r"[A-Za-z0-9_](?:[A-Za-z0-9._-]{0,252})", re.ASCII)


@dataclass(frozen=True, slots=True)
class Target:
    """A server; ``host`` is a name in ASCII or an IP address without brackets.

    ``path``: what a URL asks for, with its query, in ASCII.
    """

    host: str
    port: int
    path: str = "/"

    @property
    def label(self) -> str:
        """``prov.example.com:443``, brackets around IPv6."""
        return host_port(self.host, self.port)


def parse_target(text: str) -> Target:
    """Read ``host``, ``host:port``, ``[v6]:port`` or a URL.

    Raises InputError for anything else; an international name becomes ``xn--``.
    """
    stripped = text.strip()
    scheme, found, rest = stripped.partition("://")
    port = DEFAULT_PORT
    if found:
        if scheme.lower() not in _SCHEMES:
            raise _wrong(text)
        port = _SCHEMES[scheme.lower()]
        stripped = rest
    elif _SIP.match(stripped):
        port = _SCHEMES["sips"]
        stripped = stripped.partition(":")[2]
    if parse_address(stripped) is not None:
        return Target(stripped.strip("[]"), port)
    try:
        parts = urlsplit(f"//{stripped}")
        host = parts.hostname or ""
        port = port if parts.port is None else parts.port
    except ValueError:
        raise _wrong(text) from None
    if port == 0:
        raise _wrong(text)
    if parse_address(host) is None:
        try:
            host = host.encode("ascii" if host.isascii() else "idna").decode("ascii")
        except UnicodeError:
            raise _wrong(text) from None
        if not _HOST.fullmatch(host):
            raise _wrong(text)
    path = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
    return Target(host.rstrip("."), port, quote(path, safe="%/?:@!$&'()*+,;=~"))


def _wrong(text: str) -> InputError:
    return InputError(
        f"not a server: {text!r}",
        hint="write prov.example.com, prov.example.com:5061, 192.0.2.7 or "
        "[2001:db8::7]:443",
    )
