"""One TLS connection without a socket: bytes in, bytes and events out.

Theory of operation. Whoever owns the socket hands every byte it reads to
``receive()``, acts on the events it returns, and sends what ``take_output()`` gives:
after ``receive()``, after ``send()``, after ``close()``, and, for a client, at the
start. When the socket ends, ``receive_eof()`` says so.

    HANDSHAKING ── HandshakeCompleted ──> OPEN ── PeerClosed ─────────┐
         │                                 ├──── AlertReceived, fatal ┤
         └── HandshakeFailed ──> ENDED <───┴──── ConnectionFailed ────┘

Rules kept here:

- An engine reads no clock, has no timer, and never blocks. A handshake that takes too
  long is its owner's business.
- Any bytes whatever lead to events, never to an exception; ``receive`` raises only
  what is not an ``Exception`` (KeyboardInterrupt) when a Verify let it through.
- After an ending event nothing is delivered any more, and bytes are ignored.
- HandshakeCompleted never means accepted; see ``linekey.tls.events``.

An engine is used by one thread at a time; different engines may share a context.
"""

from collections.abc import Iterator, Sequence
from enum import Enum, auto

from OpenSSL import SSL

from linekey.certs.certificate import Certificate
from linekey.certs.read_before import certificate_of
from linekey.errors import CertificateError
from linekey.said import say
from linekey.tls.alerts import FATAL, Alert, parse_alert
from linekey.tls.binding import Link, State
from linekey.tls.context import (
    ClientContext,
    Identity,
    ServerContext,
    client_context,
    server_context,
)
from linekey.tls.errors import TlsError
from linekey.tls.events import (
    FAILED,
    NO_CERTIFICATE,
    Accept,
    AlertReceived,
    ConnectionFailed,
    DataReceived,
    Event,
    HandshakeCompleted,
    HandshakeFailed,
    PeerChain,
    PeerClosed,
    Refuse,
    TlsInfo,
    Verify,
)
from linekey.tls.hello import ClientHello, Offer
from linekey.tls.messages import read_client_chain
from linekey.tls.parameters import is_address
from linekey.tls.policy import (
    LEGACY,
    POLICIES,
    Policy,
    PolicyChoice,
    choose_key,
)
from linekey.tls.reasons import Phase, explain_alert, explain_failure
from linekey.tls.server_key import ServerKey, server_key
from linekey.tls.suites import by_name
from linekey.tls.versions import BY_NUMBER

__all__ = [
    "Accept",
    "AlertReceived",
    "ClientContext",
    "ClientEngine",
    "ConnectionFailed",
    "DataReceived",
    "Engine",
    "Event",
    "HandshakeCompleted",
    "HandshakeFailed",
    "Identity",
    "PeerChain",
    "PeerClosed",
    "Refuse",
    "ServerContext",
    "ServerContexts",
    "ServerEngine",
    "TlsInfo",
    "Verify",
    "client_context",
    "server_context",
]


_MAX_CHOSEN = 1024
"""Offers whose choice is kept; a fleet has a few for each model and firmware."""

MAX_SENT = 16
"""Certificates of a client that are read where its Verify alone proves: the longest
real chain has four, and no Verify of ours takes more than ten."""


class _Phase(Enum):
    HANDSHAKING = auto()
    OPEN = auto()
    ENDED = auto()


class Engine:
    """What both ends have in common; make a ServerEngine or a ClientEngine."""

    __slots__ = (
        "__weakref__",
        "_answer",
        "_closed",
        "_link",
        "_peer",
        "_phase",
        "_policy_name",
        "_unreadable",
        "_verify",
        "info",
    )
    _server = False

    def __init__(
        self, context: SSL.Context, policy_name: str, verify: Verify | None
    ) -> None:
        self._link = Link(context, self)
        self._policy_name = policy_name
        self._verify = verify
        self._phase = _Phase.HANDSHAKING
        self._closed = False
        self._peer: PeerChain | None = None
        self._answer: Accept | Refuse | None = None
        self._unreadable = ""
        self.info: TlsInfo | None = None
        """What was negotiated; None before HandshakeCompleted."""

    @property
    def handshaking(self) -> bool:
        """Whether the handshake is still going on."""
        return self._phase is _Phase.HANDSHAKING

    @property
    def ended(self) -> bool:
        """Whether an ending event was given out."""
        return self._phase is _Phase.ENDED

    # -- what the owner calls -------------------------------------------------

    def receive(self, data: bytes) -> list[Event]:
        """Take bytes from the peer; say what happened. An empty ``data`` is fine."""
        if self._phase is _Phase.ENDED:
            return []
        link = self._link
        link.put(data)
        events: list[Event] = []
        if self._phase is _Phase.HANDSHAKING:
            state = link.handshake()
            if link.crash is not None and not isinstance(link.crash, Exception):
                crash, link.crash = link.crash, None
                self._phase = _Phase.ENDED
                raise crash
            if state is not State.DONE:
                if state is not State.WANTS_MORE:
                    events.append(self._fail())
                return events
            events.append(self._complete())
        while True:
            got = link.read() if link.has_unread else State.WANTS_MORE
            if isinstance(got, bytes):
                events.append(DataReceived(got))
                continue
            if link.alerts_received:
                self._tell_alerts(events)
            if got is not State.WANTS_MORE and self._phase is _Phase.OPEN:
                self._phase = _Phase.ENDED
                events.append(self._end(got))
            return events

    def receive_eof(self) -> list[Event]:
        """Take it that the peer's bytes have ended; say what that means.

        Whoever drops an engine that has not ended calls this or ``close()``: without
        either OpenSSL forgets the session, and the peer cannot resume it.
        """
        if self._phase is _Phase.ENDED:
            return []
        handshaking = self._phase is _Phase.HANDSHAKING
        self._phase = _Phase.ENDED
        if not handshaking:
            self._link.mark_closed()
            return [PeerClosed(clean=False)]
        peer = "client" if self._server else "server"
        return [
            HandshakeFailed(
                say(
                    "the %(peer)s closed the connection in the middle of the "
                    "handshake, without an alert",
                    peer=peer,
                ),
                certificate=self._peer.leaf if self._peer else None,
            )
        ]

    def send(self, plaintext: bytes | memoryview) -> None:
        """Encrypt application data; ``take_output()`` then has it.

        Raises TlsError when the connection has ended, by either end, and
        RuntimeError before the handshake is done, which is the caller's mistake.
        """
        if self._phase is _Phase.HANDSHAKING:
            raise RuntimeError("send() before HandshakeCompleted")
        if self._phase is _Phase.ENDED or self._closed:
            raise TlsError("nothing can be sent: the connection has ended")
        if len(plaintext) and not self._link.write(plaintext):
            words = "; ".join(self._link.reasons())
            self._phase = _Phase.ENDED
            raise TlsError(f"nothing can be sent: {words or 'OpenSSL refused'}")

    def take_output(self) -> bytes:
        """Give the bytes that are to be sent to the peer, all of them, once."""
        return self._link.take()

    def close(self) -> None:
        """Say close_notify, once; what the peer still sends is still received.

        Before the handshake is done there is nothing to close in TLS, and after the
        end nobody listens: then it does nothing.
        """
        if self._phase is _Phase.OPEN and not self._closed:
            self._closed = True
            self._link.shutdown()

    def rest(self) -> None:
        """Give back memory: nothing is expected for a while. Changes nothing else."""
        if self._phase is _Phase.OPEN:
            self._link.rest()

    def session(self) -> SSL.Session | None:
        """Give the session for a later ClientEngine; None before the handshake.

        In TLS 1.3 it can be resumed only once the server's tickets have arrived,
        which is after the first DataReceived at the latest. An engine that is dropped
        with neither ``close()`` nor ``receive_eof()`` takes its session with it.
        """
        return None if self._phase is _Phase.HANDSHAKING else self._link.session

    # -- what the link asks ---------------------------------------------------

    def decide(self, link: Link) -> Alert | None:
        """Ask Verify; called by the Link, once, with the path built."""
        if self._verify is None:
            return Alert.INTERNAL_ERROR
        try:
            self._peer = self._read_peer(link)
        except (CertificateError, TlsError) as error:
            self._unreadable = error.message
            return Alert.BAD_CERTIFICATE
        answer = self._verify(self._peer)
        if not isinstance(answer, Accept | Refuse):
            raise TypeError(f"a Verify answered {answer!r}")
        self._answer = answer
        return None if isinstance(answer, Accept) else answer.alert

    def _read_peer(self, link: Link) -> PeerChain:
        if link.certificate_message is not None:
            version, body = link.certificate_message
            ders = read_client_chain(body, version)
            leaf = certificate_of(ders[0])
            sent = (leaf, *_readable(ders[1:MAX_SENT]))
            return PeerChain(leaf, sent, (leaf,), ())
        path = tuple(Certificate.from_der(der) for der in link.store_path())
        if self._server:
            return PeerChain(path[0], None, path, tuple(link.x509_errors))
        sent = tuple(Certificate.from_der(der) for der in link.peer_sent())
        return PeerChain(path[0], sent, path, tuple(link.x509_errors))

    def decide_late(self, link: Link, error: int) -> Alert | None:
        """Judge what OpenSSL finds after it has asked: name constraints."""
        if isinstance(self._answer, Accept):
            if self._answer.final:
                return None
            self._answer = Refuse(
                Alert.BAD_CERTIFICATE,
                say(
                    "the certificate breaks a name constraint of an authority above it "
                    "(X509 error %(error)s)",
                    error=error,
                ),
            )
        return Alert.BAD_CERTIFICATE

    # -- how it ends ----------------------------------------------------------

    def _complete(self) -> HandshakeCompleted:
        link, peer, answer = self._link, self._peer, self._answer
        name, alpn = self._read_server_name(), self._read_alpn()
        self.info = TlsInfo(
            version=BY_NUMBER[link.version],
            suite=by_name(link.suite),
            server_name=name,
            peer_chain=self._read_chain(peer),
            resumed=link.resumed,
            alpn=alpn.decode("ascii", "backslashreplace") if alpn else None,
            policy_name=self._policy_name,
            verdict=None if answer is None else answer.verdict,
            path=() if peer is None else peer.path,
            openssl_errors=() if peer is None else peer.openssl_errors,
            group=link.group,
        )
        self._phase = _Phase.OPEN
        self._peer = self._answer = link.certificate_message = None
        return HandshakeCompleted(self.info)

    def _read_alpn(self) -> bytes:
        return self._link.alpn

    def _read_server_name(self) -> str | None:
        name = self._link.server_name
        return None if name is None else name.decode("ascii", "backslashreplace")

    def _read_chain(self, peer: PeerChain | None) -> tuple[Certificate, ...]:
        if peer is not None and peer.sent is not None:
            return peer.sent
        ders = self._link.peer_sent()
        if peer is not None:
            chain = [peer.leaf]
        else:
            leaf = self._link.peer_leaf()
            if leaf is None:
                return ()
            chain = []
            if leaf not in ders:  # a client's chain has its leaf, a server's has not
                ders.insert(0, leaf)
        return (*chain, *_readable(ders))

    def _fail(self) -> HandshakeFailed:
        self._phase = _Phase.ENDED
        link, answer = self._link, self._answer
        openssl = link.reasons()
        sent = _last_fatal(link.alerts_sent)
        received = _last_fatal(link.alerts_received)
        verdict: object = None
        code, cure = FAILED, ""
        reason: str
        if link.crash is not None:
            reason = say(
                "this end could not judge the certificate, for a fault of its own: "
                "%(error)s",
                error=type(link.crash).__name__,
            )
        elif self._unreadable:
            reason = say(
                "a certificate of the peer cannot be read: %(why)s",
                why=self._unreadable,
            )
        elif isinstance(answer, Refuse) and received is None:
            reason, verdict = answer.reason, answer.verdict
            code, cure = answer.code, answer.cure
        else:
            if "peer did not return a certificate" in openssl:
                code = NO_CERTIFICATE
            reason = self._explain(
                openssl, None if sent is None else parse_alert(sent), received
            )
        return HandshakeFailed(
            reason=reason,
            alert_sent=None if sent is None else parse_alert(sent),
            alert_received=None if received is None else parse_alert(received),
            certificate=self._peer.leaf if self._peer else None,
            detail="; ".join(openssl),
            verdict=verdict,
            code=code,
            cure=cure,
            error=link.crash if isinstance(link.crash, Exception) else None,
        )

    def _explain(
        self,
        openssl: tuple[str, ...],
        sent: Alert | None,
        received: int | None,
        what: Phase = "handshake",
    ) -> str:
        return explain_failure(
            server=self._server,
            openssl=openssl,
            alert_sent=sent,
            alert_received=received,
            what=what,
        )

    @property
    def declined_renegotiation(self) -> bool:
        """Whether the peer asked for another handshake and was told no."""
        sent = self._link.alerts_sent
        return any(number == Alert.NO_RENEGOTIATION for _, number in sent)

    def _tell_alerts(self, events: list[Event]) -> None:
        for level, number in self._link.alerts_received:
            if number == Alert.CLOSE_NOTIFY:
                continue
            fatal = level == FATAL
            reason = explain_alert(number, server=self._server)
            events.append(AlertReceived(parse_alert(number), number, fatal, reason))
            if fatal:
                self._phase = _Phase.ENDED
                break
        self._link.alerts_received.clear()

    def _end(self, state: State) -> Event:
        if state is State.CLOSED:
            if not self._closed:
                # RFC 5246 §7.2.1: answered with one's own. OpenSSL forgets the
                # session of a connection on which none was sent.
                self._closed = True
                self._link.shutdown()
            return PeerClosed(clean=True)
        openssl = self._link.reasons()
        sent = _last_fatal(self._link.alerts_sent)
        alert = None if sent is None else parse_alert(sent)
        return ConnectionFailed(
            self._explain(openssl, alert, None, "connection"),
            alert_sent=alert,
            detail="; ".join(openssl),
        )


def _readable(ders: Sequence[bytes]) -> Iterator[Certificate]:
    """What cannot be read was not needed for the path; TlsInfo says so."""
    for der in ders:
        try:
            certificate = certificate_of(der)
        except CertificateError:
            continue
        yield certificate


def _last_fatal(alerts: list[tuple[int, int]]) -> int | None:
    return next((n for level, n in reversed(alerts) if level == FATAL), None)


class ServerEngine(Engine):
    """The server's end. ``hello``, if it was read before, betters the reasons.

    Raises ValueError, the caller's mistake, where the context's maximum is above its
    policy's and the hello is missing, or would reach above the policy.
    """

    __slots__ = ("_hello", "_policy")
    _server = True

    def __init__(
        self, context: ServerContext, *, hello: ClientHello | None = None
    ) -> None:
        super().__init__(context.ssl, context.policy_name, context.verify)
        self._policy: Policy = context.policy
        self._hello = hello
        if context.best_version > context.policy.max_version and (
            hello is None or _reaches(hello, context) > context.policy.max_version
        ):
            raise ValueError(f"policy {context.policy_name} is not for this hello")
        self._link.be_server()

    def _read_server_name(self) -> str | None:
        # OpenSSL forgets the name in resumed sessions below TLS 1.3; a hello does not.
        if self._hello is not None:
            return self._hello.server_name
        return super()._read_server_name()

    def _read_alpn(self) -> bytes:
        nothing_asked = self._hello is not None and not self._hello.alpn
        return b"" if nothing_asked else super()._read_alpn()

    def _explain(
        self,
        openssl: tuple[str, ...],
        sent: Alert | None,
        received: int | None,
        what: Phase = "handshake",
    ) -> str:
        return explain_failure(
            server=True,
            openssl=openssl,
            alert_sent=sent,
            alert_received=received,
            hello=self._hello,
            policy=self._policy,
            what=what,
        )


def _reaches(hello: ClientHello, context: ServerContext) -> int:
    """The version that OpenSSL will choose for this hello, or 0."""
    return max((v for v in hello.versions if v <= context.best_version), default=0)


class ServerContexts:
    """The contexts of one server, one for each policy and certificate, made when first
    needed; and the engines of its connections.

    Takes its identities, the one to be preferred first, and what ``server_context``
    takes. A change of trust or identity is a new ServerContexts: with it every session
    that could be resumed is forgotten. Whoever lets ``policy.choose_key`` pick from all
    policies says so with ``best_version=BEST_VERSION``.
    """

    def __init__(self, *identities: Identity, **options: object) -> None:
        self._identities = {server_key(i.leaf): i for i in identities}
        self._options = options
        self._made: dict[tuple[Policy, ServerKey], ServerContext] = {}
        self._chosen: dict[Offer, PolicyChoice] = {}
        self.keys = tuple(self._identities)
        """What the certificates' keys can do, the one to be preferred first."""
        for key in self.keys:
            self.context(LEGACY, key)  # what is wrong with the options shows now

    def context(self, policy: Policy, key: ServerKey | None = None) -> ServerContext:
        """Give the context for a policy, with the certificate of ``key``.

        None, or the key of a certificate that has been replaced meanwhile: the first.
        """
        key = self._present(key)
        made = self._made.get((policy, key))
        if made is None:
            identity = self._identities[key]
            made = server_context(identity, policy, **self._options)  # type: ignore[arg-type]
            self._made[policy, key] = made
        return made

    def make_all(self) -> None:
        """Make all contexts now, so that no phone waits for one."""
        for key in self.keys:
            for policy in POLICIES.values():
                self.context(policy, key)

    def choose(self, hello: ClientHello) -> PolicyChoice:
        """Choose policy and certificate for a client, or say why there is none."""
        offer = hello.offer
        if offer is None:
            return choose_key(hello, self.keys)
        chosen = self._chosen.get(offer)
        if chosen is None:
            chosen = choose_key(hello, self.keys)
            if len(self._chosen) >= _MAX_CHOSEN:
                self._chosen.clear()
            self._chosen[offer] = chosen
        return chosen

    def engine_for(self, choice: PolicyChoice, hello: ClientHello) -> ServerEngine:
        """Make the engine for one connection."""
        assert choice.policy is not None, "a client that is refused has no engine"
        return ServerEngine(self.context(choice.policy, choice.key), hello=hello)

    def shown(self, choice: PolicyChoice) -> Certificate:
        """Give the certificate that a client is shown."""
        return self._identities[self._present(choice.key)].leaf

    def _present(self, key: ServerKey | None) -> ServerKey:
        return self.keys[0] if key is None or key not in self._identities else key


class ClientEngine(Engine):
    """The client's end; its hello is ready in ``take_output()`` from the start.

    ``server_name``: the host as the user wrote it. It is sent as SNI, unless it is an
    IP address (RFC 6066 §3). **It is not checked against the certificate here**: that
    is for the Verify, by the phone's own rules (design decision 6). ``session``: one
    to resume, from the same context.

    Raises TlsError when no hello can be made, and UnicodeError for a host name that
    has no ASCII form.
    """

    __slots__ = ()

    def __init__(
        self,
        context: ClientContext,
        *,
        server_name: str | None = None,
        session: SSL.Session | None = None,
    ) -> None:
        super().__init__(context.ssl, context.policy_name, context.verify)
        sni = None
        if server_name and not is_address(server_name):
            plain = server_name.rstrip(".")
            sni = plain.encode("ascii" if plain.isascii() else "idna")
        own = context.own
        if own is not None and not self._link.show(own.leaf, own.key):
            raise TlsError("OpenSSL does not take the client's own certificate")
        self._link.be_client(sni, session)
        if self._link.handshake() is not State.WANTS_MORE:
            raise TlsError(self._fail().reason)
