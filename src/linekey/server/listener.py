"""The socket on which phones, or the proxy before them, reach this server."""

import socket
from collections.abc import Iterator
from contextlib import contextmanager

from linekey.settings import Settings
from linekey.wire.door.listener import bind
from linekey.wire.unix_socket import unix_listener


@contextmanager
def phone_listener(
    settings: Settings, handed: socket.socket | None = None
) -> Iterator[socket.socket]:
    """Listen where ``settings`` say, until the block is left.

    ``handed`` is a socket that listens already, the service manager's. Raises
    LinekeyError, with the cure, if the address or the path cannot be had.
    """
    backlog, proxy = settings.limits.backlog, settings.proxy
    if handed is not None:
        with handed:
            yield handed
    elif proxy.behind_proxy and proxy.unix_socket is not None:
        path, group = proxy.unix_socket, proxy.unix_group
        with unix_listener(path, group=group, backlog=backlog) as listener:
            yield listener
    else:
        with bind(settings.host, settings.port, backlog=backlog) as listener:
            yield listener
