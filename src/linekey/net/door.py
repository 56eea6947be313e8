"""The door: accepts phones, bounds them, and hands verified ones to an ASGI app.

Theory of operation. ``Door`` listens; each connection is a ``DoorConnection``. The door
counts them. When ``limits.half_open`` connections are before their handshake's end, or
``limits.connections`` exist in all and none is idle, it stops accepting: new ones wait
in the kernel's backlog, in order, from wherever they come (no limit by address: a whole
office stands behind one). While it is full, the oldest connection without a ClientHello
gives way after ``limits.shed_after_s``, so silent connections cannot hold the door.

Rule: no answer, and no memory, for anybody is unbounded. Refusals go to a queue of
``limits.refusal_queue`` entries; what does not fit is counted and the count passed on.
"""

import asyncio
import contextlib
import errno
import functools
import logging
import socket
from collections import deque
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from email.utils import formatdate
from types import TracebackType
from typing import Any, Self

from uvicorn.config import Config
from uvicorn.server import ServerState

from linekey.certs.certificate import Certificate
from linekey.certs.pem import to_pem
from linekey.errors import LinekeyError
from linekey.net.door_connection import HALF_OPEN, DoorConnection, State
from linekey.net.door_http import DoorHttp
from linekey.net.door_refusal import CURES, Kind, Refusal
from linekey.settings import LimitSettings
from linekey.tls.engine import ServerEngine
from linekey.tls.events import AlertReceived, ConnectionFailed
from linekey.tls.hello import ClientHello
from linekey.tls.policy import Policy
from linekey.tls.server_key import ServerKey, server_key

_log = logging.getLogger("linekey.door")

EngineFor = Callable[[Policy, ClientHello], ServerEngine]
"""Makes the engine for one new connection: its policy, and its hello for reasons."""
OnRefused = Callable[[list[Refusal], int], Awaitable[None]]
"""Puts refusals on record; the number is how many did not fit in the queue before."""
App = Callable[[Any, Any, Any], Awaitable[None]]

_pem = functools.lru_cache(maxsize=8)(to_pem)


class Door:
    """A TLS server for one ASGI application; an async context manager.

    ``listener`` is a bound socket (see ``bind``); it stays the caller's and is closed
    by the caller, so that several workers may share it. ``certificate``: the one that
    ``engine_for`` shows, or what gives it where it may change. ``drain_s`` is how long
    answers under way may take when the door closes.
    """

    def __init__(
        self,
        app: App,
        engine_for: EngineFor,
        listener: socket.socket,
        *,
        limits: LimitSettings,
        certificate: Certificate | Callable[[], Certificate],
        on_refused: OnRefused,
        drain_s: float = 5.0,
    ) -> None:
        self.engine_for = engine_for
        self.limits = limits
        self._shown = certificate
        self.address: tuple[str, int] = listener.getsockname()[:2]
        self.accepted = self.completed = self.refused_count = self.shed_count = 0
        self.server_state = ServerState()
        self.config = Config(
            app,
            http=DoorHttp,
            ws="none",
            lifespan="off",
            interface="asgi3",
            log_config=None,
            access_log=False,
            proxy_headers=False,
            server_header=False,
            timeout_keep_alive=limits.keep_alive_s,  # type: ignore[arg-type]
        )
        self.loop: asyncio.AbstractEventLoop
        self._listener = listener
        self._on_refused = on_refused
        self._drain_s = drain_s
        self._server: asyncio.Server | None = None
        self._connections: set[DoorConnection] = set()
        self._half_open: dict[DoorConnection, None] = {}
        self._waiting: dict[DoorConnection, None] = {}
        self._idle: dict[DoorConnection, None] = {}
        self._queue: deque[Refusal] = deque()
        self._dropped = 0
        self._wake = asyncio.Event()
        self._empty = asyncio.Event()
        self._writer: asyncio.Task[None] | None = None
        self._opening: asyncio.Task[None] | None = None
        self._ticker: asyncio.TimerHandle | None = None
        self._shedder: asyncio.TimerHandle | None = None
        self._closing = False

    @property
    def certificate(self) -> Certificate:
        """What a connection that comes now is shown."""
        return self._shown() if callable(self._shown) else self._shown

    @property
    def certificate_pem(self) -> str:
        """The same, for the ASGI extension."""
        return _pem(self.certificate)

    @property
    def key(self) -> ServerKey:
        """What its key can do in a handshake."""
        return server_key(self.certificate)

    @property
    def half_open(self) -> int:
        """Connections before the end of their handshake."""
        return len(self._half_open)

    @property
    def connections(self) -> int:
        """Connections in all."""
        return len(self._connections)

    @property
    def accepting(self) -> bool:
        """Whether new connections are taken now."""
        return self._server is not None

    async def __aenter__(self) -> Self:
        self.loop = asyncio.get_running_loop()
        self.config.load()
        self._tick()
        self._writer = self.loop.create_task(self._write_refusals())
        await self._open()
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        await self.close()

    async def close(self) -> None:
        """Take no more connections, finish answers under way, end everything else."""
        if self._closing:
            return
        self._closing = True
        if self._opening is not None:
            await asyncio.gather(self._opening, return_exceptions=True)
        self._stop_accepting()
        for timer in (self._ticker, self._shedder):
            if timer is not None:
                timer.cancel()
        for connection in list(self._connections):
            connection.shutdown()
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(self._drain_s):
                if self._connections:
                    self._empty.clear()
                    await self._empty.wait()
                await asyncio.gather(*self.server_state.tasks, return_exceptions=True)
        for connection in list(self._connections):
            connection.abort()
        for task in list(self.server_state.tasks):
            task.cancel()
        await asyncio.sleep(0)
        if self._writer is not None:
            self._wake.set()
            await self._writer
            self._writer = None

    # Accepting

    async def _open(self) -> None:
        # A duplicate, so that closing the server leaves the backlog as it is.
        self._server = await self.loop.create_server(
            lambda: DoorConnection(self),
            sock=self._listener.dup(),
            backlog=self.limits.backlog,
        )

    def _stop_accepting(self) -> None:
        if self._server is not None:
            self._server.close()
            self._server = None

    def _accept_again(self) -> None:
        if self._server is None and self._opening is None and not self._closing:
            self._opening = self.loop.create_task(self._open())
            self._opening.add_done_callback(self._opened)

    def _opened(self, task: asyncio.Task[None]) -> None:
        self._opening = None
        error = None if task.cancelled() else task.exception()
        if error is not None:
            _log.error("cannot accept again: %s", error)
            self.loop.call_later(1.0, self._accept_again)

    def _is_full(self) -> bool:
        return (
            len(self._half_open) >= self.limits.half_open
            or len(self._connections) >= self.limits.connections
            or bool(self._waiting)
        )

    def connection_opened(self, connection: DoorConnection) -> None:
        """Count a new connection; stop accepting when the door is full."""
        self.accepted += 1
        self._connections.add(connection)
        if len(self._connections) >= self.limits.connections and self._idle:
            next(iter(self._idle)).close()
        if len(self._half_open) >= self.limits.half_open:
            # The loop accepts in bursts; what came with the burst waits in order.
            self._waiting[connection] = None
            connection.wait()
        else:
            self._admit(connection)
        if self._is_full():
            self._stop_accepting()
            self._plan_shedding()

    def _admit(self, connection: DoorConnection) -> None:
        self._half_open[connection] = None
        connection.admit()

    def handshake_ended(self, connection: DoorConnection) -> None:
        """Note that ``connection`` is half-open no longer."""
        if self._half_open.pop(connection, self) is None:
            if connection.state is State.OPEN:
                self.completed += 1
            self._made_room()

    def connection_closed(self, connection: DoorConnection) -> None:
        """Forget a connection."""
        self._connections.discard(connection)
        self._half_open.pop(connection, None)
        self._waiting.pop(connection, None)
        self._idle.pop(connection, None)
        if not self._connections:
            self._empty.set()
        self._made_room()

    def _made_room(self) -> None:
        while self._waiting and len(self._half_open) < self.limits.half_open:
            connection = next(iter(self._waiting))
            del self._waiting[connection]
            self._admit(connection)
        if self._server is None and not self._closing and not self._is_full():
            self._accept_again()

    def _plan_shedding(self) -> None:
        if self._shedder is not None or not self._half_open or self._closing:
            return
        oldest = next(iter(self._half_open))
        self._shedder = self.loop.call_at(
            oldest.since + self.limits.shed_after_s, self._shed
        )

    def _shed(self) -> None:
        self._shedder = None
        if not self._is_full():
            return
        old = self.loop.time() - self.limits.shed_after_s
        for connection in list(self._half_open):
            if connection.since > old:
                break
            if connection.state is State.HELLO:
                self.shed_count += 1
                connection.shed()
                break
        if self._is_full():
            self._shedder = self.loop.call_later(
                self.limits.shed_after_s / 8, self._shed
            )

    def idle(self, connection: DoorConnection) -> None:
        """Note that ``connection`` waits for a next request."""
        self._idle.pop(connection, None)
        self._idle[connection] = None
        if self._server is None and len(self._connections) >= self.limits.connections:
            connection.close()

    def not_idle(self, connection: DoorConnection) -> None:
        """Note that a request began on ``connection``."""
        self._idle.pop(connection, None)

    # Records

    def refused(self, *, kind: Kind, peer: tuple[str, int], **facts: Any) -> None:
        """Queue a refusal for the record; count it if the queue is full."""
        self.refused_count += 1
        if len(self._queue) >= self.limits.refusal_queue:
            self._dropped += 1
            return
        cure = CURES.get(facts["code"], "")
        refusal = Refusal(
            kind=kind, at=datetime.now(UTC), peer=peer, **{"cure": cure, **facts}
        )
        self._queue.append(refusal)
        self._wake.set()

    def alert_received(self, peer: tuple[str, int], event: AlertReceived) -> None:
        """Log an alert of a peer on an open connection."""
        _log.info("alert from %s: %s", peer[0], event)

    def crashed(self, error: Exception) -> None:
        """Log a fault of ours inside a handshake; the peer was refused."""
        _log.error("cannot judge a certificate", exc_info=error)

    def connection_failed(self, peer: tuple[str, int], event: ConnectionFailed) -> None:
        """Log a connection that broke after its handshake."""
        _log.info("connection from %s broke: %s", peer[0], event.reason)

    async def _write_refusals(self) -> None:
        while True:
            await self._wake.wait()
            self._wake.clear()
            while self._queue or self._dropped:
                batch = list(self._queue)
                self._queue.clear()
                dropped, self._dropped = self._dropped, 0
                try:
                    await self._on_refused(batch, dropped)
                except LinekeyError as error:
                    _log.error(
                        "%d refusals are not on record: %s", len(batch), error.message
                    )
            if self._closing and not self._connections:
                return

    # The clock of the Date header

    def _tick(self) -> None:
        date = formatdate(usegmt=True).encode("ascii")
        self.server_state.default_headers = [(b"date", date)]
        self._ticker = self.loop.call_later(1.0, self._tick)


def bind(
    host: str, port: int, *, backlog: int = 2048, reuse_port: bool = False
) -> socket.socket:
    """Return a listening, non-blocking TCP socket; port 0 takes a free one.

    Raises LinekeyError with the cure if the address cannot be had.
    """
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    listener = socket.socket(family, socket.SOCK_STREAM)
    try:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if reuse_port:
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        if family == socket.AF_INET6:
            listener.setsockopt(
                socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, int(host != "::")
            )
        listener.bind((host, port))
        listener.listen(backlog)
        listener.setblocking(False)
    except OSError as error:
        listener.close()
        raise _cannot_bind(host, port, error) from error
    return listener


def _cannot_bind(host: str, port: int, error: OSError) -> LinekeyError:
    what = f"cannot listen on {host!r} port {port}"
    if error.errno == errno.EADDRINUSE:
        return LinekeyError(
            f"{what}: the port is in use",
            hint=f"see who has it with 'ss -ltnp sport = :{port}', or set another port",
        )
    if error.errno == errno.EACCES:
        return LinekeyError(
            f"{what}: not permitted",
            hint="ports below 1024 need CAP_NET_BIND_SERVICE: "
            "see docs/howto/production.md, or set port = 8443",
        )
    if error.errno == errno.EADDRNOTAVAIL:
        return LinekeyError(
            f"{what}: this machine does not have this address",
            hint="write one of its addresses, or 0.0.0.0 for all",
        )
    if isinstance(error, socket.gaierror):
        return LinekeyError(
            f"{what}: no such host", hint="write an address of this machine"
        )
    return LinekeyError(f"{what}: {error.strerror}", hint="check host and port")


__all__ = ["HALF_OPEN", "App", "Door", "EngineFor", "OnRefused", "bind"]
