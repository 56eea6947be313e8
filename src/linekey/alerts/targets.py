"""Where messages go: webhooks and mail, as the settings say; and what came of one.

Rules: a target's ``name`` and ``label`` hold no secret: a webhook's path may be one. A
webhook goes to public addresses only, and to others that ``alerts.allowed_networks``
lists: else whoever may write a setting or a name of the DNS could have this server call
what only it can reach.
"""

import hashlib
import ipaddress
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Final
from urllib.parse import urlsplit

from linekey.alert_settings import AlertSettings
from linekey.alerts.signature import parse_secret
from linekey.endpoint import bracketed, host_port
from linekey.errors import InputError

IpAddress = ipaddress.IPv4Address | ipaddress.IPv6Address
_NAT64: Final = ipaddress.ip_network("64:ff9b::/96")
"""RFC 6052 §2.1: an IPv4 address is in the last 32 bits."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """What came of one attempt. ``problem`` is a sentence; with ``delivered``, a note.

    ``final``: trying again is of no use. ``asked_s``: the target asked for this pause.
    """

    delivered: bool
    problem: str = ""
    final: bool = False
    asked_s: float | None = None


@dataclass(frozen=True, slots=True)
class Webhook:
    """A URL, taken apart, and the key that signs for it."""

    name: str
    label: str
    tls: bool
    host: str
    port: int
    path: str = field(repr=False)
    key: bytes = field(repr=False)


@dataclass(frozen=True, slots=True)
class Mailbox:
    """Who gets mail, and through which server."""

    name: str
    label: str


Target = Webhook | Mailbox


def targets_of(settings: AlertSettings) -> dict[str, Target]:
    """Return all targets by their names; empty: alerts are off.

    Raises InputError for a secret that is none.
    """
    return {target.name: target for target in _targets(settings)}


def _targets(settings: AlertSettings) -> Iterator[Target]:
    secret = settings.webhook_secret
    key = b""
    if secret is not None:
        try:
            key = parse_secret(secret.get_secret_value())
        except ValueError as error:
            raise InputError(
                f"setting 'alerts.webhook_secret': {error}",
                hint="put a new one into linekey.toml, and where it is checked",
            ) from None
    for url in settings.webhooks:
        yield _webhook(url, key)
    if settings.mail_to:
        who = ", ".join(settings.mail_to)
        yield Mailbox(_name("mail", who), f"mail to {who}")


def _webhook(url: str, key: bytes) -> Webhook:
    parts = urlsplit(url)
    tls = parts.scheme == "https"
    host = parts.hostname or ""
    port = parts.port or (443 if tls else 80)
    usual = port == (443 if tls else 80)
    shown = bracketed(host) if usual else host_port(host, port)
    query = f"?{parts.query}" if parts.query else ""
    return Webhook(
        _name("webhook", url), f"{parts.scheme}://{shown}/…", tls, host, port,
        (parts.path or "/") + query, key,
    )  # fmt: skip


def _name(kind: str, text: str) -> str:
    return f"{kind}-{hashlib.sha256(text.encode()).hexdigest()[:12]}"


def embedded(address: IpAddress) -> IpAddress:
    """Return the IPv4 address that an IPv6 address leads to, or the address itself."""
    if isinstance(address, ipaddress.IPv6Address):
        if address.ipv4_mapped is not None:
            return address.ipv4_mapped
        if address.sixtofour is not None:
            return address.sixtofour
        if address in _NAT64:
            return ipaddress.IPv4Address(int(address) & 0xFFFFFFFF)
    return address


def is_public(address: IpAddress) -> bool:
    """Whether an address is of the public Internet (IANA's special-purpose lists)."""
    there = embedded(address)
    return there.is_global and not there.is_multicast and not there.is_reserved
