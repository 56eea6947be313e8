"""What the door turned away, and why: one value for each, for the record.

A refusal is either a handshake that did not end, or a request that was no HTTP or
broke a limit. It names the peer, what its ClientHello looked like, the certificate if
one came, and the reason in words. It holds no key, no request body and no header.
"""

from dataclasses import dataclass
from datetime import datetime
from typing import Final, Literal

from linekey.certs.certificate import Certificate
from linekey.reasons import Row
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


REFUSALS: Final[dict[str, Row]] = {
    "hello.proxy_header": Row(
        "a load balancer's connection does not begin with a valid PROXY header",
        "configure the load balancer to send it (HAProxy: send-proxy-v2), or remove "
        "its address from proxy.protocol_from",
    ),
    "hello.proxy_unasked": Row(
        "an address that is not in proxy.protocol_from sent a PROXY header; nothing in "
        "it was believed",
        "if it is your load balancer, list its address in proxy.protocol_from, or turn "
        "the header off there; if not, find out who pretends to be one",
    ),
    "hello.plain_http": Row(
        "the client sent plain HTTP to the TLS port; it was told so in HTTP",
        "write https:// instead of http:// in the phone's URL",
    ),
    "hello.not_tls": Row(
        "the client sent something that is not TLS",
        "nothing, if it is a port scan; otherwise find out what connects from there",
    ),
    "hello.ssl2": Row(
        "the client used SSL 2",
        "update the client: SSL 2 is insecure, and no phone needs it",
    ),
    "hello.broken": Row(
        "the ClientHello cannot be read",
        "nothing, if it is a port scan; otherwise report it with a packet capture",
    ),
    "hello.too_large": Row(
        "the ClientHello is larger than limits.hello_bytes",
        "nothing, if it is a port scan; otherwise raise limits.hello_bytes",
        alert=Alert.ILLEGAL_PARAMETER,
    ),
    "hello.too_slow": Row(
        "the complete ClientHello did not arrive in time",
        "check the network between phone and server; limits.handshake_s is the limit",
    ),
    "hello.gone": Row(
        "the client closed the connection before its ClientHello was complete",
        "nothing, if it is a health check; otherwise check the network",
    ),
    "hello.shed": Row(
        "too many connections were waiting, so this one was closed before its "
        "ClientHello was complete",
        "nothing, if the client is not yours; otherwise find out why it sends nothing, "
        "or raise limits.half_open",
    ),
    "handshake.shed": Row(
        "too many connections were waiting, so this one was closed before its TLS "
        "handshake was complete",
        "nothing, if the client is not yours; otherwise raise limits.half_open or "
        "limits.half_open_per_source, or add workers",
    ),
    "handshake.unserved": Row(
        "the client gave up before its turn came: more came than could be served",
        "phones come again by themselves; if this lasts, add workers or servers "
        "(linekey plan says how many)",
    ),
    "handshake.too_slow": Row(
        "the TLS handshake was not complete in time",
        "check the network between phone and server; limits.handshake_s is the limit",
    ),
    "handshake.too_large": Row(
        "the client's part of the TLS handshake is larger than limits.flight_bytes",
        "the client should send fewer certificates: the phone's and its issuer's",
        alert=Alert.HANDSHAKE_FAILURE,
    ),
    "handshake.gone": Row(
        "the client closed the connection during the TLS handshake",
        "a phone does this when it does not trust the server's certificate: run "
        "linekey check",
    ),
    "handshake.no_policy": Row(
        "client and server have no allowed TLS version and cipher suite in common",
        "linekey models shows what this phone supports",
    ),
    "handshake.failed": Row(
        "the TLS handshake failed for another reason",
        "see the reason; linekey check shows whether a phone would accept this server",
    ),
    "request.shed": Row(
        "too many connections were open, so this one was closed before its request was "
        "complete",
        "nothing, if the client is not yours; otherwise raise limits.connections, or "
        "add workers",
    ),
    "request.not_http": Row(
        "the client sent something that is not an HTTP/1.1 request",
        "nothing, if it is a scanner; otherwise find out what connects from there",
        statuses=(400,),
    ),
    "request.host": Row(
        "the request does not have exactly one valid Host header",
        "the client must send one Host header (RFC 9112 §3.2): every phone does, and a "
        "proxy does with the configuration that linekey export writes",
        statuses=(400,),
    ),
    "request.head_too_large": Row(
        "the request's URL or headers are larger than the limits",
        "shorten the URL, or raise limits.header_bytes",
        statuses=(414, 431),
    ),
    "request.body_too_large": Row(
        "the request's body is larger than limits.body_bytes",
        "phones send no body to linekey; the limit is limits.body_bytes",
        statuses=(413,),
    ),
    "request.too_slow": Row(
        "the complete request did not arrive in time",
        "check the network between phone and server; limits.request_s is the limit",
        statuses=(408,),
    ),
    "proxy.not_listed": Row(
        "linekey runs behind a proxy, and this address is not a listed proxy",
        "add the proxy's address to proxy.trusted_proxies; if it is not your proxy, "
        "block its access to this port",
        statuses=(403,),
    ),
    "proxy.forged": Row(
        "an address that is not a listed proxy sent a proxy's headers",
        "find out who sends these headers; if it is your proxy, add its address to "
        "proxy.trusted_proxies",
        statuses=(403,),
    ),
    "proxy.header": Row(
        "a header that the proxy sets is there twice, or cannot be read",
        "the proxy must replace these headers, not append to them: linekey export "
        "writes such a configuration",
        statuses=(400,),
    ),
    "proxy.incomplete": Row(
        "a header that the proxy must set is missing",
        "the proxy must set X-Linekey-Tls-Version and X-Forwarded-For on every "
        "request, and remove the client's Connection header first: linekey export "
        "writes such a configuration",
        statuses=(400,),
    ),
}
"""By code. Codes are stable; tests and logs use them. A refused certificate has the
code and the cure of whoever refused it (``provisioning.decision.Reason``)."""


def cure_of(code: str) -> str:
    """What the operator does about it; empty for a code of somebody else's."""
    known = REFUSALS.get(code)
    return "" if known is None else known.cure
