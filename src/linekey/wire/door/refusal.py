"""What the door turned away, and why: one value for each, for the record.

A refusal is either a handshake that did not end, or a request that was no HTTP or
broke a limit. It names the peer, what its ClientHello looked like, the certificate if
one came, and the reason in words. It holds no key, no request body and no header.
"""

from dataclasses import dataclass
from datetime import datetime
from typing import Literal

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


CURES: dict[str, str] = {
    "hello.proxy_header": "let the balancer send it (HAProxy: send-proxy-v2), or take"
    " its address out of proxy.protocol_from",
    "hello.plain_http": "write https:// instead of http:// in the phone's URL",
    "hello.not_tls": "nothing, if it is a port scan; else look at what connects there",
    "hello.ssl2": "update the client: SSL 2 is broken, and no phone needs it",
    "hello.broken": "nothing, if it is a port scan; else report it with a capture",
    "hello.too_large": "nothing, if it is a port scan; else raise limits.hello_bytes",
    "hello.too_slow": "look at the network in between; limits.handshake_s is the limit",
    "hello.gone": "nothing, if it is a health check; else look at the network",
    "hello.shed": "nothing, if the peer is a stranger; else see why nothing comes from"
    " it, or raise limits.half_open",
    "handshake.shed": "nothing, if the peer is a stranger; else raise limits.half_open"
    " or limits.half_open_per_source, or add workers",
    "request.shed": "nothing, if the peer is a stranger; else raise limits.connections,"
    " or add workers",
    "handshake.too_slow": "look at the network; limits.handshake_s is the limit",
    "handshake.too_large": "send fewer certificates: the phone's and its issuer's",
    "handshake.gone": "if the phone left after the server's certificate, it does not "
    "trust it: see linekey check",
    "handshake.no_policy": "see linekey models for what this phone can speak",
    "handshake.failed": "see the reason; linekey check tells what a phone would say",
    "request.not_http": "nothing, if it is a scanner; else look at what connects there",
    "request.host": "let the client send one Host (RFC 9112 §3.2): every phone does",
    "request.head_too_large": "shorten the URL, or raise limits.header_bytes",
    "request.body_too_large": "phones send no body here; see limits.body_bytes",
    "request.too_slow": "look at the network in between; limits.request_s is the limit",
}
"""Code → what the operator does about it. Codes are stable; tests and logs use them."""
