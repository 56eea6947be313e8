"""HAProxy before several linekey servers, passing TCP through: no TLS ends in it.

What each server needs in return is said with it: the balancer's address in
``proxy.protocol_from``, and ``health_listen`` on the port that is asked for readiness.

Rules: whose connection it is goes along (PROXY protocol, version 2); a source keeps its
server, since sessions resume nowhere else (decision 0031); a server is out after two
looks at ``/readyz`` that went wrong, which ``stop.announce_s`` leaves time for.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from linekey.errors import InputError
from linekey.export.account import DEBIAN, Account
from linekey.export.peers import find_peer
from linekey.export.render import Export, ExportFile, render
from linekey.export.request import Endpoint, parse_listen

PEER: Final = "haproxy"
HEALTH_PORT: Final = 8481
"""The port of ``health_listen`` unless another is said, as the documentation has it."""
EVERY_S: Final = 2
"""Seconds between two looks at a server."""
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,63}")


@dataclass(frozen=True, slots=True)
class Member:
    """One linekey server, as the balancer knows it."""

    name: str
    address: Endpoint
    health_port: int = HEALTH_PORT


def parse_member(text: str) -> Member:
    """Read ``NAME=ADDR:PORT`` or ``NAME=ADDR:PORT,HEALTHPORT``. Raises InputError."""
    wrong = InputError(
        f"not a server: {text!r}",
        hint="give NAME=ADDR:PORT, such as one=192.0.2.11:443; after a comma the port "
        f"of its health_listen, unless that is {HEALTH_PORT}",
    )
    name, equals, rest = text.partition("=")
    where, comma, health = rest.partition(",")
    if not equals or not _NAME.fullmatch(name) or not where:
        raise wrong
    try:
        address = parse_listen(where, 443)
    except InputError:
        raise wrong from None
    if not address.host:
        raise wrong
    if not comma:
        return Member(name, address)
    if not re.fullmatch(r"[0-9]{1,5}", health) or not 1 <= int(health) <= 65535:
        raise wrong
    return Member(name, address, int(health))


def pass_through(
    members: Sequence[Member],
    *,
    listen: Endpoint,
    folder: str,
    account: Account | None = None,
) -> Export:
    """Write the configuration. Raises InputError for servers that cannot be told apart.

    ``listen`` is where phones come to, ``folder`` where the files will lie.
    """
    for what, known in (
        ("name", [member.name for member in members]),
        ("address", [member.address.text for member in members]),
    ):
        twice = next((one for one in known if known.count(one) > 1), None)
        if twice is not None:
            raise InputError(
                f"two servers have the {what} {twice!r}",
                hint="give each server once, by a name of its own",
            )
    if any(member.address == listen for member in members):
        raise InputError(
            f"HAProxy would listen on a server's own address, {listen.text}",
            hint="give the address that phones use with --listen",
        )
    runs_as = account or DEBIAN[PEER]
    values = {
        "peer": PEER,
        "account": runs_as,
        "listen": listen,
        "members": members,
        "every_s": EVERY_S,
        "folder": folder,
        "folders": (),
    }
    peer = find_peer(PEER)
    return Export(
        PEER,
        (
            ExportFile(
                "haproxy.cfg",
                render("haproxy-tcp.cfg.j2", values),
                "the complete configuration",
            ),
            ExportFile(
                f"linekey-{PEER}.service",
                render("haproxy.service.j2", values),
                "the systemd unit",
            ),
        ),
        (),
        tuple(line.format(folder=folder) for line in peer.run),
        (
            "each server needs HAProxy's own address in proxy.protocol_from, and "
            "health_listen on the port that is named here; only HAProxy may reach that",
            "sessions resume at one server only: run one worker on each, or let phones "
            "make whole handshakes (docs/howto/several-servers.md)",
        ),
        account=runs_as,
    )
