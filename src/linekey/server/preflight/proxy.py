"""Is it safe to start behind a proxy? Who could pass for it, and so for any phone.

Behind a proxy the server speaks plain HTTP and believes what the proxy says. On a Unix
socket the kernel says who may connect; on loopback it is every user of the machine, and
certificates are public, so each of them can be every phone (decision 0004).

Rule: nothing here changes anything.
"""

import os
import stat
from collections.abc import Iterator
from pathlib import Path

from linekey.endpoint import is_loopback, is_private
from linekey.server.preflight.finding import found
from linekey.settings import Settings
from linekey.trust.findings import Finding
from linekey.wire.networks import parse_networks

SOCKET = "/run/linekey/linekey.sock"
"""Where the documents have the socket."""


def check_proxy(settings: Settings) -> Iterator[Finding]:
    """Judge where a server behind a proxy listens, and whom it believes."""
    if not settings.proxy.behind_proxy:
        yield from _check_protocol(settings)
        return
    if settings.proxy.protocol_from:
        yield found(
            "proxy.protocol",
            "the PROXY protocol is only for a server that terminates TLS itself, and "
            "this one is behind a proxy that does",
            "remove proxy.protocol_from; the phone's address is in X-Forwarded-For",
        )
    if settings.proxy.unix_socket is not None:
        yield from _check_socket(settings.proxy.unix_socket)
        if settings.proxy.trusted_proxies:
            yield found(
                "proxy.both",
                "proxy.unix_socket and proxy.trusted_proxies are both set, but only "
                "one can be used",
                "keep proxy.unix_socket, and remove proxy.trusted_proxies",
            )
        return
    if not (is_loopback(settings.host) or is_private(settings.host)):
        yield found(
            "proxy.open",
            f"behind a proxy the server speaks plain HTTP, and {settings.host!r} is "
            "neither a loopback nor a private address",
            "set host to 127.0.0.1, or to this machine's address in the private "
            "network that the proxy is in",
        )
    if not settings.proxy.trusted_proxies:
        yield found(
            "proxy.none",
            "no proxy is listed, so nobody could reach this server",
            f"give --behind-proxy unix:{SOCKET} or --behind-proxy ADDR[,ADDR], or "
            "proxy.unix_socket or proxy.trusted_proxies",
        )
    for text in settings.proxy.trusted_proxies:
        (network,) = parse_networks([text])
        if network.is_loopback:
            yield found(
                "proxy.loopback",
                f"every user of this machine can connect from {text} and pretend to be "
                "any phone",
                f"use a Unix socket (--behind-proxy unix:{SOCKET}), unless only root, "
                "linekey and the proxy run programs on this machine",
            )
        elif network.num_addresses > 256:
            yield found(
                "proxy.wide",
                f"every machine in {text} could pretend to be any phone",
                "list only the proxies' own addresses",
            )


def _check_protocol(settings: Settings) -> Iterator[Finding]:
    """Who is believed about the phone's address can put any into the record."""
    for text in settings.proxy.protocol_from:
        (network,) = parse_networks([text])
        if network.num_addresses > 256:
            yield found(
                "proxy.protocol_wide",
                f"every machine in {text} could claim any address, and so avoid the "
                "limits for each address",
                "list only the load balancers' own addresses",
            )


def _check_socket(path: Path) -> Iterator[Finding]:
    """Whoever may write into its folder can put a socket of his own there."""
    folder = path.parent
    try:
        mode = os.stat(folder).st_mode
    except OSError as error:
        yield found(
            "proxy.socket_folder",
            f"there is no folder for the socket {str(path)!r}: "
            f"{(error.strerror or str(error)).lower()}",
            f"install -d -m 0755 -o linekey {folder}, or RuntimeDirectory=linekey in "
            "the unit",
        )
        return
    if mode & stat.S_IWOTH:
        yield found(
            "proxy.socket_folder",
            f"every user can replace the socket {str(path)!r} (mode "
            f"{stat.S_IMODE(mode):04o} of its folder)",
            f"put it into a folder of its own, such as {Path(SOCKET).parent}",
        )
