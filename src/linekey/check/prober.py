"""Asks a server each hello once, politely, and brings its answers back.

Rules: the name is resolved once, and all hellos go to one of its addresses (the first
that answers; ``Prober.others`` are not asked, and the caller says so); at
most ``concurrency`` connections are open and at
most ``per_second`` are begun each second; every connection ends within its limits;
what goes wrong is an Answer, never an exception. What the answers mean is for
``linekey.check``: nothing is judged here.

The one place where a certificate is accepted unjudged: ``_look_on`` lets the real
handshake with a client certificate go on whatever the server shows, because the server
was judged already, on the raw hello's answer, and this connection asks the opposite
question. Nothing secret is sent on it: a GET, without credentials.
"""

import asyncio
import secrets
import socket
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Final

from linekey.check.answer import Answer, KeyExchange, Late, Reach
from linekey.check.flight import AnswerReader
from linekey.check.hellos import Hello
from linekey.endpoint import bracketed, host_port
from linekey.errors import LinekeyError
from linekey.tls.alerts import Alert
from linekey.tls.engine import (
    Accept,
    AlertReceived,
    ClientEngine,
    ConnectionFailed,
    DataReceived,
    Event,
    HandshakeCompleted,
    HandshakeFailed,
    Identity,
    PeerChain,
    PeerClosed,
    TlsInfo,
    client_context,
)
from linekey.tls.hello import parse_client_hello
from linekey.tls.parameters import SIGNATURE_SCHEMES
from linekey.tls.pump import ClientPump
from linekey.tls.pump import Limits as TlsLimits
from linekey.tls.suites import SIGNALS
from linekey.tls.versions import Version
from linekey.trust.client_refusal import CertificateWish
from linekey.trust.http_refusal import read_http_refusal
from linekey.wire.carry import READ_SIZE, carry
from linekey.wire.system_words import os_text

_MAX_HEAD: Final = 65_536
"""Bytes of an HTTP answer that are looked at: its status line and an error's words."""


@dataclass(frozen=True, slots=True)
class Limits:
    """How much is asked of a server at once. Seconds; ``per_second`` None: no limit."""

    concurrency: int = 8
    per_second: float | None = 20.0
    connect_s: float = 5.0
    answer_s: float = 5.0


class Prober:
    """Asks servers. ``told`` is called after each hello, for a progress bar.

    ``path``: what a real handshake is followed by a request for.
    """

    def __init__(
        self,
        limits: Limits | None = None,
        *,
        told: Callable[[], None] | None = None,
        path: str = "/",
    ) -> None:
        self._limits = limits or Limits()
        self._told = told or (lambda: None)
        self._path = path
        self._next_start = 0.0
        self.asked = ""
        """The IP address that was asked; empty before, and where none was found."""
        self.others: tuple[str, ...] = ()
        """The name's other addresses, in the resolver's order."""

    async def ask_all(
        self,
        host: str,
        port: int,
        hellos: Sequence[Hello],
        *,
        identity: Identity | None = None,
        name: str | None = None,
    ) -> dict[tuple[object, ...], Answer]:
        """Ask each hello once; answers by ``Hello.wire_key``.

        ``name`` is what phones connect to, for the server name and the Host header of
        a real handshake; ``host`` unless given. (A raw hello has its own.)
        With ``identity``, a server that takes a hello is asked again by a real
        handshake, which shows it if asked, and a request. A name that does not
        resolve, or a port that nobody listens on, is told for every hello after one
        try.
        """
        try:
            addresses = await self._resolve(host)
        except OSError as error:
            reason = (error.strerror or str(error)).lower()
            lost = Answer(
                Reach.NO_NAME,
                f"{host!r} does not resolve: {reason}",
                host_port(host, port),
            )
            return {hello.wire_key: lost for hello in hellos}
        except TimeoutError:
            lost = Answer(
                Reach.NO_NAME,
                f"{host!r} does not resolve within {self._limits.connect_s:g} seconds",
                host_port(host, port),
            )
            return {hello.wire_key: lost for hello in hellos}
        answers: dict[tuple[object, ...], Answer] = {}
        if not hellos:
            return answers
        first, *rest = hellos
        for found in addresses:
            address = (found, port)
            answer = await self._ask(address, first, name or host, identity)
            if answer.reach not in (Reach.NO_CONNECTION, Reach.TIMED_OUT):
                break
        self.asked = found
        self.others = tuple(a for a in addresses if a != found)
        self._told()
        if answer.reach is Reach.NO_CONNECTION:
            # a dead port is dead for every hello: one knock at each address is enough
            return {hello.wire_key: answer for hello in hellos}
        answers[first.wire_key] = answer
        return answers | await self.ask_more(
            port, rest, identity=identity, name=name or host
        )

    async def ask_more(
        self,
        port: int,
        hellos: Sequence[Hello],
        *,
        identity: Identity | None = None,
        name: str,
    ) -> dict[tuple[object, ...], Answer]:
        """Ask the address that ``ask_all`` found for more; otherwise alike."""
        answers: dict[tuple[object, ...], Answer] = {}
        gate = asyncio.Semaphore(self._limits.concurrency)

        async def one(hello: Hello) -> None:
            async with gate:
                answers[hello.wire_key] = await self._ask(
                    (self.asked, port), hello, name, identity
                )
                self._told()

        async with asyncio.TaskGroup() as group:
            for hello in hellos:
                group.create_task(one(hello))
        return answers

    async def _resolve(self, host: str) -> tuple[str, ...]:
        """The name's addresses, each once, at least one.

        Raises OSError and TimeoutError.
        """
        loop = asyncio.get_running_loop()
        async with asyncio.timeout(self._limits.connect_s):
            found = await loop.getaddrinfo(host, None, type=socket.SOCK_STREAM)
        return tuple(dict.fromkeys(str(row[4][0]) for row in found))

    async def _ask(
        self,
        address: tuple[str, int],
        hello: Hello,
        host: str,
        identity: Identity | None,
    ) -> Answer:
        answer = await self._ask_raw(address, hello)
        hidden = answer.version is Version.TLS1_3 and answer.alert is None
        if hidden or (identity is not None and answer.chain):
            late, info = await self._show(address, hello, host, identity)
            if identity is not None:
                answer = replace(answer, late=late)
            if hidden:
                answer = _uncover(answer, late, info)
        return answer

    async def _polite(self) -> None:
        """Wait for this connection's turn."""
        rate = self._limits.per_second
        if rate is None:
            return
        loop = asyncio.get_running_loop()
        start = max(loop.time(), self._next_start)
        self._next_start = start + 1.0 / rate
        await asyncio.sleep(start - loop.time())

    async def _ask_raw(self, address: tuple[str, int], hello: Hello) -> Answer:
        loop = asyncio.get_running_loop()
        shown = host_port(*address)
        await self._polite()
        begun = loop.time()

        def elapsed() -> float:
            return (loop.time() - begun) * 1000

        try:
            async with asyncio.timeout(self._limits.connect_s):
                reader, writer = await asyncio.open_connection(*address)
        except TimeoutError:
            return Answer(
                Reach.TIMED_OUT,
                f"no connection within {self._limits.connect_s:g} seconds",
                shown,
                elapsed(),
            )
        except OSError as error:
            return Answer(Reach.NO_CONNECTION, os_text(error), shown, elapsed())
        answer = AnswerReader(shown)
        try:
            async with asyncio.timeout(self._limits.answer_s):
                writer.write(hello.to_bytes(secrets.token_bytes(32)))
                await writer.drain()
                while not answer.done and (data := await reader.read(READ_SIZE)):
                    answer.feed(data)
            return answer.finish(elapsed())
        except TimeoutError:
            return answer.timed_out(self._limits.answer_s, elapsed())
        except OSError as error:
            ended = answer.finish(elapsed())
            if ended.reach is Reach.CLOSED:
                return replace(ended, detail=f"it broke the connection: {error}")
            return ended
        finally:
            await _close(writer)

    async def _show(
        self,
        address: tuple[str, int],
        hello: Hello,
        host: str,
        identity: Identity | None,
    ) -> tuple[Late, TlsInfo | None]:
        """A real handshake, with a certificate to show or without; a request, and
        what comes. In TLS 1.3 the chain can be seen in no other way."""
        offered = hello.client_hello
        extensions = {number for number, _ in offered.extensions}
        try:
            context = client_context(
                verify=_look_on,
                min_version=Version(max(min(offered.versions), Version.TLS1_0)),
                max_version=Version(offered.max_version),
                suites=[n for n in offered.suites if n not in SIGNALS],
                groups=offered.groups,
                signature_algorithms=offered.signature_algorithms,
                identity=identity,
                session_ticket=35 in extensions,
                extended_master_secret=23 in extensions,
                encrypt_then_mac=22 in extensions,
                name="check",
            )
            engine = ClientEngine(context, server_name=offered.server_name)
        except (LinekeyError, ValueError) as error:
            detail = f"this hello cannot be tried for real: {error}"
            return Late(False, False, detail=detail), None
        await self._polite()
        try:
            async with asyncio.timeout(self._limits.connect_s):
                reader, writer = await asyncio.open_connection(*address)
        except (OSError, TimeoutError) as error:
            return Late(False, False, detail=f"no second connection: {error}"), None
        talk = _Talk(ClientPump(engine, TlsLimits(), 0.0), host, self._path)
        try:
            async with asyncio.timeout(self._limits.answer_s):
                await talk.run(reader, writer)
        except TimeoutError:
            talk.detail = talk.detail or "no answer in time"
        except OSError as error:
            talk.detail = talk.detail or f"the connection broke: {os_text(error)}"
        finally:
            await _close(writer)
        return talk.late(), engine.info


class _Talk:
    """One real handshake, one request, and the end of it."""

    def __init__(self, pump: ClientPump, host: str, path: str) -> None:
        self._pump = pump
        self._host = host
        self._path = path
        self._alert: Alert | None = None
        self._head = b""
        self.detail = ""

    async def run(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        while not self._pump.ended:
            for event in await carry(self._pump, reader, writer):
                if isinstance(event, HandshakeCompleted):
                    writer.write(self._pump.send(self._request()))
                self._take(event)

    def _request(self) -> bytes:
        # GET, not HEAD: servers say in the body why they refuse a certificate
        return (
            f"GET {self._path} HTTP/1.1\r\nHost: {bracketed(self._host)}\r\n"
            "User-Agent: linekey-check\r\nConnection: close\r\n\r\n"
        ).encode("ascii")

    def _take(self, event: Event) -> None:
        if isinstance(event, DataReceived):
            self._head = (self._head + event.data)[:_MAX_HEAD]
        elif isinstance(event, HandshakeFailed):
            self._alert = event.alert_received
            self.detail = event.reason
        elif isinstance(event, AlertReceived):
            if event.fatal:
                self._alert = event.alert or Alert.HANDSHAKE_FAILURE
                self.detail = f"alert {event.number} after the handshake"
        elif isinstance(event, ConnectionFailed):
            self.detail = event.reason
        elif isinstance(event, PeerClosed):
            self.detail = self.detail or "the server closed without an answer"

    def late(self) -> Late:
        """What came of it."""
        line = self._head.split(b"\r\n", 1)[0].decode("latin-1")
        status, said, info = None, None, self._pump.engine.info
        detail = self.detail
        if line.startswith("HTTP/") and line[9:12].isdigit():
            status = int(line[9:12])
            detail = line
            said = read_http_refusal(status, self._head.partition(b"\r\n\r\n")[2])
        elif self._head:
            detail = "it answered, not in HTTP"
        return Late(
            info is not None,
            bool(self._head),
            self._alert,
            status,
            detail,
            None if info is None else info.version,
            said,
            self._pump.engine.declined_renegotiation,
        )


def _uncover(answer: Answer, late: Late, info: TlsInfo | None) -> Answer:
    """What TLS 1.3 hides from the raw hello, taken from the real handshake."""
    if info is None:
        return replace(
            answer,
            reach=Reach.ANSWERED if late.alert else Reach.MALFORMED,
            alert=late.alert,
            detail=f"the handshake failed before the certificate was seen: "
            f"{late.detail}",
        )
    return replace(
        answer,
        version=info.version,
        suite=info.suite,
        suite_number=info.suite.number,
        chain=info.peer_chain,
        key_exchange=KeyExchange("ECDHE", info.group) if info.group else None,
        wish=CertificateWish() if late.alert is Alert.CERTIFICATE_REQUIRED else None,
    )


def current_hello(name: str, *, rsa: bool = False) -> Hello:
    """The hello of a current client, OpenSSL's own with TLS 1.3: is anybody there?

    ``rsa``: it takes no signature but those of an RSA key.
    """
    signatures = [n for n, s in SIGNATURE_SCHEMES.items() if s.startswith("rsa_")]
    context = client_context(
        verify=_look_on,
        signature_algorithms=signatures if rsa else (),
        name="control",
    )
    hello = parse_client_hello(ClientEngine(context, server_name=name).take_output())
    assert hello is not None, "the engine's own hello is whole"
    return Hello(hello, "a current OpenSSL", tuple(sorted(hello.versions)))


def _look_on(chain: PeerChain) -> Accept:
    """Accept whatever the server shows; see the module's docstring for why."""
    return Accept(verdict=chain, final=True)


async def _close(writer: asyncio.StreamWriter) -> None:
    """Close for good; how the other end takes it no longer matters."""
    writer.close()
    try:
        async with asyncio.timeout(1.0):
            await writer.wait_closed()
    except (OSError, TimeoutError):
        writer.transport.abort()
