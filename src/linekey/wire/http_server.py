"""uvicorn on a socket that is bound already, as an async context manager.

For plain HTTP: the status page, and the door behind a proxy. uvicorn's own ``serve``
takes the process's signals, which are the caller's here, and accepts without a bound.
Rules: above ``most`` connections one without a request under way gives way: one of the
source (``wire.sources``) that has most if that is more than half of ``most``, else the
eldest; if all are busy, the next wait in the backlog. Who asks nothing for
``FIRST_REQUEST_S`` is closed. At the end who has connected and not asked yet is waited
for, as long as ``wordless_s`` says.
"""

import asyncio
import contextlib
import socket
from random import Random
from types import TracebackType
from typing import Any, Self

import uvicorn
from uvicorn.protocols.http.h11_impl import H11Protocol

from linekey.wire.accepting import Accepting
from linekey.wire.descriptors import OTHERS
from linekey.wire.sources import Crowd, source_of

FIRST_REQUEST_S = 15.0
"""Seconds from accept to the first request; as at linekey's own door (request_s)."""
_FIRST_BYTES = 64
_LEAST_SHARE = 8
_GRACE_S = 1.0
"""Seconds in which a connection need not have asked: its bytes are on their way."""


class HttpServer:
    """One uvicorn server, with h11, on ``listener``, which stays the caller's.

    ``last``: nobody listens on after this server, so whoever waits in the backlog at
    its end is served, too, and ``listener`` is closed. ``wordless_s`` is how long a
    first byte is waited for then; who has begun to ask has as long as an answer may
    take.
    """

    def __init__(
        self,
        config: uvicorn.Config,
        listener: socket.socket,
        *,
        most: int = OTHERS,
        last: bool = False,
        wordless_s: float = 0.0,
    ) -> None:
        self._server = uvicorn.Server(config)
        self._most = most
        self._last = last
        self._wordless_s = wordless_s
        self._asked = asyncio.Event()
        self._known: dict[_Counted, None] = {}
        self._candidates: Crowd[_Counted] = Crowd()
        self._share = max(_LEAST_SHARE, most // 2)
        self._chance = Random()  # noqa: S311 - no secret
        self._accepting = Accepting(listener, self._protocol, backlog=config.backlog)
        self._task: asyncio.Task[None] | None = None

    @property
    def connections(self) -> int:
        """Connections that are open now."""
        return len(self._server.server_state.connections)

    @property
    def accepting(self) -> bool:
        """Whether new connections are taken now."""
        return self._accepting.is_on

    async def __aenter__(self) -> Self:
        config = self._server.config
        config.load()
        self._server.lifespan = config.lifespan_class(config)
        await self._server.startup(sockets=[])
        await self._accepting.open()
        self._task = asyncio.get_running_loop().create_task(self._server.main_loop())
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self._last:
            await self._accepting.close_last()
        else:
            await self._accepting.close()
        if self._wordless_s:
            await self._hear_out()
        self._server.should_exit = True
        if self._task is not None:
            await self._task
        await self._server.shutdown()

    async def _hear_out(self) -> None:
        """Wait for the requests of who has connected: uvicorn would close those."""
        loop = asyncio.get_running_loop()
        first_by = loop.time() + self._wordless_s
        last_by = loop.time() + (self._server.config.timeout_graceful_shutdown or 0)
        while True:
            self._asked.clear()
            unasked = [each for each in self._known if not each.has_asked]
            begun = any(each.has_begun for each in unasked)
            until = last_by if begun else first_by
            if not unasked or loop.time() >= until:
                return
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout_at(until):
                    await self._asked.wait()

    def _protocol(self) -> asyncio.Protocol:
        return _Counted(
            self,
            config=self._server.config,
            server_state=self._server.server_state,
            app_state={},
        )

    def brought_no_http(self, peer: tuple[str, int] | None, first: bytes) -> None:
        """Note a connection whose first bytes are no HTTP request, to be answered 400.

        ``peer`` is None where it has no address, as on a Unix socket.
        """

    def opened(self, connection: "_Counted") -> None:
        """Count a connection; if there are too many, one goes, or no more come."""
        self._known[connection] = None
        self._candidates.add(connection, connection.source)
        if not self._has_room():
            self._accepting.stop()
            asyncio.get_running_loop().call_later(_GRACE_S, self._look_again)

    def asked(self) -> None:
        """Note that a connection's first request is here."""
        self._asked.set()

    def closed(self, connection: "_Counted") -> None:
        """Note that a connection ended."""
        self._known.pop(connection, None)
        self._candidates.discard(connection)
        self._asked.set()
        if self._has_room():
            self._accepting.again()

    def _look_again(self) -> None:
        if self._has_room():
            self._accepting.again()
        elif self._candidates:
            asyncio.get_running_loop().call_later(_GRACE_S, self._look_again)

    def _has_room(self) -> bool:
        """Close some that are not busy while there are too many."""
        old = asyncio.get_running_loop().time() - _GRACE_S
        while len(self._known) > self._most and self._candidates:
            source, count = self._candidates.heaviest()
            victim = next(iter(self._candidates))
            if count > self._share:
                victim = self._candidates.any_of(source, self._chance)
            elif victim.since > old:
                break
            self._candidates.discard(victim)
            if not victim.is_busy:
                del self._known[victim]
                victim.transport.abort()
        return len(self._known) <= self._most


class _Counted(H11Protocol):
    """uvicorn's protocol, counted from accept to end."""

    def __init__(self, server: HttpServer, **options: Any) -> None:
        super().__init__(**options)
        self._server = server
        self._timer: asyncio.TimerHandle | None = None
        self.since = self.loop.time()
        self._first = b""
        self.source = ""

    @property
    def is_busy(self) -> bool:
        """Whether a request is under way."""
        return self.has_asked and not self.cycle.response_complete

    @property
    def has_asked(self) -> bool:
        """Whether a request's head came."""
        cycle: object = self.cycle  # uvicorn's type hides that there may be none
        return cycle is not None

    @property
    def has_begun(self) -> bool:
        """Whether a first byte came."""
        return bool(self._first)

    def connection_made(self, transport: Any) -> None:
        super().connection_made(transport)
        self.source = source_of(self.client[0]) if self.client else ""
        self._timer = self.loop.call_later(FIRST_REQUEST_S, self._first_is_late)
        self._server.opened(self)

    def connection_lost(self, exc: Exception | None) -> None:
        if self._timer is not None:
            self._timer.cancel()
        super().connection_lost(exc)
        self._server.closed(self)

    def data_received(self, data: bytes) -> None:
        had_asked = self.has_asked
        if not had_asked and len(self._first) < _FIRST_BYTES:
            self._first += data[:_FIRST_BYTES]
        super().data_received(data)
        if not had_asked and self.has_asked:
            self._server.asked()

    def send_400_response(self, msg: str) -> None:
        if not self.has_asked:
            self._server.brought_no_http(self.client, self._first)
        super().send_400_response(msg)

    def _first_is_late(self) -> None:
        if not self.has_asked:
            self.transport.abort()
