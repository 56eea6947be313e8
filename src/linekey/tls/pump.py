"""One connection's TLS from its first byte to its last: no socket, no clock, no timer.

Theory of operation. Whoever has the socket hands each piece that it reads to
``receive()`` and the end of them to ``receive_eof()``, acts on the events, sends what
``take_output()`` gives, and calls ``expire()`` once ``deadline`` has passed. A client's
pump has its engine from the start. A server's reads the ClientHello in plain, chooses
the policy for this client and this server's key, and goes on; or, where connections
take turns, waits for ``begin()``.

    server   bytes ── HelloReceived ── (begin()) ── HandshakeCompleted ── DataReceived …
    client   take_output() ──────────────────────── HandshakeCompleted ── DataReceived …

Rules: whatever ends a connection before HandshakeCompleted is one HandshakeFailed, with
its code, and the alert that belongs to it is in the output; what a peer may take until
then is bounded by ``Limits``; after an ending event (``linekey.tls.events``) nothing is
delivered any more.
"""

from dataclasses import dataclass
from typing import Protocol

from linekey.certs.certificate import Certificate
from linekey.tls.alerts import Alert, record
from linekey.tls.engine import ClientEngine, Engine, ServerEngine
from linekey.tls.errors import TlsError
from linekey.tls.events import Event, HandshakeFailed, HelloReceived, TlsInfo
from linekey.tls.hello import (
    MAX_HELLO_BYTES,
    ClientHello,
    HelloReader,
)
from linekey.tls.messages import (
    MAX_FLIGHT_BYTES,
    CertificateRequest,
    FlightReader,
    ServerKeyExchange,
)
from linekey.tls.no_hello import explain_unfinished
from linekey.tls.policy import Policy, PolicyChoice


@dataclass(frozen=True, slots=True)
class Limits:
    """What a peer may take until the handshake's end."""

    handshake_s: float | None = None
    """Seconds for a whole ClientHello with its turn, and as many for the handshake;
    None: whoever has the socket sees to it."""
    flight_bytes: int = MAX_FLIGHT_BYTES
    hello_bytes: int = MAX_HELLO_BYTES


class Server(Protocol):
    """Whose connection it is: ``tls.engine.ServerContexts``, or what may change."""

    def choose(self, hello: ClientHello) -> PolicyChoice:
        """Choose policy and certificate for a client, or say why there is none."""

    def engine_for(self, choice: PolicyChoice, hello: ClientHello) -> ServerEngine:
        """Make the engine for one connection, as ``choose`` had it."""

    def shown(self, choice: PolicyChoice) -> Certificate:
        """Give the certificate that it is shown."""


class Pump:
    """What both ends have in common; make a ServerPump or a ClientPump."""

    __slots__ = ("_alert", "_engine", "_limits", "_over", "_received", "deadline")
    _too_large: Alert | None = None

    def __init__(self, limits: Limits, now: float) -> None:
        self._limits = limits
        self._engine: Engine | None = None
        self._received = 0
        self._alert = b""
        self._over = False
        self.deadline: float | None = None
        """When to call ``expire()``, on the clock of the ``now`` that was given."""
        self._allow(now)

    def _allow(self, now: float) -> None:
        seconds = self._limits.handshake_s
        self.deadline = None if seconds is None else now + seconds

    @property
    def info(self) -> TlsInfo | None:
        """What was negotiated; None before HandshakeCompleted and after ``end()``."""
        return None if self._engine is None else self._engine.info

    @property
    def ended(self) -> bool:
        """Whether an ending event was given out, or ``end()`` was called."""
        return self._over or (self._engine is not None and self._engine.ended)

    def receive(self, data: bytes) -> list[Event]:
        """Take bytes from the peer; say what happened."""
        engine = self._engine
        if engine is None:
            return self._receive_early(data)
        if engine.info is not None:
            return engine.receive(data)
        if engine.ended:
            return []
        self._received += len(data)
        if self._received > (limit := self._limits.flight_bytes):
            reason = f"more than {limit} bytes came before the handshake's end"
            return self._fail("handshake.too_large", reason, self._too_large)
        events = engine.receive(data)
        if not engine.handshaking:
            self.deadline = None
        return events

    def _receive_early(self, data: bytes) -> list[Event]:
        """Take bytes for which there is no engine, not yet or not any more."""
        return []

    def receive_eof(self) -> list[Event]:
        """Take it that the peer's bytes have ended; say what that means.

        Whoever drops a pump calls this or ``end()``; ``Engine.receive_eof`` says why.
        """
        self.deadline = None
        return [] if self._engine is None else self._engine.receive_eof()

    def expire(self) -> list[Event]:
        """Take it that ``deadline`` has passed; say what that means."""
        over = self.deadline is None
        return [] if over else self._too_slow(self._limits.handshake_s or 0.0)

    def _too_slow(self, seconds: float) -> list[Event]:
        return self._fail("handshake.too_slow", f"no handshake within {seconds:g} s")

    def _fail(
        self, code: str, reason: str, alert: Alert | None = None, cure: str = ""
    ) -> list[Event]:
        """End it here: the engine, if there is one, has no more to say."""
        self._over, self._engine, self.deadline = True, None, None
        return [HandshakeFailed(reason, alert_sent=alert, code=code, cure=cure)]

    def send(self, plaintext: bytes) -> bytes:
        """Encrypt, and give what is to be sent: nothing where it has ended.

        Raises as ``Engine.send`` does.
        """
        engine = self._engine
        if engine is None or engine.ended:
            return b""
        engine.send(plaintext)
        return engine.take_output()

    def take_output(self) -> bytes:
        """Give the bytes that are to be sent to the peer, all of them, once."""
        if self._engine is not None:
            return self._engine.take_output()
        alert, self._alert = self._alert, b""
        return alert

    def rest(self) -> None:
        """Give back memory: nothing is expected for a while. Changes nothing else."""
        if self._engine is not None:
            self._engine.rest()

    def end(self, last: bytes = b"") -> bytes:
        """Let go of the engine, and give what is still to be sent.

        After the handshake that is ``last`` and a close_notify, if anybody listens.
        """
        engine, self._engine = self._engine, None
        self._over, self.deadline = True, None
        if engine is None:
            return b""
        if last and not engine.ended:
            engine.send(last)
        engine.close()
        return engine.take_output()


class ServerPump(Pump):
    """The server's end of one connection to ``server``.

    ``hello`` is what the client sent, as soon as it is whole, and ``choice`` what was
    chosen for it. ``in_turn``: after HelloReceived it waits for ``begin()``.
    """

    __slots__ = ("_in_turn", "_reader", "_server", "choice", "hello")
    _too_large = Alert.HANDSHAKE_FAILURE

    def __init__(
        self, server: Server, limits: Limits, now: float, *, in_turn: bool = False
    ) -> None:
        super().__init__(limits, now)
        self._server = server
        self._in_turn = in_turn
        self._reader: HelloReader | None = None  # strangers that are silent are many
        self.hello: ClientHello | None = None
        self.choice: PolicyChoice | None = None

    @property
    def heard(self) -> bool:
        """Whether a single byte came."""
        return self.hello is not None or self._reader is not None

    @property
    def policy(self) -> Policy | None:
        """The policy that was chosen; None before, and where none fits."""
        return None if self.choice is None else self.choice.policy

    def _receive_early(self, data: bytes) -> list[Event]:
        if self._over:
            return []
        reader = self._reader
        if reader is None:
            self._reader = reader = HelloReader(self._limits.hello_bytes)
        if self.hello is not None:  # it waits for its turn
            reader.data += data
            return []
        try:
            self.hello = hello = reader.feed(data)
        except TlsError as error:
            return self._no_hello(error)
        if hello is None:
            return []
        self.choice = choice = self._server.choose(hello)
        if choice.policy is None:
            return self._fail("handshake.no_policy", choice.reason, choice.alert)
        received = HelloReceived(hello, choice.policy)
        return [received] if self._in_turn else [received, *self._begin()]

    def begin(self, now: float) -> list[Event]:
        """Begin the handshake: it is its turn, and its time begins anew."""
        self._allow(now)
        return self._begin()

    def _begin(self) -> list[Event]:
        assert self.hello, "begun with a hello"
        assert self.choice, "begun with a policy"
        self._engine = self._server.engine_for(self.choice, self.hello)
        data, self._reader = bytes(self._came), None
        return self.receive(data)

    @property
    def _came(self) -> bytes | bytearray:
        """What came before the engine."""
        return b"" if self._reader is None else self._reader.data

    def receive_eof(self) -> list[Event]:
        """Take it that the peer's bytes have ended; say what that means."""
        if self.ended or self.info is not None:
            return super().receive_eof()
        if self.hello is None and not self._came:
            return self._fail("hello.gone", "the peer left without a word")
        return self._unfinished("gone", "the peer left in the middle of the {}")

    def _too_slow(self, seconds: float) -> list[Event]:
        sentence = f"no whole {{}} within {seconds:g} seconds"
        return self._unfinished("too_slow", sentence)

    def _unfinished(self, how: str, sentence: str) -> list[Event]:
        if self.hello is not None:
            return self._fail(f"handshake.{how}", sentence.format("handshake"))
        if error := explain_unfinished(self._came):
            return self._no_hello(error)
        return self._fail(f"hello.{how}", sentence.format("hello"))

    def _no_hello(self, error: TlsError) -> list[Event]:
        code = f"hello.{error.kind}"
        return self._fail(code, error.message, error.alert, error.hint)

    def _fail(
        self, code: str, reason: str, alert: Alert | None = None, cure: str = ""
    ) -> list[Event]:
        if alert is not None:
            self._alert = record(alert, self._version())
        return super()._fail(code, reason, alert, cure)

    def _version(self) -> int:
        """The hello's, or that of its first record, as far as either came."""
        if self.hello is not None:
            return self.hello.legacy_version
        start = self._came[:3]
        known = len(start) == 3 and start[1] == 3
        return int.from_bytes(start[1:], "big") if known else 0x0301


class ClientPump(Pump):
    """The client's end of one connection; its hello is in ``take_output()``."""

    __slots__ = ("_flight", "engine", "group_bits", "heard", "request")

    def __init__(self, engine: ClientEngine, limits: Limits, now: float) -> None:
        super().__init__(limits, now)
        self._engine = self.engine = engine
        self._flight: FlightReader | None = FlightReader()
        self.heard = False
        """Whether a single byte came."""
        self.request: CertificateRequest | None = None
        """What the server asked for a certificate with; in TLS 1.3, which no phone of
        the catalogue speaks, that cannot be seen."""
        self.group_bits: int | None = None
        """Size of the server's Diffie-Hellman prime, once it came."""

    def receive(self, data: bytes) -> list[Event]:
        """Take bytes from the server; say what happened."""
        self.heard |= bool(data)
        if self._flight is not None:
            self._look_at_flight(self._flight, data)
        return super().receive(data)

    def _look_at_flight(self, flight: FlightReader, data: bytes) -> None:
        """Below TLS 1.3 the server's first flight is plain (RFC 5246 §7.4)."""
        try:
            for message in flight.feed(data):
                if isinstance(message, CertificateRequest):
                    self.request = message
                elif isinstance(message, ServerKeyExchange) and message.kind == "DHE":
                    self.group_bits = message.bits
            if flight.done:
                self._flight = None
        except TlsError:  # the engine says what is wrong
            self._flight = None
