"""What can be unsafe or unwise to start with: one table, and the findings made of it.

``refused`` keeps the server from starting, or an export from being written; ``warning``
is said, and it goes on. ``docs/reference/findings.md`` is written from this table.
"""

from typing import Final, NamedTuple

from linekey.trust.findings import Finding, Severity


class Rule(NamedTuple):
    """One thing that is looked at: how bad it is, and what holds where it is well."""

    severity: Severity
    title: str


RULES: Final[dict[str, Rule]] = {
    "state.open": Rule("refused", "only its owner can access the state folder"),
    "key.open": Rule("refused", "only its owner can read a private file"),
    "key.readable": Rule("warning", "not every user can read an exported server's "
    "private key"),
    "trust.empty": Rule("refused", "a vendor CA is trusted"),
    "trust.lab": Rule("refused", "no lab CA is trusted, if other machines can reach "
    "the server"),
    "trust.lab_behind_proxy": Rule("warning", "no lab CA is trusted behind a proxy"),
    "trust.expired": Rule("warning", "no trusted vendor CA has expired"),
    "trust.no_rule": Rule("warning", "linekey knows where each trusted CA puts the "
                          "MAC"),
    "trust.purpose": Rule("warning", "each trusted CA may issue certificates for TLS"),
    "certificate.expired": Rule("refused", "the server's certificate has not expired"),
    "certificate.not_yet_valid": Rule("refused", "the server's certificate is already "
    "valid"),
    "certificate.expires_soon": Rule("warning", "it is valid for at least 30 more "
    "days"),
    "certificate.weak_key": Rule("refused", "its RSA key has 2048 bits or more"),
    "certificate.not_rsa": Rule("warning", "its key is RSA, which old phones need"),
    "certificate.usage": Rule("warning", "its keyUsage allows every kind of cipher "
    "suite"),
    "certificate.authority": Rule("warning", "it is not a CA certificate"),
    "certificate.name": Rule("refused", "it is valid for every name in the settings"),
    "certificate.no_names": Rule("warning", "it has a subjectAltName"),
    "certificate.weak_hash": Rule("refused", "it and its intermediates are signed "
                                  "with SHA-256 or better"),
    "chain.not_valid": Rule("refused", "every intermediate is valid now"),
    "chain.order": Rule("refused", "each certificate is followed by its issuer's"),
    "chain.broken": Rule("refused", "no intermediate is missing in between"),
    "chain.no_intermediate": Rule("warning", "the file contains an intermediate, "
                                  "unless a root issued the certificate"),
    "proxy.protocol": Rule("refused", "the PROXY protocol is used only where linekey "
                           "terminates TLS"),
    "proxy.protocol_wide": Rule("warning", "only a few addresses may send the PROXY "
                                "protocol"),
    "proxy.both": Rule("refused", "proxies use a Unix socket or listed addresses, not "
                       "both"),
    "proxy.open": Rule("refused", "plain HTTP is used only on loopback or private "
                       "addresses"),
    "proxy.none": Rule("refused", "a proxy or a Unix socket is set"),
    "proxy.loopback": Rule("warning", "no user of this machine can pretend to be the "
    "proxy"),
    "proxy.wide": Rule("warning", "no large network is listed as the proxy"),
    "proxy.socket_folder": Rule("refused", "the socket's folder exists, and not "
                                "everybody can write to it"),
    "management.half": Rule("refused", "the management listener has certificate and "
                            "key, or neither"),
    "management.plain": Rule("refused", "the API is without TLS on loopback only"),
    "limits.descriptors": Rule("refused", "there are enough file descriptors for "
                               "`limits.half_open` connections"),
    "limits.connections": Rule("warning", "there are enough file descriptors for "
                               "`limits.connections`"),
}  # fmt: skip
"""By id, which is the finding's ``rule``."""


def found(rule: str, message: str, cure: str) -> Finding:
    """A rule that does not hold. KeyError for an id that is in no table: a bug."""
    return Finding(
        rule, False, RULES[rule].severity, message, cure=cure, source="linekey"
    )
