"""What HTTP's own rules say of a request's head: the form of its target, and its Host.

One reading for every listener: linekey's own door, the one behind a proxy, the status
page, a phone's pages and the lab's. HTTP libraries differ here (httptools drops scheme,
authority and fragment without a word and asks for no Host; h11 hands the target on as
it came), so what they make of a target is never used.

Rules: a target in absolute form means its path, whatever Host says (RFC 9112 §3.2.2: a
server MUST accept it, and MUST ignore Host then); every other target goes on byte for
byte. A request of HTTP/1.1 without Host, or any request with two, or with one that is
no host, is 400 (RFC 9112 §3.2). Nothing here touches a socket.
"""

import ipaddress
import re
from collections.abc import Sequence
from functools import lru_cache
from typing import Any, NamedTuple
from urllib.parse import unquote

from linekey.errors import PeerError
from linekey.said import say
from linekey.wire.networks import spelled

Headers = Sequence[tuple[bytes, bytes]]
"""Names in lower case, as ASGI has them."""

_ABSOLUTE = re.compile(rb"(?i:https?)://([^/?#]*)(.*)", re.DOTALL)
_HOST = re.compile(
    r"(?:\[(?P<ipv6>[0-9A-Fa-f:.]+)\]"
    r"|(?P<name>(?:[A-Za-z0-9._~!$&'()*+,;=-]|%[0-9A-Fa-f]{2})*))"
    r"(?::(?P<port>[0-9]*))?",
    re.ASCII,
)
_MAX_PORT = 65535
_MAX_KEPT = 300
"""Bytes of a Host field that is kept once it was read; a name has 255 at most."""


class Host(NamedTuple):
    """What a Host field, or a target's authority, names."""

    name: str
    """A name or an address, without brackets; empty where the field was."""
    port: int | None


def parse_host(text: str) -> Host:
    """Read ``uri-host [":" port]`` (RFC 9110 §7.2, RFC 3986 §3.2.2), the whole of it.

    Raises PeerError for what is anything else: user info, a path, a second colon.
    """
    found = _HOST.fullmatch(text)
    if found is None:
        raise PeerError(
            say("the Host is no host with a port: %(host)s", host=repr(text[:80]))
        )
    name = found["name"] or ""
    if found["ipv6"] is not None:
        try:
            name = spelled(ipaddress.IPv6Address(found["ipv6"]))
        except ValueError:
            raise PeerError(
                say(
                    "the Host holds no IPv6 address in its brackets: %(host)s",
                    host=repr(text[:80]),
                )
            ) from None
    digits = found["port"]
    port = int(digits[-9:]) if digits else None
    if port is not None and (port > _MAX_PORT or len(digits) > 9):
        raise PeerError(
            say(
                "the Host's port is above %(limit)s: %(host)s",
                limit=_MAX_PORT,
                host=repr(text[:80]),
            )
        )
    return Host(name, port)


def read_host(http_version: str, headers: Headers) -> Host | None:
    """Read the Host of a request; None for one of HTTP/1.0 that has none.

    Raises PeerError where RFC 9112 §3.2 wants 400.
    """
    values = [value for name, value in headers if name == b"host"]
    if len(values) == 1 and len(values[0]) <= _MAX_KEPT:
        return _host_of(values[0])  # phones ask for the few names of one server
    if not values:
        if http_version == "1.0":
            return None
        raise PeerError(say("the request has no Host"))
    if len(values) > 1:
        raise PeerError(say("the request has %(count)s Host fields", count=len(values)))
    return _parse_host_field(values[0])


def _parse_host_field(value: bytes) -> Host:
    return parse_host(value.strip(b" \t").decode("latin-1"))


_host_of = lru_cache(maxsize=256)(_parse_host_field)


def split_absolute(target: bytes) -> tuple[Host, bytes] | None:
    """Take a target in absolute form apart: its authority, and its origin form.

    None for every other target, and for an authority that is none: without a host
    (RFC 9110 §4.2.1), or with user info (§4.2.4).
    """
    if target.startswith(b"/"):
        return None
    found = _ABSOLUTE.fullmatch(target)
    if found is None:
        return None
    try:
        host = parse_host(found[1].decode("latin-1"))
    except PeerError:
        return None
    if not host.name:
        return None
    rest = found[2]
    return host, rest if rest.startswith(b"/") else b"/" + rest


def place_target(scope: Any, target: bytes) -> Host | None:
    """Put a request's target into its ASGI scope; the authority of an absolute one.

    ``raw_path`` and ``query_string`` together are then the origin form, or the whole
    target if it has another form, without a byte changed.
    """
    absolute = split_absolute(target)
    if absolute is not None:
        target = absolute[1]
    raw_path, _, scope["query_string"] = target.partition(b"?")
    scope["raw_path"] = raw_path
    path = raw_path.decode("latin-1")
    scope["path"] = unquote(path) if "%" in path else path
    return None if absolute is None else absolute[0]


def target_of(scope: Any) -> bytes:
    """Return the target that an ASGI scope holds."""
    query: bytes = scope["query_string"]
    raw_path: bytes = scope["raw_path"]
    return raw_path + b"?" + query if query else raw_path
