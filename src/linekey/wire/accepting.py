"""A listening socket that is accepted from, or for a while not.

What is not accepted waits in the kernel's backlog, in its order. Rule: the socket
itself stays open, the caller's; a duplicate is listened on, so that stopping leaves the
backlog as it is. Only ``close_last`` ends it, and leaves nobody in the backlog: who is
there has connected, and would be reset.

uvloop accepts one connection in a turn of its loop. That is the cheapest way, and too
slow where a turn has much to do and many come at once: the backlog overflows, and the
kernel drops what comes, without a word. So after each ``LOOK_EACH`` there is a look;
where more than ``DEEP`` wait, up to ``AT_ONCE`` of them are accepted here in one turn.
"""

import asyncio
import logging
import socket
import struct
from collections.abc import Callable, Iterator

_log = logging.getLogger("linekey.door")

LOOK_EACH = 4
DEEP = 16
AT_ONCE = 64
"""Less than the descriptors in reserve (``descriptors.RESERVE``)."""
_MOST_AT_LAST = 65_536  # no backlog is longer; so it ends even under a flood
_WAITING_AT = 24
"""Where Linux says in TCP_INFO of a listening socket how many wait (tcpi_unacked; see
tcp_diag and net/ipv4/tcp.c, tcp_get_info)."""


def waiting_at(listener: socket.socket) -> int:
    """How many have connected and are not accepted yet; 0 where nobody can tell."""
    try:
        info = listener.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, 32)
    except (OSError, AttributeError):  # a Unix socket, or another system than Linux
        return 0
    return int(struct.unpack_from("=I", info, _WAITING_AT)[0])


class Accepting:
    """Accepts from ``listener`` between ``open`` and ``close``, unless stopped.

    ``factory`` makes the protocol of each new connection.
    """

    def __init__(
        self,
        listener: socket.socket,
        factory: Callable[[], asyncio.Protocol],
        *,
        backlog: int,
    ) -> None:
        self._listener = listener
        self._factory = factory
        self._backlog = backlog
        self._server: asyncio.Server | None = None
        self._opening: asyncio.Task[None] | None = None
        self._more: set[asyncio.Task[None]] = set()
        self._unlooked = 0
        self._closed = False
        self._in_trouble = False

    @property
    def is_on(self) -> bool:
        """Whether new connections are taken now."""
        return self._server is not None

    async def open(self) -> None:
        """Begin to accept."""
        self._server = await asyncio.get_running_loop().create_server(
            self._accepted, sock=self._listener.dup(), backlog=self._backlog
        )

    def _accepted(self) -> asyncio.Protocol:
        self._unlooked += 1
        if self._unlooked == LOOK_EACH:
            asyncio.get_running_loop().call_soon(self._look)
        return self._factory()

    def _look(self) -> None:
        """Accept more, if many wait."""
        self._unlooked = 0
        if self.is_on and waiting_at(self._listener) > DEEP:
            self._accept_more()

    def _accept_more(self) -> None:
        loop = asyncio.get_running_loop()
        for connection in self._waiting(AT_ONCE):
            task = loop.create_task(self._take(connection))
            self._more.add(task)
            task.add_done_callback(self._more.discard)

    def _waiting(self, most: int) -> Iterator[socket.socket]:
        """Who has connected, until nobody waits or descriptors have run out."""
        for _ in range(most):
            try:
                connection, _from = self._listener.accept()
            except OSError:
                return
            connection.setblocking(False)
            yield connection

    async def _take(self, connection: socket.socket) -> None:
        loop = asyncio.get_running_loop()
        try:
            await loop.connect_accepted_socket(self._factory, connection)
        except OSError:  # the peer left meanwhile
            connection.close()

    def stop(self) -> None:
        """Accept nothing for now."""
        if self._server is not None:
            self._server.close()
            self._server = None

    def again(self) -> None:
        """Accept again, if that was stopped."""
        if self._server is None and self._opening is None and not self._closed:
            self._opening = asyncio.get_running_loop().create_task(self.open())
            self._opening.add_done_callback(self._opened)

    def _opened(self, task: asyncio.Task[None]) -> None:
        self._opening = None
        error = None if task.cancelled() else task.exception()
        if error is not None:
            if not self._in_trouble:
                _log.error("cannot accept again, and go on trying: %s", error)
            asyncio.get_running_loop().call_later(1.0, self.again)
        elif self._in_trouble:
            _log.warning("accepting again")
        self._in_trouble = error is not None

    async def close_last(self) -> None:
        """Accept who has connected already, and let go of the socket itself.

        Where others hold the same socket, they go on.
        """
        await self.close()
        for connection in self._waiting(_MOST_AT_LAST):
            await self._take(connection)
        self._listener.close()

    async def close(self) -> None:
        """Accept no more, ever."""
        self._closed = True
        if self._opening is not None:
            await asyncio.gather(self._opening, return_exceptions=True)
        self.stop()
        await asyncio.gather(*self._more)
