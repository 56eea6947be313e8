"""The lab's SIP registrar: lets the virtual phone register on an empty machine.

**For the lab only**, and it says so in its Server header: one process, no calls, no
database, registrations gone when it ends. Run Kamailio or any other SIP server for
phones (``linekey export kamailio``).

    async with Registrar(contexts, accounts, listener) as registrar:
        …registrar.bindings…

What it does of RFC 3261: REGISTER with digest (§22; SHA-256 before MD5, RFC 8760;
``qop=auth``), one contact an account and connection, Expires down to ``MIN_EXPIRES_S``
(423 below, §10.3), OPTIONS, the CR LF keep-alive of RFC 5626; 405 or 501 for all else,
and ``sip.syntax`` for what is wrong with a message. TLS through the one engine,
with client certificates verified where ``contexts`` ask for them.

Rules: a client may send ``MAX_HEADERS`` and no more before it is hung up on; a nonce is
good for ``NONCE_S``; no client is told what is wrong with its password. Whoever runs
the lab is: ``told`` gets every registration, goodbye and refusal, with its cure. The
challenge that every login begins with is no refusal.
"""

import asyncio
import contextlib
import hmac
import re
import secrets
import socket
from collections.abc import Callable
from dataclasses import dataclass
from itertools import islice
from types import TracebackType
from typing import Final, Self

from sipmessage import Address, Request

from linekey.digest import ALGORITHMS, hash_hex, parse_digest, response
from linekey.digits import digits_of
from linekey.errors import PeerError
from linekey.phone.uses.sip.messages import make_reply
from linekey.phone.uses.sip.stream import PONG, Ping, SipReader
from linekey.phone.uses.sip.syntax import Flawed, flaw_of, readable, refusal
from linekey.tls.engine import ServerContexts
from linekey.tls.events import (
    AlertReceived,
    ConnectionFailed,
    DataReceived,
    HandshakeFailed,
    TlsInfo,
)
from linekey.tls.pump import Limits, ServerPump
from linekey.wire.carry import carry

SERVER: Final = "linekey lab registrar (for the lab only)"
MIN_EXPIRES_S: Final = 30
MAX_EXPIRES_S: Final = 3600
NONCE_S: Final = 300.0
SILENCE_S: Final = 120.0
"""A connection without a byte for so long is closed; phones ping every minute."""
MAX_CONNECTIONS: Final = 64
_LIMITS: Final = Limits(handshake_s=SILENCE_S)
"""The registrar stands on loopback, for few: a phone that is slow may be looked at."""
_EXPIRES: Final = re.compile(r";\s*expires\s*=\s*[^;,]*", re.ASCII | re.IGNORECASE)

METHODS: Final = ("REGISTER", "OPTIONS")
_EXTENSIONS: Final = frozenset({"path", "outbound"})
_OFFER: Final = "model and firmware decide what a phone offers: linekey models"
_LOOK_THERE: Final = "the phone's log says what its end saw of it"
_LOOK: Final = "look at what the client sends; RFC 3261 says how it is written"

Accounts = Callable[[str], str | None]
"""The password of a user name, or None for a user that is not there."""


@dataclass(frozen=True, slots=True)
class Binding:
    """One registration: where a user is reached, and until when."""

    user: str
    contact: str
    expires_at: float
    """Seconds of the event loop's clock."""
    user_agent: str
    tls: TlsInfo


@dataclass(frozen=True, slots=True)
class Said:
    """What the registrar tells whoever runs the lab."""

    sentence: str
    cure: str = ""
    """What to do about a refusal; empty where nothing was refused."""


@dataclass(frozen=True, slots=True)
class _Unproven:
    """Why a REGISTER is challenged: nothing wrong where there is no reason."""

    reason: str = ""
    cure: str = ""
    stale: bool = False


class Registrar:
    """The registrar on ``listener`` (``listener.bind``); an async context manager.

    ``listener`` stays the caller's. ``told`` is called for each registration, refusal
    and goodbye.
    """

    def __init__(
        self,
        contexts: ServerContexts,
        accounts: Accounts,
        listener: socket.socket,
        *,
        realm: str = "lab",
        told: Callable[[Said], None] = lambda _: None,
        algorithms: tuple[str, ...] = ALGORITHMS,
        connections: int = MAX_CONNECTIONS,
    ) -> None:
        self.bindings: dict[str, Binding] = {}
        """By user."""
        self._contexts = contexts
        self._accounts = accounts
        self._listener = listener
        self._realm = realm
        self._told = told
        self._algorithms = algorithms
        self._most = connections
        self._nonces: dict[str, float] = {}
        self._clients: dict[str, _Client] = {}
        self._tasks: set[asyncio.Task[None]] = set()
        self._server: asyncio.Server | None = None

    @property
    def port(self) -> int:
        """Where it listens."""
        return int(self._listener.getsockname()[1])

    async def __aenter__(self) -> Self:
        self._server = await asyncio.start_server(
            self._accept, sock=self._listener.dup()
        )
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self._server is not None:
            self._server.close()
        for task in self._tasks:
            task.cancel()
        if self._tasks:
            await asyncio.wait(self._tasks)

    def registered(self, user: str) -> Binding | None:
        """The user's registration, if it still holds."""
        binding = self.bindings.get(user)
        if binding is None or binding.expires_at < _now():
            return None
        return binding

    async def notify(self, user: str, event: str = "check-sync") -> bool:
        """Send a NOTIFY to a registered user; whether there was one to send it to."""
        client = self._clients.get(user)
        binding = self.registered(user)
        if client is None or binding is None:
            return False
        token = secrets.token_hex(8)
        host = f"127.0.0.1:{self.port}"
        lines = [
            f"NOTIFY {binding.contact} SIP/2.0",
            f"Via: SIP/2.0/TLS {host};branch=z9hG4bK{token}",
            "Max-Forwards: 70",
            f"From: <sip:lab@{self._realm}>;tag={token}",
            f"To: <sip:{user}@{self._realm}>",
            f"Call-ID: {token}@lab",
            "CSeq: 1 NOTIFY",
            f"Event: {event}",
            "Subscription-State: active",
            f"Server: {SERVER}",
            "Content-Length: 0",
        ]
        await client.send("\r\n".join([*lines, "", ""]).encode("utf-8"))
        return True

    # --- connections

    async def _accept(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        task = asyncio.current_task()
        assert task is not None  # asyncio.start_server makes one
        peer = _peer_name(writer)
        if len(self._tasks) >= self._most:
            writer.close()
            self._told(
                Said(
                    f"refused a connection from {peer}: {self._most} are open",
                    "this registrar is for a lab; for more: linekey export kamailio",
                )
            )
            return
        self._tasks.add(task)
        client = _Client(self, reader, writer)
        try:
            await client.serve()
        except PeerError as error:
            self._told(Said(f"hung up on {peer}: {error.message}", error.hint))
        except TimeoutError:
            self._told(Said(f"hung up on {peer}: silent for {SILENCE_S:g} s"))
        except OSError as error:
            self._told(Said(f"the connection of {peer} broke: {error}"))
        except asyncio.CancelledError:
            pass  # the lab stops; asyncio's own callback must not see it
        finally:
            self._tasks.discard(task)
            client.end()
            for user in [u for u, c in self._clients.items() if c is client]:
                del self._clients[user]
                self.bindings.pop(user, None)  # reached over this connection alone
            writer.close()

    # --- requests

    def answer(self, request: Request, client: "_Client") -> bytes:
        """The reply to a request. Raises KeyError or ValueError where none can be."""
        flawed = flaw_of(request)
        if flawed is not None:
            return self.answer_flawed(flawed)
        refused = refusal(request, METHODS, _EXTENSIONS)
        if refused is not None:
            if refused.code in (405, 501):
                self._refused(
                    request.method,
                    "this registrar does nothing but register",
                    "calls need a SIP server: linekey export kamailio",
                )
            else:
                who = request.method
                self._refused(who, f"{refused.code} {refused.phrase}", _LOOK)
            return self._reply(request, refused.code, refused.phrase, *refused.headers)
        if request.method == "OPTIONS":
            return self._reply(request, 200, "OK")
        try:
            return self._register(request, client)
        except ValueError:  # a To or Contact that no account can have
            return self.answer_flawed(
                Flawed(
                    "To or Contact are no SIP addresses", 400, "Bad Request", request
                )
            )

    def answer_flawed(self, message: Flawed) -> bytes:
        """The reply to a message that cannot be served; empty where there is none."""
        who = "a message" if message.request is None else message.request.method
        self._refused(readable(who), message.reason, _LOOK)
        if not message.code or message.request is None:
            return b""
        return self._reply(message.request, message.code, message.phrase)

    def _refused(self, who: str, reason: str, cure: str) -> None:
        self._told(Said(f"refused {who[:40]!r}: {reason}", cure))

    def _register(self, request: Request, client: "_Client") -> bytes:
        user = request.to_address.uri.user or ""
        unproven = self._unproven(request, user)
        if unproven is not None:
            if unproven.reason:
                self._refused(user, unproven.reason, unproven.cure)
            return self._challenge(request, stale=unproven.stale)
        contacts = request.headers.getlist("Contact")
        expires = self._expires(request)
        if expires == 0 or contacts == ["*"]:
            self.bindings.pop(user, None)
            self._clients.pop(user, None)
            self._told(Said(f"{user} unregistered"))
            return self._reply(request, 200, "OK")
        if expires < MIN_EXPIRES_S:
            self._refused(
                user,
                f"asks for {expires} s, less than {MIN_EXPIRES_S} s",
                f"set user_expiry to {MIN_EXPIRES_S} or more",
            )
            return self._reply(
                request, 423, "Interval Too Brief", ("Min-Expires", str(MIN_EXPIRES_S))
            )
        if len(contacts) != 1:
            self._refused(
                user, f"sends {len(contacts)} Contact headers", "send one Contact"
            )
            return self._reply(request, 400, "One Contact, Please")
        contact: Address = request.contact[0]
        assert client.info is not None  # requests come after the handshake
        self.bindings[user] = Binding(
            user,
            str(contact.uri),
            _now() + expires,
            request.headers.get("User-Agent") or "",
            client.info,
        )
        self._clients[user] = client
        info = client.info
        self._told(Said(f"{user} registered for {expires} s over {info.version.label}"))
        # As it came: +sip.instance would not come out of a parser as it went in.
        value = f"{_EXPIRES.sub('', contacts[0])};expires={expires}"
        return self._reply(request, 200, "OK", ("Contact", value))

    def _expires(self, request: Request) -> int:
        texts = [request.headers.get("Expires")]
        with contextlib.suppress(ValueError):
            texts[:0] = [a.parameters.get("expires") for a in request.contact]
        for text in texts:
            seconds = digits_of(text or "", MAX_EXPIRES_S)
            if seconds is not None:
                return seconds
        return MAX_EXPIRES_S

    def _unproven(self, request: Request, user: str) -> _Unproven | None:
        """Why this REGISTER does not prove its account; None where it does."""
        header = request.headers.get("Authorization")
        if header is None:
            return _Unproven()  # how every login begins
        given = parse_digest(header) or {}
        algorithm = given.get("algorithm", "MD5").upper()
        needed = {"username", "realm", "nonce", "uri", "response", "nc", "cnonce"}
        if (
            not needed <= given.keys()
            or algorithm not in self._algorithms
            or given.get("qop") != "auth"
            or given["realm"] != self._realm
        ):
            return _Unproven(
                "its Authorization does not answer the challenge",
                f"answer by digest with {' or '.join(self._algorithms)}, qop auth, and"
                f" the realm {self._realm!r}",
            )
        if given["username"] != user:
            return _Unproven(
                f"logs in as {given['username'][:40]!r}",
                "user_pname and user_name must be the same here; leave user_pname out",
            )
        password = self._accounts(user)
        if password is None:
            return _Unproven(
                "there is no such account",
                "user_name must be the one in the phone's record",
            )
        right = response(
            algorithm,
            ha1=hash_hex(algorithm, f"{user}:{self._realm}:{password}"),
            nonce=given["nonce"],
            nc=given["nc"],
            cnonce=given["cnonce"],
            method=request.method,
            uri=given["uri"],
        )
        if not hmac.compare_digest(right, given["response"].lower()):
            return _Unproven(
                "the password is wrong",
                "user_pass must be the one in the phone's record; provision the phone",
            )
        if self._nonces.get(given["nonce"], 0.0) < _now():
            return _Unproven(stale=True)
        return None

    def _challenge(self, request: Request, *, stale: bool) -> bytes:
        now = _now()
        for oldest, until in list(islice(self._nonces.items(), 2)):  # in their order
            if until < now or len(self._nonces) >= self._most * 16:
                del self._nonces[oldest]
        nonce = secrets.token_urlsafe(24)
        self._nonces[nonce] = now + NONCE_S
        return self._reply(
            request,
            401,
            "Unauthorized",
            *(
                (
                    "WWW-Authenticate",
                    f'Digest realm="{self._realm}", nonce="{nonce}", qop="auth", '
                    f"algorithm={algorithm}" + (", stale=true" if stale else ""),
                )
                for algorithm in self._algorithms
            ),
        )

    def _reply(
        self, request: Request, code: int, phrase: str, *headers: tuple[str, str]
    ) -> bytes:
        tag = secrets.token_hex(4)
        if code == 200:
            headers = (*headers, ("Allow", ", ".join(METHODS)))
        return make_reply(
            request, code, phrase, SERVER, tag, headers=headers, agent_header="Server"
        )


class _Client:
    """One connection to the registrar."""

    def __init__(
        self,
        registrar: Registrar,
        reader: asyncio.StreamReader,
        writer: asyncio.StreamWriter,
    ) -> None:
        self._registrar = registrar
        self._reader = reader
        self._writer = writer
        self._pump = ServerPump(registrar._contexts, _LIMITS, _now())
        self._messages = SipReader()

    @property
    def info(self) -> TlsInfo | None:
        """What was negotiated; None before the handshake's end."""
        return self._pump.info

    async def serve(self) -> None:
        """Answer until either end closes. Raises OSError, TimeoutError, PeerError."""
        while not self._pump.ended:
            async with asyncio.timeout(SILENCE_S):
                events = await carry(self._pump, self._reader, self._writer)
            for event in events:
                match event:
                    case DataReceived(data=plain):
                        self._take(plain)
                    case HandshakeFailed(code="hello.gone" | "handshake.gone"):
                        return
                    case HandshakeFailed(code="handshake.no_policy"):
                        raise PeerError(event.reason, hint=_OFFER)
                    case HandshakeFailed():
                        raise PeerError(event.reason, hint=event.cure or _LOOK_THERE)
                    case ConnectionFailed() | AlertReceived():
                        raise PeerError(event.reason, hint=_LOOK_THERE)
            if self._messages.trouble is not None:  # what came before it is served
                raise self._messages.trouble

    def _take(self, plain: bytes) -> None:
        for message in self._messages.feed(plain):
            match message:
                case Ping():
                    self._say(PONG)
                case Request():
                    with contextlib.suppress(KeyError, ValueError):
                        self._say(self._registrar.answer(message, self))
                case Flawed():
                    with contextlib.suppress(ValueError):
                        self._say(self._registrar.answer_flawed(message))

    async def send(self, data: bytes) -> None:
        """Send a request of the registrar's own."""
        self._say(data)
        await self._writer.drain()

    def _say(self, data: bytes) -> None:
        self._writer.write(self._pump.send(data))

    def end(self) -> None:
        """Say close_notify, where there is still somebody to hear it."""
        self._writer.write(self._pump.end())


def _peer_name(writer: asyncio.StreamWriter) -> str:
    name = writer.get_extra_info("peername")
    return f"{name[0]}:{name[1]}" if name else "a client that is gone"


def _now() -> float:
    return asyncio.get_running_loop().time()
