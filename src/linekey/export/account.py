"""As whom an exported server runs, once it has its port.

Each server starts as root or as that user, and is that user from then on. Debian's
packages make one for each (``DEBIAN``); another system or a start without root wants
another. Group and user are words of a configuration, so their form is checked as that
of every other value (``request``).

Rule: no account is looked up: what is exported here may run on another machine.
"""

import re
from dataclasses import dataclass

from linekey.errors import InputError

_WORD = re.compile(r"[a-z_][a-z0-9_-]{0,31}", re.ASCII)


@dataclass(frozen=True, slots=True)
class Account:
    """A system user and the group that its files are shared through."""

    user: str
    group: str


@dataclass(frozen=True, slots=True)
class Rights:
    """What an account needs in the export's folder, given by root before the start.

    All else stays root's, so that who breaks in rewrites no configuration. The
    server's key is the operator's, and so are its rights.
    """

    owns: tuple[str, ...] = ()
    """Folders that the peer writes into as its account."""
    looks_into: tuple[str, ...] = ()
    """Folders that root writes into for it, and that it never owns: in a folder of its
    own a link could lead root's pen elsewhere."""
    reads: tuple[str, ...] = ()
    """Files that hold secrets."""
    key: bool = False
    """Whether it reads the server's key after it gave root up, and not before."""

    def preparation(self, account: Account, folder: str) -> tuple[str, ...]:
        """Commands for root; ``folder`` is a path of ``request.parse_path``."""
        commands = []
        if owned := " ".join(f"{folder}/{name}" for name in self.owns):
            commands.append(f"chown -R {account.user}:{account.group} {owned}")
            commands.append(f"chmod 750 {owned}")
        if looked := " ".join(f"{folder}/{name}" for name in self.looks_into):
            commands.append(f"chown root:{account.group} {looked}")
            commands.append(f"chmod 750 {looked}")
        if read := " ".join(f"{folder}/{name}" for name in self.reads):
            commands.append(f"chgrp {account.group} {read}")
            commands.append(f"chmod 640 {read}")
        return tuple(commands)


DEBIAN = {
    "nginx": Account("www-data", "www-data"),
    "haproxy": Account("haproxy", "haproxy"),
    "apache": Account("www-data", "www-data"),
    "kamailio": Account("kamailio", "kamailio"),
    "slapd": Account("openldap", "openldap"),
    "freeradius": Account("freerad", "freerad"),
}
"""The accounts that Debian 12's packages make, by peer (their configurations; H)."""


def parse_account(text: str) -> Account:
    """Read ``USER:GROUP``, or ``USER`` for a group of the same name.

    Raises InputError for what is no name of an account (useradd(8): small letters,
    digits, ``_`` and ``-``, 32 at most), and for root, whom nobody should run as.
    """
    user, colon, group = text.partition(":")
    group = group if colon else user
    if not (_WORD.fullmatch(user) and _WORD.fullmatch(group)):
        raise InputError(
            f"not an account: {text!r}",
            hint="give USER or USER:GROUP, such as freerad:freerad",
        )
    if user == "root":
        raise InputError(
            "a server that phones reach should not run as root",
            hint="give the user that its package made, or leave --user out",
        )
    return Account(user, group)
