"""``host:port``, written and read: IPv6 stands in brackets (RFC 3986 §3.2.2).

A host is held without brackets; only what is written for people, URLs and SIP has them.
"""

import ipaddress
from urllib.parse import urlsplit

from linekey.digits import digits_of

_PRIVATE = tuple(
    map(
        ipaddress.ip_network,
        ("10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "fc00::/7"),
    )
)


def bracketed(host: str) -> str:
    """A host as it stands in a URL: IPv6 in brackets."""
    return f"[{host}]" if ":" in host else host


def host_port(host: str, port: int) -> str:
    """``prov.example.com:443``, ``[2001:db8::7]:443``."""
    return f"{bracketed(host)}:{port}"


def parse_host_port(text: str, default: int | None = None) -> tuple[str, int]:
    """Read ``HOST:PORT``, ``[V6]:PORT``, and HOST alone where there is a ``default``.

    The host comes back without brackets and is looked at no further. Raises ValueError.
    """
    host, mark, port = text.strip().rpartition(":")
    if not mark or (host.startswith("[") and port.endswith("]")):
        host, port = text.strip(), "" if default is None else str(default)
    number = digits_of(port, 65536)
    inner = host[1:-1] if host.startswith("[") and host.endswith("]") else host
    if not inner or number is None or number > 65535 or (":" in host and inner == host):
        raise ValueError(f"{text!r} is not HOST:PORT, such as 10.0.0.7:8481")
    return inner, number


def parse_endpoint(text: str) -> tuple[str, int]:
    """Read ``ADDRESS:PORT``, an IPv6 address in brackets. Raises ValueError."""
    try:
        host, port = parse_host_port(text)
        ipaddress.ip_address(host)
    except ValueError:
        host, port = "", 0
    if host_port(host, port) != text:
        raise ValueError(
            f"{text!r} is not ADDRESS:PORT, such as 10.0.0.7:8481 or [::1]:8481"
        )
    return host, port


def is_loopback(host: str) -> bool:
    """Whether ``host`` can only be reached from this machine: 127/8, ::1, localhost."""
    if host.lower() == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def is_safe_origin(url: str) -> bool:
    """Whether a URL is https, or http to this machine, with a host and no user."""
    try:
        parts = urlsplit(url)
        parts.port  # noqa: B018 - raises for one that is none
    except ValueError:
        return False
    if not parts.hostname or parts.username is not None or parts.fragment:
        return False
    safe = parts.scheme == "http" and is_loopback(parts.hostname)
    return parts.scheme == "https" or safe


def is_private(host: str) -> bool:
    """Whether ``host`` is an address of a private network (RFC 1918, RFC 4193)."""
    try:
        address = ipaddress.ip_address(host)
    except ValueError:
        return False
    return any(address in network for network in _PRIVATE)
