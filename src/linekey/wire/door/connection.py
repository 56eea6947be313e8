"""One connection at the door: from its first byte to its last.

``tls.pump`` reads the hello, speaks TLS and keeps its bounds; here is what asyncio, the
door and HTTP have to do with it. ``door.states`` has the states and what leads from
one to another. HELLO, TURN and HANDSHAKE are *half-open*; the door knows each
connection's place (``door.places``) and may end one for another (``abort``).
Every state but CLOSED has one timer; its limit is in ``settings.LimitSettings``.
Rule: whatever ends a connection before OPEN leaves exactly one ``Refusal``, but for a
balancer's look whether somebody listens.
"""

import asyncio
import logging
from typing import Any, Protocol, cast

from linekey.certs.certificate import Certificate
from linekey.errors import PeerError
from linekey.said import say
from linekey.settings import LimitSettings
from linekey.tls.events import (
    AlertReceived,
    ConnectionFailed,
    DataReceived,
    Event,
    HandshakeCompleted,
    HandshakeFailed,
    HelloReceived,
    PeerClosed,
)
from linekey.tls.fingerprint import ja4
from linekey.tls.pump import Limits, Server, ServerPump
from linekey.wire.asgi_tls import tls_extensions
from linekey.wire.door.alarm import Alarm, Bell
from linekey.wire.door.exchange import App
from linekey.wire.door.http import DoorHttp
from linekey.wire.door.places import Place, Places
from linekey.wire.door.refusal import Kind
from linekey.wire.door.states import HALF_OPEN, TRANSITIONS, State, Step
from linekey.wire.peer_state import has_left, has_sent
from linekey.wire.proxy_protocol import parse_proxy_header
from linekey.wire.sources import source_of

_log = logging.getLogger("linekey.door")

_LINGER_S = 2.0
_LINGER_BYTES = 262_144
_PLAIN_HTTP = (
    b"This port speaks HTTPS, and the request came without TLS.\n"
    b"Write https:// instead of http:// in the phone's setting server URL.\n"
)
_PLAIN_ANSWER = (
    b"HTTP/1.1 400 Bad Request\r\ncontent-type: text/plain\r\nconnection: close\r\n"
    b"content-length: %d\r\n\r\n%s" % (len(_PLAIN_HTTP), _PLAIN_HTTP)
)


class Host(Protocol):
    """What a connection needs of its door."""

    tls: Server
    loop: asyncio.AbstractEventLoop
    limits: LimitSettings
    tls_limits: Limits
    app: App
    tasks: "set[asyncio.Task[None]]"
    address: tuple[str, int]
    places: Places
    bell: Bell

    def head_lines(self) -> tuple[bytes, bool]:
        """The header lines of every answer, and whether the connection ends with it."""

    def is_balancer(self, host: str) -> bool:
        """Whether connections from ``host`` begin with the PROXY protocol's header."""

    def connection_opened(self, connection: "DoorConnection") -> None:
        """Count a new connection."""

    def source_known(self, connection: "DoorConnection") -> None:
        """Count a balancer's connection for the phone that its header names."""

    @property
    def is_pressed(self) -> bool:
        """Whether others began in this turn of the loop, or wait to."""

    def may_begin(self, connection: "DoorConnection") -> bool:
        """Give it a handshake's place, or let it wait until its ``begin``."""

    def placed(self, connection: "DoorConnection", place: Place | None) -> None:
        """Note another place of it; None while its answer is under way."""

    def connection_closed(self, connection: "DoorConnection") -> None:
        """Forget it."""

    def refused(self, *, kind: Kind, peer: tuple[str, int], **facts: Any) -> None:
        """Put a refusal on record."""


class DoorConnection(asyncio.Protocol):
    """A TCP connection that a phone opened, or that nobody ought to have opened.

    It is the TCP transport's protocol, and HTTP's transport. What HTTP holds until it
    flushes leaves in one piece, and a last answer together with its close_notify.
    """

    __slots__ = (
        "_alarm",
        "_balancer",
        "_discarded",
        "_header",
        "_http",
        "_leaf",
        "_pending",
        "_pump",
        "_raw",
        "door",
        "heard",
        "peer",
        "place",
        "since",
        "source",
        "state",
    )

    def __init__(self, door: Host) -> None:
        self.door = door
        self.state = State.HELLO
        self.peer: tuple[str, int] = ("", 0)
        self.source = ""
        self.since = self.heard = 0.0
        self.place: Place | None = None
        self._raw: asyncio.Transport
        self._pump: ServerPump
        self._header: bytearray | None = None
        self._balancer = False
        self._discarded = 0
        self._http: DoorHttp | None = None
        self._leaf: Certificate | None = None
        self._pending: list[bytes]
        self._alarm = Alarm(door.bell)

    def _move(self, step: Step) -> None:
        self.state = TRANSITIONS[self.state][step]

    # What the event loop tells

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Take a connection, and start the clock of its hello and its turn."""
        self._raw = cast("asyncio.Transport", transport)  # uvloop's is no subclass
        name = transport.get_extra_info("peername")
        if name:
            self.peer = (str(name[0]), int(name[1]))
        self.source = source_of(self.peer[0])
        if self.door.is_balancer(self.peer[0]):
            # Whom it speaks for, its header will say; until then it is one of many.
            self._header, self._balancer = bytearray(), True
            self.source = f"{self.source} port {self.peer[1]}"
        self.since = self.heard = now = self.door.loop.time()
        self._pump = ServerPump(self.door.tls, self.door.tls_limits, now, in_turn=True)
        self._await_tls()
        self.door.connection_opened(self)

    @property
    def descriptor(self) -> int:
        """The number of its socket; -1 where there is none."""
        raw = self._raw.get_extra_info("socket")
        return -1 if raw is None else int(raw.fileno())

    @property
    def has_left(self) -> bool:
        """Whether the peer has closed its side, which is not read yet."""
        return has_left(self.descriptor)

    @property
    def has_sent(self) -> bool:
        """Whether bytes of the peer wait to be read."""
        return has_sent(self.descriptor)

    def data_received(self, data: bytes) -> None:
        """Take bytes from the peer, in whatever state this is."""
        if self.state is State.OPEN:
            self._act(self._pump.receive(data))
        elif self.state is State.LINGER:
            self._discarded += len(data)
            if self._discarded > _LINGER_BYTES:
                self.abort()
        elif self.state is not State.CLOSED:
            self.heard = self.door.loop.time()
            if self._header is not None:
                data = self._read_header(self._header + data)
            if data and self.state in HALF_OPEN:
                self._act(self._pump.receive(data))

    def eof_received(self) -> bool:
        """Take the end of the peer's bytes; keep our side open for an answer due."""
        if self.state is State.OPEN and self._http is not None:
            return self._http.peer_closed()
        if self.state in HALF_OPEN:
            self._gone()
        return False

    def connection_lost(self, exc: Exception | None) -> None:
        """Clean up; a peer that left during the handshake is on record."""
        if self.state in HALF_OPEN:
            self._gone()
        self._alarm.end()
        self._move(Step.LOST)
        http, self._http = self._http, None  # which knows this, too: no cycle is left
        if http is not None:
            http.connection_lost()
        self._pump.receive_eof()  # however it ended, its session can be resumed
        self._pump.end()
        self.door.connection_closed(self)

    def pause_writing(self) -> None:
        """Stop the application; a peer that never reads on is cut off."""
        if self._http is not None:
            self._http.pause_writing()
        self._alarm.set(self.door.limits.write_s, self.abort)

    def resume_writing(self) -> None:
        """Let the application write again."""
        http = self._http
        if self.state is State.OPEN and http is not None:
            self._alarm.clear()
            if self.place is self.door.places.idle:
                self._alarm.set(self.door.limits.keep_alive_s, self.close)
            elif http.in_request:
                self._alarm.set(self.door.limits.request_s, self._request_too_slow)
        if http is not None:
            http.resume_writing()

    # The balancer's header

    def _read_header(self, data: bytearray) -> bytes:
        """Take the PROXY protocol's header; return what the phone sent behind it."""
        self._header = data
        try:
            header = parse_proxy_header(bytes(data))
        except PeerError as error:
            self._fail(HandshakeFailed(error.message, code="hello.proxy_header"))
            return b""
        if header is None:
            return b""
        self._header = None
        if header.source is not None:
            # Version 1 cannot say LOCAL: HAProxy's own look names HAProxy.
            self._balancer = self.door.is_balancer(header.source[0])
            self.peer = header.source
            self.source = source_of(self.peer[0])
            self.door.source_known(self)
        return bytes(data[header.length :])

    # TLS

    def begin(self) -> None:
        """Begin the handshake: it is this connection's turn."""
        if self._raw.is_closing():
            return  # its end is on its way
        if self.state is State.TURN:
            self._raw.resume_reading()
        self._move(Step.BEGUN)
        self.heard = now = self.door.loop.time()
        events = self._pump.begin(now)
        self._await_tls()
        self._act(events)

    def _act(self, events: list[Event]) -> None:
        for event in events:
            if isinstance(event, DataReceived):
                if self._http is not None and self.state is State.OPEN:
                    self._http.data_received(event.data)
            elif isinstance(event, HelloReceived):
                if self.door.is_pressed and self.has_left:
                    self.leave()
                    return
                if self.door.may_begin(self):
                    self.begin()
                else:
                    self._move(Step.QUEUED)
                    self._raw.pause_reading()
                    self._alarm.set(self.door.limits.turn_s, self._no_turn)
            elif isinstance(event, HandshakeCompleted):
                self._open(event)
            elif isinstance(event, HandshakeFailed):
                self._fail(event)
                return
            elif isinstance(event, PeerClosed):
                # The engine ends with it, so an answer that is still due is lost.
                self.close()
                return
            elif isinstance(event, AlertReceived):
                _log.info("alert from %s: %s", self.peer[0], event)
                if event.fatal:
                    self._raw.write(self._pump.take_output())
                    self.abort()
                    return
            elif isinstance(event, ConnectionFailed):
                _log.info("connection from %s broke: %s", self.peer[0], event.reason)
                self._raw.write(self._pump.take_output())
                self.close_lingering()
                return
        if output := self._pump.take_output():
            self._raw.write(output)

    def _open(self, event: HandshakeCompleted) -> None:
        self._move(Step.COMPLETED)
        self.door.placed(self, self.door.places.asking)
        self._alarm.set(self.door.limits.request_s, self._request_too_slow)
        assert self._pump.choice is not None, "chosen before the handshake"
        chain = event.info.peer_chain
        self._leaf = chain[0] if chain else None
        self._pending = []
        extensions = tls_extensions(event.info, self.door.tls.shown(self._pump.choice))
        self._http = DoorHttp(self.door, self, extensions)

    def _fail(self, event: HandshakeFailed) -> None:
        """Say why this connection ends before it is open, on record and on the wire."""
        if event.code == "hello.plain_http":
            self._raw.write(_PLAIN_ANSWER)
        self._raw.write(self._pump.take_output())
        self._leave_record(event)
        self._linger(Step.REFUSED)

    def _gone(self) -> None:
        """Record that the peer left before the handshake's end."""
        self._move(Step.LEFT)
        self.door.placed(self, self.door.places.ending)
        left: list[Event] = self._pump.receive_eof()
        if self._header:
            why = say("the balancer left in the middle of its header")
            left = [HandshakeFailed(why, code="hello.gone")]
        elif self._balancer and not self._pump.heard:
            left = []  # no phone's: it looked whether somebody listens
        for event in left:
            assert isinstance(event, HandshakeFailed), "nothing else ends a handshake"
            self._leave_record(event)

    def leave(self) -> None:
        """End before the handshake: its peer gave up, and no key is used for nobody."""
        waited = self.door.loop.time() - self.since
        self._move(Step.LEFT)
        self.door.placed(self, self.door.places.ending)
        self._unserved(
            say(
                "the client left before its turn, after %(waited)s seconds",
                waited=f"{waited:.1f}",
            )
        )
        self.abort()

    def _no_turn(self) -> None:
        self._unserved(
            say(
                "its turn did not come in %(limit)s seconds",
                limit=f"{self.door.limits.turn_s:g}",
            )
        )
        self._linger(Step.REFUSED)

    def _unserved(self, reason: str) -> None:
        self._record("handshake.unserved", reason)

    def _await_tls(self) -> None:
        if (deadline := self._pump.deadline) is not None:
            self._alarm.set(deadline - self.heard, self._too_slow)

    def _too_slow(self) -> None:
        events: list[Event] = self._pump.expire()
        if self._header is not None:
            why = say(
                "no whole PROXY protocol header within %(limit)s seconds",
                limit=f"{self.door.limits.handshake_s:g}",
            )
            events = [HandshakeFailed(why, code="hello.proxy_header")]
        self._act(events)

    # Records

    def _leave_record(self, event: HandshakeFailed) -> None:
        if event.error is not None:
            _log.error("cannot judge a certificate", exc_info=event.error)
        self._record(
            event.code,
            event.reason,
            cure=event.cure,
            certificate=event.certificate,
            alert_sent=event.alert_sent,
            alert_received=event.alert_received,
            verdict=event.verdict,
        )

    def _record(
        self, code: str, reason: str, kind: Kind = "handshake", **facts: Any
    ) -> None:
        hello, policy = self._pump.hello, self._pump.policy
        self.door.refused(
            kind=kind,
            peer=self.peer,
            code=code,
            reason=reason,
            server_name=hello.server_name if hello else None,
            fingerprint=ja4(hello) if hello and kind == "handshake" else None,
            policy=policy.name if policy else None,
            **facts,
        )

    def leave_shed_record(self, code: str, count: int) -> None:
        """Put on record that this one, and others of its source, end for others."""
        what = {
            "hello.shed": say("no whole ClientHello came"),
            "handshake.shed": say("its handshake was not over"),
            "request.shed": say("no whole request came"),
        }[code]
        said = say("closed to make room: %(what)s while many waited", what=what)
        if count > 1:
            said = say(
                "closed to make room: %(what)s while many waited, and %(count)s more of"
                " its source",
                what=what,
                count=count - 1,
            )
        self._record(
            code,
            said,
            kind="request" if code == "request.shed" else "handshake",
        )

    def request_refused(self, status: int, code: str, reason: str) -> None:
        """Put on record what HTTP refused."""
        self._record(code, reason, "request", certificate=self._leaf, status=status)

    def _request_too_slow(self) -> None:
        if self._http is None:
            return
        if not self._http.in_request:
            self.close()
        else:
            self._http.refuse(
                408,
                "request.too_slow",
                say(
                    "no whole request within %(limit)s seconds",
                    limit=f"{self.door.limits.request_s:g}",
                ),
            )

    # What the HTTP side asks for

    def hold(self, data: bytes) -> None:
        """Keep ``data``, to be sent by ``flush`` or ``close``."""
        if self.state is State.OPEN and data:
            self._pending.append(data)

    def flush(self) -> None:
        """Encrypt and send what was held; nothing where the connection is ending."""
        pending, self._pending = self._pending, []
        if pending and self.state is State.OPEN:
            data = pending[0] if len(pending) == 1 else b"".join(pending)
            self._raw.write(self._pump.send(data))

    def is_closing(self) -> bool:
        """Whether this is closed, or about to be."""
        return self.state is not State.OPEN

    def pause_reading(self) -> None:
        """Read no more from the peer for now."""
        if not self._raw.is_closing():
            self._raw.pause_reading()

    def resume_reading(self) -> None:
        """Read on."""
        if not self._raw.is_closing():
            self._raw.resume_reading()

    def request_began(self) -> None:
        """Start the clock of a request."""
        http, places = self._http, self.door.places
        if http is None:
            return
        was_idle = self.place is places.idle
        if not http.is_answering:
            self.door.placed(self, places.asking)
        # The first request's runs since the handshake; while the peer does not read,
        # that has its own.
        if (was_idle and not http.is_paused) or not self._alarm.is_set:
            self._alarm.set(self.door.limits.request_s, self._request_too_slow)

    def request_ended(self) -> None:
        """Stop the clock of a request; the application has the word."""
        self._alarm.clear()
        self.door.placed(self, None)

    def idle(self) -> None:
        """Tell the door that this connection waits for another request."""
        self.door.placed(self, self.door.places.idle)
        self._pump.rest()
        if self._http is not None and not self._http.is_paused:
            self._alarm.set(self.door.limits.keep_alive_s, self.close)

    def shutdown(self) -> None:
        """End as soon as the request under way, if any, is answered.

        Who has come and not asked yet is still answered: the door waits for it, and
        cuts off who takes too long.
        """
        if self._http is not None and self.place is not self.door.places.asking:
            self._http.shutdown()

    def cut_off(self) -> None:
        """End at once: the server ends, and cannot wait."""
        if self.state in HALF_OPEN:
            what = "hello" if self.state is State.HELLO else "handshake"
            self._record(f"{what}.gone", say("the server ends"))
        self.abort()

    def close(self) -> None:
        """Send what was written and close_notify in one piece, then close."""
        if self.state is not State.OPEN:
            return
        self._end_tls()
        self._move(Step.FINISHED)
        if self._raw.get_write_buffer_size():  # else it is lost in a moment
            self.door.placed(self, self.door.places.ending)
            self._alarm.set(self.door.limits.write_s, self.abort)
        self._raw.close()

    def close_lingering(self) -> None:
        """Say what is to be said, shut our side, and drain the peer's for a moment."""
        if self.state is State.OPEN:
            self._end_tls()
            self._linger(Step.FINISHED)

    def _end_tls(self) -> None:
        self._raw.write(self._pump.end(b"".join(self._pending)))
        self._pending.clear()

    def _linger(self, step: Step) -> None:
        self._move(step)
        self._pump.end()
        self.door.placed(self, self.door.places.ending)
        self._alarm.set(_LINGER_S, self.abort)
        if self._raw.is_closing():
            return
        if self._raw.can_write_eof():
            self._raw.resume_reading()
            self._raw.write_eof()
        else:
            self._raw.close()

    def abort(self) -> None:
        """Close at once, whatever is unsent."""
        if self.state is not State.CLOSED:
            self._move(Step.ABORTED)
            self._raw.abort()
