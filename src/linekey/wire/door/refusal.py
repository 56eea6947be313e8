"""What the door turned away, and why: one value for each, for the record.

A refusal is either a handshake that did not end, or a request that was no HTTP or
broke a limit. It names the peer, what its ClientHello looked like, the certificate if
one came, and the reason in words. It holds no key, no request body and no header.
"""

from dataclasses import dataclass
from datetime import datetime
from typing import Final, Literal, NamedTuple

from linekey.certs.certificate import Certificate
from linekey.tls.alerts import Alert

Kind = Literal["handshake", "request"]


@dataclass(frozen=True, slots=True)
class Refusal:
    """One connection or request that the door refused.

    ``peer`` is (address, port). ``code`` is a stable short name such as
    ``hello.too_large``, or what the verify callback calls its refusal; ``reason``
    the sentence for people; ``cure`` is empty where whoever judges knows it alone.
    ``fingerprint`` is the hello's JA4, where a whole hello came. ``verdict`` is what
    the verify callback attached to its refusal, if it did.
    """

    kind: Kind
    at: datetime
    peer: tuple[str, int]
    code: str
    reason: str
    cure: str = ""
    server_name: str | None = None
    fingerprint: str | None = None
    policy: str | None = None
    certificate: Certificate | None = None
    alert_sent: Alert | None = None
    alert_received: Alert | None = None
    status: int | None = None
    """The HTTP status that was answered, for a request."""
    verdict: object = None


class RefusalText(NamedTuple):
    """What a code means: for people, and on the wire.

    ``statuses`` are those that a request may be answered with, ``alert`` what TLS is
    answered with; None where there is none, or where it depends on the case.
    """

    sentence: str
    cure: str
    statuses: tuple[int, ...] = ()
    alert: Alert | None = None


REFUSALS: Final[dict[str, RefusalText]] = {
    "hello.proxy_header": RefusalText(
        "a balancer's connection does not begin with a good PROXY header",
        "let the balancer send it (HAProxy: send-proxy-v2), or take its address out of "
        "proxy.protocol_from",
    ),
    "hello.plain_http": RefusalText(
        "plain HTTP came in on the TLS port; it is told so in HTTP",
        "write https:// instead of http:// in the phone's URL",
    ),
    "hello.not_tls": RefusalText(
        "what came is another protocol, or none",
        "nothing, if it is a port scan; else look at what connects there",
    ),
    "hello.ssl2": RefusalText(
        "the client begins with SSL 2",
        "update the client: SSL 2 is broken, and no phone needs it",
    ),
    "hello.broken": RefusalText(
        "the ClientHello cannot be read",
        "nothing, if it is a port scan; else report it with a capture",
    ),
    "hello.too_large": RefusalText(
        "the ClientHello is larger than limits.hello_bytes",
        "nothing, if it is a port scan; else raise limits.hello_bytes",
        alert=Alert.ILLEGAL_PARAMETER,
    ),
    "hello.too_slow": RefusalText(
        "no whole ClientHello came in time",
        "look at the network in between; limits.handshake_s is the limit",
    ),
    "hello.gone": RefusalText(
        "the peer left before its ClientHello was whole",
        "nothing, if it is a health check; else look at the network",
    ),
    "hello.shed": RefusalText(
        "closed to make room, before a whole ClientHello came",
        "nothing, if the peer is a stranger; else see why nothing comes from it, or "
        "raise limits.half_open",
    ),
    "handshake.shed": RefusalText(
        "closed to make room, before its handshake was over",
        "nothing, if the peer is a stranger; else raise limits.half_open or "
        "limits.half_open_per_source, or add workers",
    ),
    "handshake.too_slow": RefusalText(
        "the handshake was not over in time",
        "look at the network; limits.handshake_s is the limit",
    ),
    "handshake.too_large": RefusalText(
        "the client's part of the handshake is larger than limits.flight_bytes",
        "send fewer certificates: the phone's and its issuer's",
        alert=Alert.HANDSHAKE_FAILURE,
    ),
    "handshake.gone": RefusalText(
        "the peer left in the middle of the handshake",
        "if the phone left after the server's certificate, it does not trust it: see "
        "linekey check",
    ),
    "handshake.no_policy": RefusalText(
        "no policy of this server fits what the client can speak",
        "see linekey models for what this phone can speak",
    ),
    "handshake.failed": RefusalText(
        "the handshake failed for another reason",
        "see the reason; linekey check tells what a phone would say",
    ),
    "request.shed": RefusalText(
        "closed to make room, before a whole request came",
        "nothing, if the peer is a stranger; else raise limits.connections, or add "
        "workers",
    ),
    "request.not_http": RefusalText(
        "what came is no HTTP/1.1 request",
        "nothing, if it is a scanner; else look at what connects there",
        (400,),
    ),
    "request.host": RefusalText(
        "the request has no Host, or two, or one that is no host",
        "let the client send one Host (RFC 9112 §3.2): every phone does, and linekey "
        "export writes proxies that do",
        (400,),
    ),
    "request.head_too_large": RefusalText(
        "its URL or its headers are larger than the limits",
        "shorten the URL, or raise limits.header_bytes",
        (414, 431),
    ),
    "request.body_too_large": RefusalText(
        "its body is larger than limits.body_bytes",
        "phones send no body here; see limits.body_bytes",
        (413,),
    ),
    "request.too_slow": RefusalText(
        "no whole request came in time",
        "look at the network in between; limits.request_s is the limit",
        (408,),
    ),
    "proxy.not_listed": RefusalText(
        "behind a proxy: this address is no listed proxy",
        "add the proxy's address to proxy.trusted_proxies; if it is not a proxy of "
        "yours, keep it from this port",
        (403,),
    ),
    "proxy.forged": RefusalText(
        "an address that is no listed proxy sent a proxy's headers",
        "find out who sends these headers; if it is a proxy of yours, add its address "
        "to proxy.trusted_proxies",
        (403,),
    ),
    "proxy.header": RefusalText(
        "a header of the proxy's is there twice, or cannot be read",
        "let the proxy replace these headers, never append to them: linekey export "
        "writes its configuration",
        (400,),
    ),
    "proxy.incomplete": RefusalText(
        "a header that every request of a proxy has is not there",
        "let the proxy set X-Linekey-Tls-Version and X-Forwarded-For on every request, "
        "and drop the client's Connection header before: linekey export writes its "
        "configuration",
        (400,),
    ),
}
"""By code. Codes are stable; tests and logs use them. A refused certificate has the
code and the cure of whoever refused it (``provisioning.decision.Reason``)."""


def cure_of(code: str) -> str:
    """What the operator does about it; empty for a code of somebody else's."""
    known = REFUSALS.get(code)
    return "" if known is None else known.cure
