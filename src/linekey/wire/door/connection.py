"""One connection at the door: from its first byte to its last.

Theory of operation. A connection is in one of these states, and only goes down:

    HELLO      bytes are kept until a whole ClientHello is there; it is read in plain,
               and the policy for this kind of phone chosen from it
    TURN       as many handshakes as may be are under way; nothing more is read
    HANDSHAKE  the engine of that policy speaks TLS; the certificate is judged inside
    OPEN       HTTP runs inside; ``TlsTransport`` is its transport
    LINGER     an alert or an answer is out, our side is shut; what still comes is
               thrown away, so that a reset cannot overtake what we said
    CLOSED

HELLO, TURN and HANDSHAKE are *half-open*. The door knows each connection's place
(``door.places``) and may end one for another (``abort``).
Every state but CLOSED has one timer; its limit is in ``settings.LimitSettings``.
Rule: whatever ends a connection before OPEN leaves exactly one ``Refusal``.
"""

import asyncio
import enum
from collections.abc import Callable
from typing import TYPE_CHECKING, cast

from linekey.errors import PeerError
from linekey.tls.alerts import Alert
from linekey.tls.alerts import record as alert_record
from linekey.tls.engine import ServerEngine
from linekey.tls.errors import TlsError
from linekey.tls.events import (
    AlertReceived,
    ConnectionFailed,
    DataReceived,
    HandshakeCompleted,
    HandshakeFailed,
    PeerClosed,
)
from linekey.tls.fingerprint import ja4
from linekey.tls.hello import ClientHello, explain_unfinished, parse_client_hello
from linekey.tls.policy import Policy, choose
from linekey.wire.asgi_tls import tls_extensions
from linekey.wire.door.alarm import Alarm
from linekey.wire.door.http import DoorHttp
from linekey.wire.door.places import Place
from linekey.wire.door.refusal import Kind
from linekey.wire.door.transport import TlsTransport
from linekey.wire.proxy_protocol import parse_proxy_header
from linekey.wire.sources import source_of

if TYPE_CHECKING:
    from linekey.wire.door.listener import Door

_HANDSHAKE_RECORD = 22
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


class State(enum.Enum):
    """Where a connection is; see the module."""

    HELLO = enum.auto()
    TURN = enum.auto()
    HANDSHAKE = enum.auto()
    OPEN = enum.auto()
    LINGER = enum.auto()
    CLOSED = enum.auto()


HALF_OPEN = (State.HELLO, State.TURN, State.HANDSHAKE)


class DoorConnection(asyncio.Protocol):
    """A TCP connection that a phone opened, or that nobody ought to have opened."""

    __slots__ = (
        "_alarm",
        "_buffer",
        "_chosen",
        "_discarded",
        "_engine",
        "_fingerprint",
        "_flight_bytes",
        "_header_due",
        "_http",
        "_need",
        "_policy",
        "_raw",
        "_server_name",
        "_tls",
        "_version",
        "door",
        "heard",
        "peer",
        "place",
        "since",
        "source",
        "state",
    )

    def __init__(self, door: "Door") -> None:
        self.door = door
        self.state = State.HELLO
        self.peer: tuple[str, int] = ("", 0)
        self.source = ""
        self.since = self.heard = 0.0
        self.place: Place | None = None
        self._raw: asyncio.Transport
        self._buffer = bytearray()
        self._need = 9
        self._chosen: tuple[Policy, ClientHello] | None = None
        self._discarded = 0
        self._flight_bytes = 0
        self._header_due = False
        self._engine: ServerEngine | None = None
        self._http: DoorHttp | None = None
        self._tls: TlsTransport | None = None
        self._alarm = Alarm(door.loop)
        self._version = 0
        self._policy: str | None = None
        self._server_name: str | None = None
        self._fingerprint: Callable[[], str] | None = None

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
            self._header_due = True
            self.source = f"{self.source} port {self.peer[1]}"
        self.since = self.heard = self.door.loop.time()
        self._alarm.set(self.door.limits.handshake_s, self._handshake_too_slow)
        self.door.connection_opened(self)

    @property
    def descriptor(self) -> int:
        """The number of its socket; -1 where there is none."""
        raw = self._raw.get_extra_info("socket")
        return -1 if raw is None else int(raw.fileno())

    def data_received(self, data: bytes) -> None:
        """Take bytes from the peer, in whatever state this is."""
        if self.state is State.OPEN:
            self._receive(data)
        elif self.state is State.HELLO:
            self._buffer += data
            if not self._header_due or self._read_header():
                self._read_hello()
        elif self.state is State.TURN:
            self._buffer += data  # came before reading stopped
        elif self.state is State.HANDSHAKE:
            self.heard = self.door.loop.time()
            self._flight_bytes += len(data)
            if self._flight_bytes > self.door.limits.flight_bytes:
                self._refuse(
                    "handshake.too_large",
                    f"more than {self.door.limits.flight_bytes} bytes came before the "
                    "handshake's end",
                    Alert.HANDSHAKE_FAILURE,
                )
                return
            self._receive(data)
        elif self.state is State.LINGER:
            self._discarded += len(data)
            if self._discarded > _LINGER_BYTES:
                self.abort()

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
        self.state = State.CLOSED
        self._tls = None  # which knows this connection, too: no cycle is left behind
        http, self._http = self._http, None
        if http is not None:
            http.connection_lost(exc)
        engine, self._engine = self._engine, None
        if engine is not None:
            engine.receive_eof()  # however it ended, its session can be resumed
        self.door.connection_closed(self)

    def pause_writing(self) -> None:
        """Stop the application; a peer that never reads on is cut off."""
        if self._http is not None:
            self._http.pause_writing()
        self._alarm.set(self.door.limits.write_s, self.abort)

    def resume_writing(self) -> None:
        """Let the application write again."""
        if self.state is State.OPEN:
            self._alarm.clear()
        if self._http is not None:
            self._http.resume_writing()

    # The balancer's header

    def _read_header(self) -> bool:
        """Take the PROXY protocol's header; say whether bytes of the phone follow."""
        try:
            header = parse_proxy_header(bytes(self._buffer))
        except PeerError as error:
            self._refuse("hello.proxy_header", error.message, None)
            return False
        if header is None:
            return False
        self._header_due = False
        del self._buffer[: header.length]
        if header.source is not None:
            self.peer = header.source
            self.source = source_of(self.peer[0])
            self.door.source_known(self)
        return bool(self._buffer) and self.state is State.HELLO

    # The hello

    def _read_hello(self) -> None:
        buffer = self._buffer
        is_tls = buffer[0] == _HANDSHAKE_RECORD
        if is_tls and len(buffer) < self._need:
            return
        limit = self.door.limits.hello_bytes
        try:
            hello = parse_client_hello(bytes(buffer), max_bytes=limit)
        except TlsError as error:
            self._refuse_hello(error)
            return
        if hello is not None:
            self._choose(hello)
        elif is_tls:
            self._need = _next_boundary(buffer)
            if len(buffer) >= limit or self._need > limit:
                self._refuse_hello(
                    TlsError(
                        f"a ClientHello of more than {limit} bytes",
                        alert=Alert.ILLEGAL_PARAMETER,  # as OpenSSL has it
                        kind="too_large",
                    )
                )

    def _what_else(self) -> TlsError | None:
        """What this is instead of TLS, where it ends before a hello could be read."""
        if self.state is not State.HELLO or self._header_due:
            return None
        return explain_unfinished(self._buffer)

    def _refuse_hello(self, error: TlsError) -> None:
        """End a connection that brought no hello that can be read, and say so."""
        if error.kind == "plain_http":
            self._raw.write(_PLAIN_ANSWER)
        code, cure = f"hello.{error.kind}", error.hint or None
        self._refuse(code, error.message, error.alert, cure=cure)

    def _choose(self, hello: ClientHello) -> None:
        self._version = hello.legacy_version
        self._server_name = hello.server_name
        self._fingerprint = lambda: ja4(hello)
        choice = choose(hello, self.door.key)
        if choice.policy is None:
            self._refuse("handshake.no_policy", choice.reason, choice.alert)
            return
        self._policy = choice.policy.name
        self._chosen = choice.policy, hello
        if self.door.may_begin(self):
            self.begin()
        else:
            self.state = State.TURN
            self._raw.pause_reading()

    def begin(self) -> None:
        """Begin the handshake: it is this connection's turn."""
        assert self._chosen is not None, "only a whole ClientHello gets a turn"
        policy, hello = self._chosen
        self._chosen = None
        if self._raw.is_closing():
            return  # its end is on its way
        if self.state is State.TURN:
            self._raw.resume_reading()
        self.heard = self.door.loop.time()
        self._alarm.set(self.door.limits.handshake_s, self._handshake_too_slow)
        self._engine = self.door.engine_for(policy, hello)
        self.state = State.HANDSHAKE
        data = bytes(self._buffer)
        self._buffer = bytearray()
        self._flight_bytes = len(data)
        self._receive(data)

    # TLS

    def _receive(self, data: bytes) -> None:
        engine = self._engine
        if engine is None:
            return
        for event in engine.receive(data):
            if isinstance(event, DataReceived):
                if self._http is not None and self.state is State.OPEN:
                    self._http.data_received(event.data)
            elif isinstance(event, HandshakeCompleted):
                self._open(event)
            elif isinstance(event, HandshakeFailed):
                self._failed(event)
                return
            elif isinstance(event, PeerClosed):
                # The engine ends with it, so an answer that is still due is lost.
                self.close()
                return
            elif isinstance(event, AlertReceived):
                self.door.alert_received(self.peer, event)
                if event.fatal:
                    self._raw.write(engine.take_output())
                    self.abort()
                    return
            elif isinstance(event, ConnectionFailed):
                self.door.connection_failed(self.peer, event)
                self._raw.write(engine.take_output())
                self.close_lingering()
                return
        if self.state is not State.CLOSED:
            output = engine.take_output()
            if output:
                self._raw.write(output)

    def _open(self, event: HandshakeCompleted) -> None:
        self.state = State.OPEN
        self._buffer = bytearray()
        self._fingerprint = None
        self.door.handshake_ended(self)
        self._alarm.set(self.door.limits.request_s, self._request_too_slow)
        chain = event.info.peer_chain
        self._tls = TlsTransport(self, chain[0] if chain else None)
        self._http = DoorHttp(
            self.door.config,
            self.door.server_state,
            self.door.limits,
            tls_extensions(event.info, self.door.certificate),
            self._request_refused,
        )
        self._http.connection_made(self._tls)

    def _failed(self, event: HandshakeFailed) -> None:
        if self._engine is not None:
            self._raw.write(self._engine.take_output())
        if event.error is not None:
            self.door.crashed(event.error)
        self._refuse(event.code, event.reason, None, event, event.cure or None)

    def _refuse(
        self,
        code: str,
        reason: str,
        alert: Alert | None,
        event: HandshakeFailed | None = None,
        cure: str | None = None,
    ) -> None:
        """Record why this connection ends here, say it on the wire, and linger."""
        if self.state not in HALF_OPEN and self.state is not State.OPEN:
            return
        if alert is not None:
            self._raw.write(alert_record(alert, self._version_of_peer()))
        self._leave_record(code, reason, alert, event, cure)
        self.close_lingering()

    def _version_of_peer(self) -> int:
        """The hello's, or that of its first record, as far as either came."""
        if self._version:
            return self._version
        if len(self._buffer) >= 3 and self._buffer[1] == 3:
            return int.from_bytes(self._buffer[1:3], "big")
        return 0x0301

    def _leave_record(
        self,
        code: str,
        reason: str,
        alert: Alert | None = None,
        event: HandshakeFailed | None = None,
        cure: str | None = None,
        kind: Kind = "handshake",
    ) -> None:
        self.door.refused(
            kind=kind,
            peer=self.peer,
            code=code,
            reason=reason,
            server_name=self._server_name,
            fingerprint=self._fingerprint() if self._fingerprint else None,
            policy=self._policy,
            certificate=event.certificate if event else None,
            alert_sent=event.alert_sent if event else alert,
            alert_received=event.alert_received if event else None,
            verdict=event.verdict if event else None,
            **({} if cure is None else {"cure": cure}),
        )

    def _gone(self) -> None:
        """Record that the peer left before the handshake's end."""
        name = "hello" if self.state is State.HELLO else "handshake"
        code, cure = f"{name}.gone", None
        if what := self._what_else():
            code, reason, cure = f"hello.{what.kind}", what.message, what.hint or None
        elif not self._buffer and self.state is State.HELLO:
            reason = "the peer left without a word"
        else:
            reason = f"the peer left in the middle of the {name}"
        self.state = State.LINGER
        self.door.ending(self)
        self._leave_record(code, reason, cure=cure)

    # Limits of time

    def _handshake_too_slow(self) -> None:
        name = "hello" if self.state is State.HELLO else "handshake"
        if what := self._what_else():
            self._refuse_hello(what)
            return
        self._refuse(
            f"{name}.too_slow",
            f"no whole {name} within {self.door.limits.handshake_s:g} seconds",
            None,
        )

    def leave_shed_record(self, code: str, count: int) -> None:
        """Put on record that this one, and others of its source, end for others."""
        what = {
            "hello.shed": "no whole ClientHello came",
            "handshake.shed": "its handshake was not over",
            "request.shed": "no whole request came",
        }[code]
        more = f", and {count - 1} more of its source" if count > 1 else ""
        self._leave_record(
            code,
            f"closed to make room: {what} while many waited{more}",
            kind="request" if code == "request.shed" else "handshake",
        )

    def _request_too_slow(self) -> None:
        if self._http is None:
            return
        if not self._http.in_request:
            self.close()
        else:
            self._http.refuse(
                408,
                "request.too_slow",
                f"no whole request within {self.door.limits.request_s:g} seconds",
            )

    def _request_refused(self, status: int, code: str, reason: str) -> None:
        self.door.refused(
            kind="request",
            peer=self.peer,
            code=code,
            reason=reason,
            server_name=self._server_name,
            fingerprint=self._fingerprint() if self._fingerprint else None,
            policy=self._policy,
            certificate=self._tls.leaf if self._tls else None,
            status=status,
        )

    # What the HTTP side asks for, through TlsTransport

    def send(self, data: bytes) -> None:
        """Encrypt and send; nothing happens when the connection is ending."""
        engine = self._engine
        if engine is not None and self.state is State.OPEN and not engine.ended:
            engine.send(data)
            self._raw.write(engine.take_output())

    def request_began(self) -> None:
        """Start the clock of a request."""
        if self._http is not None and not self._http.is_answering:
            self.door.asking(self)
        if not self._alarm.is_set:  # the first request's runs since the handshake
            self._alarm.set(self.door.limits.request_s, self._request_too_slow)

    def request_ended(self) -> None:
        """Stop the clock of a request; the application has the word."""
        self._alarm.clear()
        self.door.answering(self)

    def idle(self) -> None:
        """Tell the door that this connection waits for another request."""
        self.door.idle(self)

    def shutdown(self) -> None:
        """End as soon as the request under way, if any, is answered."""
        if self._http is not None:
            self._http.shutdown()
        elif self.state in HALF_OPEN:
            name = "hello" if self.state is State.HELLO else "handshake"
            self._leave_record(f"{name}.gone", "the server ends")
            self.abort()

    def close(self, last: bytes = b"") -> None:
        """Send ``last`` and close_notify in one piece, then close."""
        if self.state is State.CLOSED or self.state is State.LINGER:
            return
        self._end_tls(last)
        self.state = State.LINGER
        if self._raw.get_write_buffer_size():  # else it is lost in a moment
            self.door.ending(self)
            self._alarm.set(self.door.limits.write_s, self.abort)
        self._raw.close()

    def close_lingering(self) -> None:
        """Say what is to be said, shut our side, and drain the peer's for a moment."""
        if self.state in (State.CLOSED, State.LINGER):
            return
        self._end_tls()
        self.state = State.LINGER
        self._chosen = None
        self._buffer = bytearray()
        self.door.ending(self)
        self._alarm.set(_LINGER_S, self.abort)
        if self._raw.is_closing():
            return
        if self._raw.can_write_eof():
            self._raw.resume_reading()
            self._raw.write_eof()
        else:
            self._raw.close()

    def _end_tls(self, last: bytes = b"") -> None:
        engine = self._engine
        if engine is not None and self.state is State.OPEN:
            if last and not engine.ended:
                engine.send(last)
            engine.close()
            self._raw.write(engine.take_output())
        self._engine = None

    def abort(self) -> None:
        """Close at once, whatever is unsent."""
        if self.state is not State.CLOSED:
            self.state = State.LINGER
            self._raw.abort()

    @property
    def is_open(self) -> bool:
        """Whether the handshake is over and nothing has ended yet."""
        return self.state is State.OPEN

    @property
    def raw(self) -> asyncio.Transport:
        """The TCP transport."""
        return self._raw


def _next_boundary(buffer: bytearray) -> int:
    """Bytes needed until the next record of an unfinished ClientHello is whole."""
    at = 0
    while at + 5 <= len(buffer):
        at += 5 + int.from_bytes(buffer[at + 3 : at + 5], "big")
        if at > len(buffer):
            return at
    return at + 5
