"""What a server said to one hello: the prober's result, as a value.

``Answer`` holds what was seen and judges nothing. ``linekey.check.flight`` fills it
from bytes, ``linekey.check.prober`` from what happened on the wire, and
``linekey.check.assess`` reads it.
"""

from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from linekey.certs.certificate import Certificate
from linekey.tls.alerts import Alert
from linekey.tls.suites import Suite
from linekey.tls.versions import Version
from linekey.trust.client_refusal import CertificateWish
from linekey.trust.http_refusal import SaidInHttp


class Reach(StrEnum):
    """How far the conversation came."""

    ANSWERED = "answered"
    """A whole TLS flight, or an alert, came back."""
    NO_NAME = "no_name"
    """The name did not resolve."""
    NO_CONNECTION = "no_connection"
    """Refused, unreachable, or reset before anything was said."""
    TIMED_OUT = "timed_out"
    """No connection, or no whole flight, within the limit."""
    CLOSED = "closed"
    """The server closed after the hello without a word."""
    SILENT = "silent"
    """It took the connection, and not a byte came within the limit."""
    NOT_TLS = "not_tls"
    """Something answered that is not TLS."""
    MALFORMED = "malformed"
    """TLS by its looks, but it cannot be read."""

    @property
    def wordless(self) -> bool:
        """Whether the hello got no word: by itself neither a refusal nor a dead server.

        What the server says to another hello tells which (``check.variants``).
        """
        return self in (Reach.CLOSED, Reach.SILENT)


@dataclass(frozen=True, slots=True)
class KeyExchange:
    """How the keys were to be agreed on.

    ``kind`` as in the suite ("RSA", "DHE", "ECDHE", …); ``group`` the curve's name or
    its number in hex, None without one; ``bits`` the size of a Diffie-Hellman prime.
    """

    kind: str
    group: str | None = None
    group_number: int | None = None
    bits: int | None = None


@dataclass(frozen=True, slots=True)
class Late:
    """What came of showing a client certificate, in a real handshake.

    ``handshake`` is true when it completed, which never means accepted; ``answered``
    when the server then answered a request; ``alert`` the refusal, early or late;
    ``status`` the HTTP status line's number when there was one; ``said`` what the
    answer holds against the phone's TLS.
    """

    handshake: bool
    answered: bool
    alert: Alert | None = None
    status: int | None = None
    detail: str = ""
    version: Version | None = None
    said: SaidInHttp | None = None
    renegotiation_asked: bool = False
    """The server wanted a second handshake, which the check declines."""


@dataclass(frozen=True, slots=True)
class Answer:
    """One server's answer to one hello.

    ``elapsed_ms`` is for people; ``detail`` says what went wrong in words;
    ``address`` is the IP address and port that was connected to.
    """

    reach: Reach
    detail: str = ""
    address: str = ""
    elapsed_ms: float = 0.0
    alert: Alert | None = None
    version: Version | None = None
    suite: Suite | None = None
    suite_number: int | None = None
    chain: tuple[Certificate, ...] = ()
    key_exchange: KeyExchange | None = None
    wish: CertificateWish | None = None
    late: Late | None = None
    unreadable: str = ""
    """Why a certificate of the chain is none; then ``chain`` is empty."""

    @property
    def negotiated(self) -> dict[str, Any] | None:
        """For JSON: version, suite, key exchange; None when nothing was agreed on."""
        if self.version is None or self.suite_number is None:
            return None
        exchange = self.key_exchange
        return {
            "version": self.version.label,
            "suite": self.suite.name if self.suite else f"0x{self.suite_number:04x}",
            "key_exchange": None if exchange is None else exchange.kind,
            "group": None if exchange is None else exchange.group,
            "dh_bits": None if exchange is None else exchange.bits,
        }
