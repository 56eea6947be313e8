"""The door: accepts phones, bounds them, and hands verified ones to an ASGI app.

Theory of operation. ``Door`` listens; each connection is a ``DoorConnection``, and has
one place in ``Places``, which decides who gives way when there are too many. The door
goes on accepting under pressure: what waits in the kernel's backlog waits in order,
behind whoever came with thousands. Only when all connections are taken by phones that
are being answered it stops, and the backlog holds the next.

Rule: no answer, and no memory, for anybody is unbounded. Refusals go to a queue of
``limits.refusal_queue`` entries; what does not fit is counted and the count passed on.
"""

import asyncio
import contextlib
import errno
import logging
import socket
from collections import deque
from collections.abc import Awaitable, Callable, Iterable, Sequence
from datetime import UTC, datetime
from email.utils import formatdate
from random import Random
from types import TracebackType
from typing import Any, Self

from linekey.errors import LinekeyError
from linekey.settings import LimitSettings
from linekey.tls.pump import Limits, Server
from linekey.wire.accepting import Accepting
from linekey.wire.asgi_edge import Edge
from linekey.wire.descriptors import RESERVE, lowest_free, soft_limit
from linekey.wire.door.alarm import Bell
from linekey.wire.door.connection import DoorConnection
from linekey.wire.door.exchange import App
from linekey.wire.door.places import STALLED_S, Place, Placed, Places
from linekey.wire.door.refusal import Kind, Refusal, cure_of
from linekey.wire.door.states import State
from linekey.wire.networks import is_in, parse_networks

_log = logging.getLogger("linekey.door")

WORDLESS_S = 1.0
"""Seconds that a connection without a byte is waited for when the door closes: a
phone's first bytes may be on their way."""
BEGUN_AT_ONCE = 16
"""Handshakes that are begun in one turn of the event loop, some 15 ms of signatures:
all hellos are read between, so that it is the row that decides who is next, and who
connects is accepted."""
_LOOKED_AT_EACH = 16
"""Connections of which one is asked for its descriptor while there are few."""
_DESCRIPTORS_S = 10.0
"""Seconds between two looks whether descriptors suffice again."""

OnRefused = Callable[[list[Refusal], int], Awaitable[None]]
"""Puts refusals on record; the number is how many did not fit in the queue before."""


class Door:
    """A TLS server for one ASGI application; an async context manager.

    ``tls`` chooses policy and certificate for each hello, and makes the engines.
    ``listener`` is a bound socket (see ``bind``); it stays the caller's and is closed
    by the caller, so that several workers may share it. ``drain_s`` is how long
    handshakes and answers under way may take when the door closes. ``balancers`` are
    addresses and networks that pass TCP through and say with the PROXY protocol for
    whom. ``last``: nobody listens on after this door, so whoever waits in the backlog
    at its end is served, too, and ``listener`` is closed.
    """

    def __init__(
        self,
        app: App,
        tls: Server,
        listener: socket.socket,
        *,
        limits: LimitSettings,
        on_refused: OnRefused,
        on_trouble: Callable[[str], None] = lambda cause: None,
        drain_s: float = 5.0,
        balancers: Sequence[str] = (),
        last: bool = False,
        chance: Random | None = None,
    ) -> None:
        self.tls = tls
        self.limits = limits
        self.tls_limits = Limits(
            limits.handshake_s, limits.flight_bytes, limits.hello_bytes
        )
        self.address: tuple[str, int] = listener.getsockname()[:2]
        self.accepted = self.completed = self.refused_count = self.shed_count = 0
        self.app: App = Edge(app, _log, on_trouble=on_trouble)
        self.tasks: set[asyncio.Task[None]] = set()
        self._head_lines = (b"", False)
        self.loop: asyncio.AbstractEventLoop
        self.bell: Bell
        self._on_refused = on_refused
        self._balancers = parse_networks(balancers)
        self._drain_s = drain_s
        self._last = last
        self._leaving = False
        self._accepting = Accepting(
            listener, lambda: DoorConnection(self), backlog=limits.backlog
        )
        # Of descriptors the lowest free one is given out: a high one says that the
        # rest are taken, by whatever.
        self._last_descriptor = soft_limit() - RESERVE // 2
        self._most = limits.connections
        self._connections: set[DoorConnection] = set()
        self.places = Places(limits, chance or Random())  # noqa: S311 - no secret
        self._untold: dict[tuple[str, str], tuple[DoorConnection, int]] = {}
        self._queue: deque[Refusal] = deque()
        self._dropped = 0
        self._wake = asyncio.Event()
        self._empty = asyncio.Event()
        self._writer: asyncio.Task[None] | None = None
        self._ticker: asyncio.TimerHandle | None = None
        self._sweeper: asyncio.TimerHandle | None = None
        self._closing = False
        self._begun = 0
        """Handshakes begun in this turn of the event loop."""

    @property
    def half_open(self) -> int:
        """Handshakes under way: from a whole ClientHello to the handshake's end."""
        return len(self.places.handshakes)

    @property
    def silent(self) -> int:
        """Connections without a whole ClientHello."""
        return len(self.places.silent)

    @property
    def connections(self) -> int:
        """Connections in all."""
        return len(self._connections)

    def more_come(self) -> bool:
        """Whether somebody has connected, and may ask at any moment."""
        places = self.places
        coming = places.handshakes, places.asking, places.silent, places.turns
        return any(coming)

    @property
    def accepting(self) -> bool:
        """Whether new connections are taken now."""
        return self._accepting.is_on

    async def __aenter__(self) -> Self:
        self.loop = asyncio.get_running_loop()
        self.bell = Bell(self.loop)
        self._tick()
        self._writer = self.loop.create_task(self._write_refusals())
        await self._accepting.open()
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        await self.close()

    def leave(self) -> None:
        """Let answers close their connections from now on: this server ends soon."""
        if not self._leaving:
            self._leaving = True
            self._tick()

    async def close(self) -> None:
        """Take no more connections, finish what is under way, end everything else."""
        if self._closing:
            return
        self.leave()
        self._closing = True
        if self._last:
            await self._accepting.close_last()
        else:
            await self._accepting.close()
        for timer in (self._ticker, self._sweeper):
            if timer is not None:
                timer.cancel()
        self._tell_shed()
        for connection in list(self._connections):
            connection.shutdown()
        began = self.loop.time()
        silent = self.loop.call_later(WORDLESS_S, self._end_silent, began)
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(self._drain_s):
                if self._connections:
                    self._empty.clear()
                    await self._empty.wait()
                await asyncio.gather(*self.tasks, return_exceptions=True)
        silent.cancel()
        for connection in list(self._connections):
            connection.cut_off()
        for task in list(self.tasks):
            task.cancel()
        await asyncio.sleep(0)
        self.bell.end()
        if self._writer is not None:
            self._wake.set()
            await self._writer
            self._writer = None

    def _end_silent(self, began: float) -> None:
        """Wait no longer for who has not said a word since the end began."""
        for connection in list(self._connections):
            if connection.state is State.HELLO and connection.heard <= began:
                connection.cut_off()

    # Places

    @property
    def _is_full(self) -> bool:
        return len(self._connections) >= self._most

    def connection_opened(self, connection: DoorConnection) -> None:
        """Count a new connection, and let another one go if there are too many."""
        self.accepted += 1
        self._connections.add(connection)
        self._watch_descriptors(connection)
        self.places.put(connection, self.places.silent)
        victim = self.places.early_drop(connection)
        if victim is None and len(self._connections) > self._most:
            victim = self.places.giving_way(connection)
        if victim is not None:
            self._shed([victim])
        if self._is_full and self.places.giving_way() is None:
            self._accepting.stop()
        self._plan_sweep()

    def is_balancer(self, host: str) -> bool:
        """Whether connections from ``host`` begin with the PROXY protocol's header."""
        return bool(self._balancers) and is_in(host, self._balancers)

    def source_known(self, connection: DoorConnection) -> None:
        """Count a balancer's connection for the phone that its header names."""
        self.places.put(connection, self.places.silent)
        victim = self.places.early_drop(connection)
        if victim is not None:
            self._shed([victim])
            self._plan_sweep()

    @property
    def is_pressed(self) -> bool:
        """Whether others began in this turn of the loop, or wait to.

        If not, an answer to a peer that has closed its side keeps nobody waiting.
        """
        return self._begun > 0 or bool(self.places.turns)

    def may_begin(self, connection: DoorConnection) -> bool:
        """Give ``connection``, whose ClientHello is whole, a handshake's place.

        If not, it waits, and ``begin`` is called when it is its turn.
        """
        places = self.places
        if self._begun >= BEGUN_AT_ONCE:
            places.put(connection, places.turns)
            return False
        if not places.has_slot:
            victim = places.recalled_for(connection.source, self.loop.time())
            if victim is None:
                places.put(connection, places.turns)
                self._plan_sweep()
                return False
            self._shed([victim])
            self._plan_sweep()
        places.put(connection, places.handshakes)
        self._note_begun()
        return True

    def _note_begun(self) -> None:
        if not self._begun:
            self.loop.call_soon(self._begin_more)
        self._begun += 1

    def _begin_more(self) -> None:
        self._begun = 0
        self._next_turns()

    def _next_turns(self) -> None:
        places, now = self.places, self.loop.time()
        while places.turns and places.has_slot and self._begun < BEGUN_AT_ONCE:
            connection = places.next_turn(now)
            connection.place = None
            assert isinstance(connection, DoorConnection)
            if connection.has_left:
                connection.leave()
            else:
                places.put(connection, places.handshakes)
                self._note_begun()
                connection.begin()

    def placed(self, connection: DoorConnection, place: Place | None) -> None:
        """Note another place of ``connection``; None while its answer is under way."""
        places, before = self.places, connection.place
        if before is not place:  # the first request's is since the handshake
            places.put(connection, place)
        if before is places.handshakes:
            self.completed += place is places.asking
            self._next_turns()
        if place is places.ending or place is places.idle:
            self._room_again()

    def connection_closed(self, connection: DoorConnection) -> None:
        """Forget a connection."""
        self._connections.discard(connection)
        self.places.put(connection, None)
        if not self._connections:
            self._empty.set()
        self._next_turns()
        self._room_again()

    def _room_again(self) -> None:
        if self.accepting or self._closing:
            return
        if not self._is_full or self.places.giving_way() is not None:
            self._accepting.again()

    def _watch_descriptors(self, connection: DoorConnection) -> None:
        """Take no more connections than there are now if descriptors run out."""
        few = len(self._connections) < self._last_descriptor // 2
        if few and self.accepted % _LOOKED_AT_EACH:
            return  # asking costs a system call, and the reserve is larger than that
        if connection.descriptor < self._last_descriptor or self._most <= 1:
            return
        if self._most == self.limits.connections:
            _log.error(
                "descriptors run out at %d connections: one ends for each new one, or "
                "new ones wait (raise LimitNOFILE= or ulimit -n, or lower "
                "limits.connections)",
                len(self._connections),
            )
            self.loop.call_later(_DESCRIPTORS_S, self._descriptors_again)
        self._most = min(self._most, max(1, len(self._connections) - 1))

    def _descriptors_again(self) -> None:
        if self._closing:
            return
        if self._is_full or lowest_free() >= self._last_descriptor:
            self.loop.call_later(_DESCRIPTORS_S, self._descriptors_again)
            return
        self._most = self.limits.connections
        _log.warning("descriptors suffice again: %d connections", self.connections)
        self._room_again()

    def _plan_sweep(self) -> None:
        places = self.places
        needed = bool(self._untold or places.turns)
        needed = needed or places.is_crowded or self._is_full
        if needed and self._sweeper is None and not self._closing:
            after_s = min(self.limits.shed_after_s, STALLED_S) / 8
            self._sweeper = self.loop.call_later(after_s, self._sweep_soon)

    def _sweep_soon(self) -> None:
        # After one more look at all sockets: what a loop that was busy has not read
        # yet was not kept back by the peer.
        self._sweeper = self.loop.call_later(0.001, self._sweep)

    def _sweep(self) -> None:
        self._sweeper = None
        now = self.loop.time()
        self._shed(self.places.overdue(now, full=self._is_full))
        self._shed(self.places.recalled(now))
        self._tell_shed()
        self._next_turns()
        self._plan_sweep()

    def _shed(self, victims: Iterable[Placed]) -> None:
        """Close connections for others; what is to be on record, the sweep tells."""
        for connection in victims:
            assert isinstance(connection, DoorConnection)
            code = self._code_of(connection)
            if code:
                self.shed_count += 1
                key = connection.source, code
                first, count = self._untold.get(key, (connection, 0))
                self._untold[key] = first, count + 1
            if connection.place is self.places.idle:
                connection.close()
            else:
                connection.abort()
            self._connections.discard(connection)
            self.places.put(connection, None)

    def _tell_shed(self) -> None:
        """Put one line on record for all of a source that were closed for others."""
        untold, self._untold = self._untold, {}
        for (_, code), (first, count) in untold.items():
            first.leave_shed_record(code, count)

    def _code_of(self, victim: Placed) -> str:
        """Return the reason for the record; none for what is idle or on it already."""
        places = self.places
        if victim.place is places.silent:
            return "hello.shed"
        if victim.place in (places.turns, places.handshakes):
            return "handshake.shed"
        return "request.shed" if victim.place is places.asking else ""

    # Records

    def refused(self, *, kind: Kind, peer: tuple[str, int], **facts: Any) -> None:
        """Queue a refusal for the record; count it if the queue is full."""
        self.refused_count += 1
        if len(self._queue) >= self.limits.refusal_queue:
            self._dropped += 1
            return
        facts["cure"] = facts.get("cure") or cure_of(facts["code"])
        self._queue.append(Refusal(kind=kind, at=datetime.now(UTC), peer=peer, **facts))
        self._wake.set()

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

    # The lines of every answer, and the clock of the Date header

    def head_lines(self) -> tuple[bytes, bool]:
        """The header lines of every answer, and whether the connection ends with it."""
        return self._head_lines

    def _tick(self) -> None:
        lines = f"date: {formatdate(usegmt=True)}\r\n"
        if self._leaving:
            lines += "connection: close\r\n"
        self._head_lines = lines.encode("ascii"), self._leaving
        if self._ticker is not None:
            self._ticker.cancel()
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
