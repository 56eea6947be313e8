"""What can be unsafe or unwise to start with: one table, and the findings made of it.

``refused`` keeps the server from starting, or an export from being written; ``warning``
is said, and it goes on. ``docs/reference/findings.md`` is written from this table.
"""

from typing import Final

from linekey.reasons import Row
from linekey.trust.findings import Finding


def _refused(sentence: str) -> Row:
    return Row(sentence)


def _warning(sentence: str) -> Row:
    return Row(sentence, severity="warning")


RULES: Final[dict[str, Row]] = {
    "state.open": _refused("only its owner can access the state folder"),
    "key.open": _refused("only its owner can read a private file"),
    "key.readable": _warning(
        "not every user can read an exported server's private key"
    ),
    "trust.empty": _refused("a vendor CA is trusted"),
    "trust.lab": _refused(
        "no lab CA is trusted, if other machines can reach the server"
    ),
    "trust.lab_behind_proxy": _warning("no lab CA is trusted behind a proxy"),
    "trust.expired": _warning("no trusted vendor CA has expired"),
    "trust.expired_open": _warning("no phone comes by a CA that has expired"),
    "trust.no_rule": _warning("linekey knows where each trusted CA puts the MAC"),
    "trust.purpose": _warning("each trusted CA may issue certificates for TLS"),
    "certificate.expired": _refused("the server's certificate has not expired"),
    "certificate.not_yet_valid": _refused("the server's certificate is already valid"),
    "certificate.expires_soon": _warning("it is valid for at least 30 more days"),
    "certificate.weak_key": _refused("its RSA key has 2048 bits or more"),
    "certificate.not_rsa": _warning("its key is RSA, which old phones need"),
    "certificate.unserved": _warning(
        "the registered phones have a cipher suite for its key"
    ),
    "certificate.usage": _warning("its keyUsage allows every kind of cipher suite"),
    "certificate.authority": _warning("it is not a CA certificate"),
    "certificate.name": _refused("it is valid for every name in the settings"),
    "certificate.no_names": _warning("it has a subjectAltName"),
    "certificate.weak_hash": _refused(
        "it and its intermediates are signed with SHA-256 or better"
    ),
    "chain.not_valid": _refused("every intermediate is valid now"),
    "chain.order": _refused("each certificate is followed by its issuer's"),
    "chain.broken": _refused("no intermediate is missing in between"),
    "chain.no_intermediate": _warning(
        "the file contains an intermediate, unless a root issued the certificate"
    ),
    "anchor.missing": _warning(
        "the root of its chain is known, where phones of other makers verify it"
    ),
    "anchor.expired": _warning("the root of its chain has not expired"),
    "anchor.unused": _warning("what `trust_anchor.file` names is above it"),
    "proxy.protocol": _refused(
        "the PROXY protocol is used only where linekey terminates TLS"
    ),
    "proxy.protocol_wide": _warning("only a few addresses may send the PROXY protocol"),
    "proxy.both": _refused("proxies use a Unix socket or listed addresses, not both"),
    "proxy.open": _refused("plain HTTP is used only on loopback or private addresses"),
    "proxy.none": _refused("a proxy or a Unix socket is set"),
    "proxy.loopback": _warning("no user of this machine can pretend to be the proxy"),
    "proxy.wide": _warning("no large network is listed as the proxy"),
    "proxy.socket_folder": _refused(
        "the socket's folder exists, and not everybody can write to it"
    ),
    "management.half": _refused(
        "the management listener has certificate and key, or neither"
    ),
    "management.plain": _refused("the API is without TLS on loopback only"),
    "limits.descriptors": _refused(
        "there are enough file descriptors for `limits.half_open` connections"
    ),
    "limits.connections": _warning(
        "there are enough file descriptors for `limits.connections`"
    ),
}
"""By id, which is the finding's ``rule``; the sentence says what should hold. The cure
is made from what was seen."""


def found(rule: str, message: str, cure: str) -> Finding:
    """A rule that does not hold. KeyError for an id that is in no table: a bug."""
    return Finding(
        rule, False, RULES[rule].severity, message, cure=cure, source="linekey"
    )
