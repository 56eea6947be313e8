"""Which user a peer runs as, and what that user may do in its folder.

Names are Debian's (``/etc/nginx/nginx.conf``, ``/etc/haproxy/haproxy.cfg``,
``/etc/apache2/envvars`` of its packages). Rule: a peer is started as root, which reads
the private key and opens port and logs, and serves phones as its user, which can do
neither. The user never owns a folder that root writes into: in it a link could lead
root's pen elsewhere.
"""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Account:
    """The user and group of a peer's workers."""

    user: str
    group: str
    folder_mode: int = 0o750
    """Of its empty folders (``run``), which are root's: the group may look in."""


ACCOUNTS: dict[str, Account] = {
    "nginx": Account("www-data", "www-data"),
    "haproxy": Account("haproxy", "haproxy"),
    "apache": Account("www-data", "www-data"),
}
"""By the name that ``linekey export`` takes."""
