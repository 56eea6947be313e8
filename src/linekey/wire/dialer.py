"""Connections that a phone opens: TCP, then TLS by the engine, judged inside.

``dial`` gives a ``Stream`` (bytes in and out; httpcore2, SIP and LDAP read from it) or
raises ``DialError`` with the report of what happened. Every connection ends with one
``ConnectionReport``: what was spoken, what the server showed, what the phone's judge
said, which alerts went which way.

Rules: the judge decides within the handshake, so the server sees the right alert; what
the engine cannot speak is named in the report and never swapped for something else; a
connection without any certificate (an anonymous suite) is judged, too; time and bytes
are bounded by the caller and here.
"""

import asyncio
import contextlib
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Any, Final

import httpcore2

from linekey.certs.certificate import Certificate
from linekey.endpoint import host_port
from linekey.errors import CertificateError, InputError, PeerError
from linekey.tls.alerts import Alert
from linekey.tls.context import ClientContext
from linekey.tls.engine import ClientEngine
from linekey.tls.errors import TlsError
from linekey.tls.events import (
    Accept,
    AlertReceived,
    ConnectionFailed,
    DataReceived,
    HandshakeCompleted,
    HandshakeFailed,
    PeerChain,
    Refuse,
    TlsInfo,
)
from linekey.tls.messages import CertificateRequest
from linekey.tls.parameters import is_address
from linekey.tls.pump import ClientPump, Limits
from linekey.trust.client_refusal import LATE_HANDSHAKE, CertificateWish
from linekey.trust.connection import ConnectionReport, Purpose
from linekey.trust.findings import Finding, Verdict
from linekey.wire.carry import READ_SIZE, carry
from linekey.wire.system_words import os_text

CONNECT_LIMIT_S: Final = 10.0
HANDSHAKE_LIMIT_S: Final = 15.0
"""Seconds. Whole answers have limits of their own: ``phone.edge.http``, and the
directory's and 802.1X's edges."""
_CLOSE_LIMIT_S: Final = 1.0

_UNLIKE_TLS: Final = "something listens there and does not answer as TLS does"
_WORDLESS: Final = (
    "it refuses hellos like this phone's, or it is no TLS server: linekey check with "
    "this model and firmware asks it other hellos as well, and tells which"
)
"""One phone has one hello: whether another gets an answer it cannot know."""


@dataclass(frozen=True, slots=True)
class Offer:
    """How the phone speaks TLS at this moment.

    ``judge`` gives the verdict on a chain (leaf first, maybe empty) for the name the
    phone connects to. ``anonymous_is_fine``: no server authentication, so a suite
    without certificates is taken. ``sends_server_name``: whether the hello names the
    host (SNI). ``own_leaf``: what is shown to a server that asks. ``judge_group`` says
    what there is to say about a Diffie-Hellman prime of so many bits.
    """

    context: ClientContext
    judge: Callable[[tuple[Certificate, ...], str], Verdict]
    judge_group: Callable[[int], Finding | None] = lambda _: None
    anonymous_is_fine: bool = False
    sends_server_name: bool = True
    own_leaf: Certificate | None = None
    notes: tuple[str, ...] = ()


class DialError(PeerError):
    """No connection; ``report`` says why, with the same hint."""

    def __init__(self, report: ConnectionReport, *, hint: str = "") -> None:
        super().__init__(report.error, hint=hint or report.hint)
        self.report = replace(report, hint=self.hint)

    @property
    def refused(self) -> bool:
        """Whether one end refused the other in the handshake."""
        return (
            self.report.refused_by_phone
            or self.report.alert_received is not None
            or self.report.alert_sent is not None
        )


@dataclass(slots=True)
class _Seen:
    """What is known of the connection so far."""

    info: TlsInfo | None = None
    chain: tuple[Certificate, ...] = ()
    verdict: Verdict | None = None
    alert_sent: Alert | None = None
    alert_received: Alert | None = None
    error: str = ""
    hint: str = ""
    late: bool = False
    notes: list[str] = field(default_factory=list)


def _wish(request: CertificateRequest | None) -> CertificateWish | None:
    """What the server asked for; None also for names that nobody can read."""
    try:
        return None if request is None else CertificateWish.of(request)
    except CertificateError:
        return None


class Stream(httpcore2.AsyncNetworkStream):
    """One connection, plain or TLS. Made by ``dial``."""

    def __init__(
        self,
        purpose: Purpose,
        peer: str,
        reader: asyncio.StreamReader,
        writer: asyncio.StreamWriter,
    ) -> None:
        self.purpose = purpose
        self.peer = peer
        self._reader = reader
        self._writer = writer
        self._pump: ClientPump | None = None
        self._offer: Offer | None = None
        self._seen = _Seen()
        self._data = bytearray()
        self._ended = False

    # --- what happened

    def report(self) -> ConnectionReport:
        """What is known of this connection so far; call it again at its end."""
        seen = self._seen
        info = seen.info
        asked = self._pump is not None and self._pump.request is not None
        own = self._offer.own_leaf if self._offer is not None and asked else None
        again = self._pump is not None and self._pump.engine.declined_renegotiation
        notes = (*(self._offer.notes if self._offer else ()), *seen.notes)
        if again and not seen.error:
            notes = (*notes, LATE_HANDSHAKE.reason)
        return ConnectionReport(
            purpose=self.purpose,
            peer=self.peer,
            completed=info is not None,
            encrypted=self._offer is not None,
            version=info.version if info else None,
            suite=info.suite if info else None,
            chain=seen.chain,
            verdict=seen.verdict,
            resumed=info.resumed if info else False,
            client_certificate_asked=asked,
            wish=_wish(self._pump.request) if self._pump is not None else None,
            client_certificate=own,
            alert_sent=seen.alert_sent,
            alert_received=seen.alert_received,
            error=seen.error,
            hint=LATE_HANDSHAKE.cure if again else seen.hint,
            renegotiation_asked=again,
            notes=notes,
        )

    @property
    def local_address(self) -> tuple[str, int]:
        """Host and port of this end."""
        host, port = self._writer.get_extra_info("sockname")[:2]
        return str(host), int(port)

    # --- httpcore2's interface, which SIP and LDAP use as well

    async def read(self, max_bytes: int, timeout: float | None = None) -> bytes:  # noqa: ASYNC109 -- httpcore2's signature
        """Up to ``max_bytes`` decrypted bytes; nothing at the end.

        Raises httpcore2.ReadTimeout and httpcore2.ReadError.
        """
        try:
            async with asyncio.timeout(timeout):
                while not self._data and not self._ended:
                    await self._fill()
        except TimeoutError:
            raise httpcore2.ReadTimeout(f"nothing within {timeout:g} s") from None
        if not self._data and self._seen.error:
            raise httpcore2.ReadError(self._seen.error)
        taken = bytes(self._data[:max_bytes])
        del self._data[:max_bytes]
        return taken

    async def write(self, buffer: bytes, timeout: float | None = None) -> None:  # noqa: ASYNC109 -- httpcore2's signature
        """Send bytes. Raises httpcore2.WriteTimeout and httpcore2.WriteError."""
        if self._ended:
            raise httpcore2.WriteError(self._seen.error or "the connection is closed")
        try:
            async with asyncio.timeout(timeout):
                pump = self._pump
                self._writer.write(buffer if pump is None else pump.send(buffer))
                await self._writer.drain()
        except TimeoutError:
            raise httpcore2.WriteTimeout(f"not sent within {timeout:g} s") from None
        except OSError as error:
            raise httpcore2.WriteError(os_text(error)) from error
        except TlsError as error:
            raise httpcore2.WriteError(error.message) from error

    async def aclose(self) -> None:
        """Close, with close_notify; twice is fine."""
        if self._pump is not None and not self._ended:
            with contextlib.suppress(OSError):
                self._writer.write(self._pump.end())
        self._ended = True
        self._writer.close()
        # A peer that resets instead of closing has closed all the same.
        with contextlib.suppress(OSError, TimeoutError):
            async with asyncio.timeout(_CLOSE_LIMIT_S):
                await self._writer.wait_closed()

    def get_extra_info(self, info: str) -> Any:
        """What httpcore2 asks a stream for; nothing is told."""
        return None

    # --- TLS

    async def start(self, offer: Offer, host: str, limits: Limits) -> None:
        """Do the handshake. Raises DialError."""
        self._offer = offer
        seen = self._seen

        def verify(peer: PeerChain) -> Accept | Refuse:
            seen.chain = peer.sent if peer.sent is not None else (peer.leaf,)
            seen.verdict = offer.judge(seen.chain, host)
            if seen.verdict.accepted:
                return Accept(seen.verdict, final=True)
            alert = seen.verdict.alert or Alert.HANDSHAKE_FAILURE
            return Refuse(alert, seen.verdict.reason, seen.verdict)

        try:
            engine = ClientEngine(
                replace(offer.context, verify=verify),
                server_name=host if offer.sends_server_name else None,
            )
        except (TlsError, ValueError) as error:
            seen.error = f"the phone can make no hello for {host!r}: {error}"
            raise DialError(self.report()) from error
        now = asyncio.get_running_loop().time()
        self._pump = pump = ClientPump(engine, limits, now)
        while seen.info is None and not self._ended:
            await self._fill()
        if seen.verdict is not None and not seen.verdict.accepted:
            seen.notes += _about_server_name(offer, host)
        if seen.info is not None and not seen.chain and not seen.info.resumed:
            self._judge_anonymous(offer, host)
        if seen.error or self._ended:
            seen.error = seen.error or "the server closed the connection"
            hint = _UNLIKE_TLS if seen.late else seen.hint
            if not pump.heard:
                seen.error += (
                    ": the server took the connection and is silent"
                    if seen.late
                    else ", without a word to the phone's hello"
                )
                hint = _WORDLESS
            report = self.report()
            await self.aclose()
            raise DialError(report, hint=hint)

    def _judge_anonymous(self, offer: Offer, host: str) -> None:
        if offer.anonymous_is_fine:
            self._seen.notes.append(
                "the server showed no certificate (an anonymous suite); anybody could "
                "be there"
            )
            return
        verdict = offer.judge((), host)
        self._seen.verdict = verdict
        self._seen.error = verdict.reason

    async def _fill(self) -> None:
        """Read once from the network."""
        pump, data = self._pump, b""
        try:
            if pump is None:
                data = await self._reader.read(READ_SIZE)
                events = []
            else:
                events = await carry(pump, self._reader, self._writer)
        except OSError as error:
            self._broken(os_text(error))
            events = []
        self._data += data
        self._ended |= not data if pump is None else pump.ended
        for event in events:
            self._take(event)
        if self._ended and pump is not None and pump.engine.declined_renegotiation:
            self._seen.error = LATE_HANDSHAKE.reason
        if pump is not None and self._offer is not None and pump.group_bits:
            self._look_at_group(self._offer.judge_group(pump.group_bits))
            pump.group_bits = None

    def _look_at_group(self, found: Finding | None) -> None:
        """Say what the phone makes of a server's Diffie-Hellman group, when it came.

        The engine refuses fewer than 1024 bits by itself, with the alert that phones'
        OpenSSL sends (ssl_security_default_callback, at every security level).
        """
        seen = self._seen
        if found is None:
            return
        seen.notes.append(f"{found.rule} ({found.severity}): {found.message}")
        refused = seen.verdict is not None and not seen.verdict.accepted
        if seen.alert_sent is Alert.HANDSHAKE_FAILURE and not refused:
            seen.error, seen.hint = found.message, found.cure
            if not found.refuses:
                seen.error += ", which this phone takes and the virtual phone cannot"

    def _broken(self, why: str) -> None:
        self._ended = True
        if self._pump is not None or self._seen.info is None:
            self._seen.error = self._seen.error or why

    def _take(self, event: object) -> None:
        seen = self._seen
        match event:
            case DataReceived(data=data):
                self._data += data
            case HandshakeCompleted(info=info):
                seen.info = info
                seen.chain = seen.chain or info.peer_chain
            case HandshakeFailed():
                seen.late = event.code == "handshake.too_slow"
                seen.alert_sent = event.alert_sent
                seen.alert_received = event.alert_received
                seen.error = event.reason
                if not seen.chain and event.certificate is not None:
                    seen.chain = (event.certificate,)
            case ConnectionFailed():
                seen.alert_sent = event.alert_sent
                seen.error = event.reason
            case AlertReceived():
                seen.alert_received = event.alert
                if event.fatal:
                    name = event.alert.label if event.alert else str(event.number)
                    seen.error = (
                        f"the server ended the connection after the handshake: {name}"
                    )


async def dial(
    purpose: Purpose,
    host: str,
    port: int,
    *,
    offer: Offer | None,
    connect_limit_s: float = CONNECT_LIMIT_S,
    handshake_limit_s: float = HANDSHAKE_LIMIT_S,
) -> Stream:
    """Connect, and do the handshake if there is an ``offer`` (None: no TLS).

    Raises DialError, with the report, for all that can go wrong.
    """
    peer = host_port(host, port)
    nothing = ConnectionReport(purpose, peer, False, encrypted=offer is not None)
    try:
        async with asyncio.timeout(connect_limit_s):
            reader, writer = await asyncio.open_connection(host, port)
    except TimeoutError:
        raise DialError(
            replace(nothing, error=f"no connection within {connect_limit_s:g} s"),
            hint="look whether the address is right and a firewall drops packets",
        ) from None
    except (OSError, ValueError, OverflowError) as error:
        # What no resolver takes: a NUL, a label of 64 characters, a port of 70000.
        text = "no usable host name or port"
        if isinstance(error, OSError):
            text = os_text(error)
        raise DialError(
            replace(nothing, error=f"cannot connect: {text}"),
            hint="look whether the server runs, and the address is right",
        ) from error
    stream = Stream(purpose, peer, reader, writer)
    if offer is None:
        return stream
    try:
        await stream.start(offer, host, Limits(handshake_limit_s))
    except BaseException:
        await stream.aclose()
        raise
    return stream


def _about_server_name(offer: Offer, host: str) -> list[str]:
    """That a refusal may hang on what is inferred: whether a name was sent (L)."""
    if is_address(host):
        return []
    sends = "named" if offer.sends_server_name else "did not name"
    other = "without a name" if offer.sends_server_name else "with the name"
    return [
        f"the phone {sends} {host!r} to the server (SNI), which is inferred for this "
        f"firmware: linekey check also asks for the certificate shown {other}"
    ]


def refused_offer(
    purpose: Purpose, host: str, port: int, error: InputError
) -> DialError:
    """What ``dial`` would raise where the phone cannot speak TLS at all."""
    peer = host_port(host, port)
    return DialError(
        ConnectionReport(purpose, peer, False, error=error.message), hint=error.hint
    )
