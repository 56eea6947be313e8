"""Why a handshake failed, in sentences for administrators.

OpenSSL's reasons are words for its developers ("no shared cipher"); here they become
what happened and what to compare. Its own words stay available as the detail. What is
not in the table is quoted.
"""

from typing import Literal

from linekey.said import say
from linekey.tls.alerts import Alert, explain, parse_alert
from linekey.tls.hello import ClientHello
from linekey.tls.policy import Policy, list_suites
from linekey.tls.suites import by_name
from linekey.tls.versions import Version, is_grease, label_of

Phase = Literal["handshake", "connection"]
"""What failed: the connection is what follows its handshake."""

# OpenSSL's reason strings (include/openssl/sslerr.h), whatever the end.
SENTENCES = {
    "wrong version number": "the bytes received are not TLS records",
    "packet length too long": "the bytes received are not TLS records",
    "http request": "plain HTTP was sent to the TLS port",
    "https proxy request": "a request for an HTTPS proxy was sent to the TLS port",
    "unexpected message": "an unexpected TLS message was received",
    "decryption failed or bad record mac": "a record could not be authenticated",
    "digest check failed": "the two ends saw different handshake messages: bytes were"
    " changed on the way, or the keys differ",
    "bad signature": "the other end's signature does not match its certificate",
    "length mismatch": "a message has the wrong length",
    "excessive message size": "a message is longer than this end accepts",
    "dh key too small": "the server's DH group is too small",
    "bad dh value": "the server's DH value is invalid",
    "unsafe legacy renegotiation disabled": "the other end does not support secure"
    " renegotiation (RFC 5746)",
    "renegotiation": "the other end wants to renegotiate, which this end does not "
    "allow",
    "no renegotiation": "the other end wants to renegotiate, which this end does not "
    "allow",
    "inappropriate fallback": "the client says that it fell back to an older version,"
    " although this server supports a newer one",
    "wrong signature type": "the other end signed with an algorithm that this end"
    " did not offer",
    "no suitable signature algorithm": "no signature algorithm fits both ends and"
    " this end's key",
    "no shared signature algorithms": "the two ends have no signature algorithm in"
    " common",
    "no suitable key share": "the two ends have no key exchange group in common",
    "no suitable groups": "the two ends have no key exchange group in common",
    "wrong curve": "the server chose a curve that this client did not offer",
    "unsupported elliptic curve": "the server chose a curve that this end does not "
    "support",
    "wrong cipher returned": "the server chose a cipher suite that was not offered",
    "unknown cipher returned": "the server chose an unknown cipher suite",
    "no protocols available": "no TLS version is left to use",
    "tlsv1 alert no application protocol": "no common ALPN protocol",
    "inconsistent extms": "a resumed session lacks the extended master secret",
}


def explain_failure(
    *,
    server: bool,
    openssl: tuple[str, ...],
    alert_sent: Alert | None,
    alert_received: int | None,
    hello: ClientHello | None = None,
    policy: Policy | None = None,
    what: Phase = "handshake",
) -> str:
    """Say why the handshake failed, or after it the connection.

    ``openssl``: its reasons, first cause first. ``hello`` and ``policy``: what a
    server knows of both ends, so that it can name what did not meet.
    """
    if alert_received is not None:
        return explain_alert(alert_received, server=server)
    words = set(openssl)
    if "no shared cipher" in words:
        return _no_shared_cipher(hello, policy)
    if words & {"unsupported protocol", "wrong ssl version", "no protocols available"}:
        return _no_version(server, hello, policy)
    if "peer did not return a certificate" in words:
        return say("the client sent no certificate, and one is required")
    if "certificate verify failed" in words:
        return say("the other end's certificate was refused")
    if "unexpected eof while reading" in words:
        return say(
            "the other end closed the connection in the middle of the %(what)s",
            what=what,
        )
    if "inappropriate fallback" in words and not server:
        return say(
            "the server marks its answer as a downgrade (RFC 8446 §4.1.3): it supports "
            "a newer version than the ClientHello offered, so something between the "
            "two ends removed that version"
        )
    for word in openssl:
        if word in SENTENCES:
            return SENTENCES[word]
    said = "; ".join(openssl)
    if not said and alert_sent is not None:
        return say(
            "this end ended the %(what)s with %(alert)s",
            what=what,
            alert=alert_sent.label,
        )
    return (
        say("the %(what)s failed: %(said)s", what=what, said=said)
        if said
        else say("the %(what)s failed", what=what)
    )


def explain_alert(number: int, *, server: bool) -> str:
    """Say what it means that the peer sent this alert; ``server``: we are one."""
    peer = "client" if server else "server"
    alert = parse_alert(number)
    if alert is None:
        return say(
            "the %(peer)s sent alert %(number)s, which is not registered",
            peer=peer,
            number=number,
        )
    return say(
        "the %(peer)s sent %(alert)s: %(meaning)s",
        peer=peer,
        alert=alert.label,
        meaning=explain(alert, peer),
    )


def _no_shared_cipher(hello: ClientHello | None, policy: Policy | None) -> str:
    if hello is None or policy is None:
        return say(
            "the two ends have no cipher suite in common that fits the certificate"
        )
    offered = {n for n in hello.suites if not is_grease(n)}
    ours = [by_name(n).number for n in (*policy.tls13_suites, *policy.suites)]
    common = [n for n in ours if n in offered]
    if not common:
        return say(
            "the client offers only %(suites)s; this server's %(policy)s policy needs "
            "one of %(needed)s",
            suites=list_suites(hello.suites),
            policy=policy.name.upper(),
            needed=list_suites(ours),
        )
    return say(
        "of what the client offers, this server's %(policy)s policy allows %(suites)s, "
        "and none of these fits the server's certificate and the curves and signature "
        "algorithms that the client offers",
        policy=policy.name.upper(),
        suites=list_suites(common),
    )


def _no_version(server: bool, hello: ClientHello | None, policy: Policy | None) -> str:
    if not server:
        return say("the server chose a TLS version that this client does not support")
    if hello is None or policy is None:
        return say("the two ends have no TLS version in common")
    offered = ", ".join(label_of(v) for v in hello.versions)
    return say(
        "the client supports %(offered)s; this server's %(policy)s policy allows "
        "%(lowest)s to %(highest)s",
        offered=offered,
        policy=policy.name.upper(),
        lowest=Version(policy.min_version).label,
        highest=policy.max_version.label,
    )
