"""Listening sockets that the service manager hands to a service: sd_listen_fds(3).

systemd listens on a ``.socket`` unit's address and starts the service with that very
socket as descriptor 3, and so at every restart: what connects meanwhile waits in the
kernel's one backlog, and nobody is refused. ``LISTEN_FDS`` says how many there are,
``LISTEN_PID`` for which process, and ``LISTEN_FDNAMES`` their names
(``FileDescriptorName=``), with colons between them.

Rules: the variables are taken out of the environment, and the sockets marked
close-on-exec, so that no process that is started from here takes them for its own. What
is no listening stream socket, and a name that nobody asked for, are refused: a socket
that nobody accepts from would let phones wait for ever.
"""

import os
import socket
from collections.abc import Collection, MutableMapping
from typing import Final

from linekey.errors import InputError
from linekey.words import choice_hint

COUNT: Final = "LISTEN_FDS"
FOR: Final = "LISTEN_PID"
NAMES: Final = "LISTEN_FDNAMES"
FIRST: Final = 3
"""The first descriptor (SD_LISTEN_FDS_START)."""
_MOST = 64


def take_sockets(
    environment: MutableMapping[str, str],
    pid: int,
    known: Collection[str],
    *,
    first: int = FIRST,
) -> dict[str, socket.socket]:
    """Take what was handed to the process ``pid``: name → listening socket.

    ``known`` are the names that there may be; the first of them is also the name of a
    single socket that has none, or its unit's. Raises InputError for what cannot be
    used. The sockets are the caller's, and do not block.
    """
    count = environment.pop(COUNT, "")
    meant = environment.pop(FOR, "")
    listed = environment.pop(NAMES, "")
    if not count or meant != str(pid):
        return {}
    if not count.isascii() or not count.isdigit() or int(count) > _MOST:
        raise InputError(
            f"{COUNT} is {count!r}, which is no number of sockets",
            hint="start linekey by systemd's .socket unit, or without this variable",
        )
    names = listed.split(":") if listed else [""] * int(count)
    if len(names) != int(count):
        raise InputError(
            f"{NAMES} has {len(names)} names for {count} sockets",
            hint="start linekey by systemd's .socket unit, or without these variables",
        )
    if len(names) == 1 and names[0] not in known:
        single = names[0]
        if single in ("", "unknown") or single.endswith(".socket"):
            names = [next(iter(known))]
    for name in names:
        if name not in known or names.count(name) > 1:
            twice = "is there twice" if name in known else "is not known"
            raise InputError(
                f"the name {name!r} of a socket from the service manager {twice}",
                hint=f"in the .socket unit set FileDescriptorName= to one of "
                f"{', '.join(known)}, each once; {choice_hint(name, known)}",
            )
    found: dict[str, socket.socket] = {}
    try:
        for number, name in enumerate(names, first):
            found[name] = _listening(number, name)
    except InputError:
        for taken in found.values():
            taken.close()
        raise
    return found


def _listening(number: int, name: str) -> socket.socket:
    wrong = InputError(
        f"the socket {name!r} from the service manager is no listening stream socket",
        hint="in the .socket unit use ListenStream=ADDRESS:PORT, and Accept=no",
    )
    try:
        os.set_inheritable(number, False)
        given = socket.socket(fileno=number)
    except OSError:
        raise wrong from None
    listens = given.type == socket.SOCK_STREAM and given.getsockopt(
        socket.SOL_SOCKET, socket.SO_ACCEPTCONN
    )
    if not listens:
        given.detach()
        raise wrong
    given.setblocking(False)
    return given
