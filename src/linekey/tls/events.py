"""What an engine tells its caller, in the past tense, and what it asks: Verify.

**A handshake that is done is not a connection that was accepted.** In TLS 1.3 a
client is done before the server has looked at the client's certificate; the refusal
then comes later, as ``AlertReceived`` with ``fatal``, often where the first answer
was expected. A client knows that it was accepted when ``DataReceived`` came, and not
before (RFC 8446 §4.4.2.4 and §6; design decision 9).

Four events end a connection: ``HandshakeFailed``, ``PeerClosed``, ``AlertReceived``
with ``fatal``, and ``ConnectionFailed``. After one of them no other comes, and bytes
that are left in ``take_output()`` (an alert, mostly) are still to be sent.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Final

from linekey.certs.certificate import Certificate
from linekey.tls.alerts import Alert
from linekey.tls.hello import ClientHello
from linekey.tls.policy import Policy
from linekey.tls.suites import Suite
from linekey.tls.versions import Version
from linekey.value import value

FAILED: Final = "handshake.failed"
"""The code of a handshake that failed, where nobody gives a better one."""
NO_CERTIFICATE: Final = "no_certificate"
"""The code where the client sent no certificate, and one is required. The verify hook
is not asked then; ``provisioning.decision.Reason`` has the same name for it."""


@value
class PeerChain:
    """A peer's certificates, as a Verify is asked about them.

    ``leaf``: the peer's own. ``sent``: all that it sent, leaf first, in its order;
    None at a server whose OpenSSL proves (``server_context``), which does not give them
    out so early. At a server whose Verify proves, ``sent`` has the first sixteen that
    can be read, ``path`` the leaf alone, and ``openssl_errors`` nothing.
    ``path``: what OpenSSL built from them and from the context's authorities, leaf
    first, as far as it came. ``openssl_errors``: what it found wrong with that path,
    as (X509_V_ERR number, depth) with depth 0 the leaf; empty when the path is
    proved. The time it used is the system's.
    """

    leaf: Certificate
    sent: tuple[Certificate, ...] | None
    path: tuple[Certificate, ...]
    openssl_errors: tuple[tuple[int, int], ...]


@value
class Accept:
    """Go on with the handshake. ``verdict`` is handed to ``TlsInfo.verdict``.

    OpenSSL checks name constraints after it has asked; a violation still refuses,
    unless ``final`` says that the verdict has dealt with that too.
    """

    verdict: object = None
    final: bool = False


REFUSAL_ALERTS = frozenset(
    {
        Alert.HANDSHAKE_FAILURE,
        Alert.BAD_CERTIFICATE,
        Alert.UNSUPPORTED_CERTIFICATE,
        Alert.CERTIFICATE_REVOKED,
        Alert.CERTIFICATE_EXPIRED,
        Alert.CERTIFICATE_UNKNOWN,
        Alert.UNKNOWN_CA,
        Alert.DECRYPT_ERROR,
        Alert.INTERNAL_ERROR,
    }
)

"""What a refused certificate can be answered with. OpenSSL chooses the alert by its
X509_V_ERR number, and no number leads to ``access_denied``."""


@dataclass(frozen=True, slots=True)
class Refuse:
    """End the handshake with ``alert``; the rest goes to ``HandshakeFailed``.

    ``reason`` is a sentence; ``code`` its stable short name, for programs and records;
    ``cure`` what the operator does about it. Raises ValueError for an alert that is not
    in ``REFUSAL_ALERTS``.
    """

    alert: Alert
    reason: str
    verdict: object = None
    code: str = FAILED
    cure: str = ""

    def __post_init__(self) -> None:
        if self.alert not in REFUSAL_ALERTS:
            raise ValueError(
                f"a certificate cannot be refused with {self.alert.label};"
                f" use one of {', '.join(sorted(a.label for a in REFUSAL_ALERTS))}"
            )


Verify = Callable[[PeerChain], Accept | Refuse]
"""Asked once in each full handshake in which the peer sent a certificate; not asked
when a session is resumed. What it raises refuses the peer with ``internal_error`` and
comes back in ``HandshakeFailed.error``."""


@value
class TlsInfo:
    """What was negotiated.

    ``peer_chain``: all that the peer sent, leaf first; empty when it sent none. What
    cannot be read and was not needed for the path is left out. **In a resumed
    session only the leaf is sure to be there** (a ticket holds no more), and ``path``
    and ``verdict`` are empty: whoever decides has to decide anew.
    ``server_name``: the client's SNI; in a resumed session below TLS 1.3 only a
    ServerEngine that was given the hello knows it. ``group``: the curve or group of
    the key exchange, as OpenSSL names it, where there was one.
    """

    version: Version
    suite: Suite
    server_name: str | None
    peer_chain: tuple[Certificate, ...]
    resumed: bool
    alpn: str | None
    policy_name: str
    verdict: object = None
    path: tuple[Certificate, ...] = ()
    openssl_errors: tuple[tuple[int, int], ...] = ()
    group: str | None = None


@value
class HelloReceived:
    """A client's hello is whole, and this policy is for it; see ``tls.pump``."""

    hello: ClientHello
    policy: Policy


@value
class HandshakeCompleted:
    """Keys are agreed on. Says nothing of acceptance; see the module's docstring."""

    info: TlsInfo


@value
class DataReceived:
    """Decrypted bytes, never empty."""

    data: bytes


@dataclass(frozen=True, slots=True)
class HandshakeFailed:
    """The handshake ended without keys; final.

    ``reason``: a sentence for administrators; ``code`` and ``cure`` as ``Refuse`` has
    them, the cure empty where there is none beyond the code's. ``detail``: OpenSSL's
    own words, if it had any. ``certificate``: the peer's leaf, if one came.
    ``verdict``: that of the Refuse, if it was one. ``error``: what a Verify raised.
    """

    reason: str
    alert_sent: Alert | None = None
    alert_received: Alert | None = None
    certificate: Certificate | None = None
    detail: str = ""
    verdict: object = None
    code: str = FAILED
    cure: str = ""
    error: Exception | None = field(default=None, compare=False)


@dataclass(frozen=True, slots=True)
class ConnectionFailed:
    """The connection broke after the handshake, by a record that is no good; final."""

    reason: str
    alert_sent: Alert | None = None
    detail: str = ""


@dataclass(frozen=True, slots=True)
class AlertReceived:
    """The peer sent an alert after the handshake; final if ``fatal``.

    ``alert`` is None for a ``number`` that nobody registered; ``reason`` says in a
    sentence what it means. A close_notify is a ``PeerClosed`` instead.
    """

    alert: Alert | None
    number: int
    fatal: bool
    reason: str = ""


@dataclass(frozen=True, slots=True)
class PeerClosed:
    """The peer closed after the handshake; final.

    ``clean`` is False when only the transport ended, with no close_notify: data that
    has no length of its own may then be cut short.
    """

    clean: bool


Event = (
    HelloReceived
    | HandshakeCompleted
    | DataReceived
    | HandshakeFailed
    | ConnectionFailed
    | AlertReceived
    | PeerClosed
)
