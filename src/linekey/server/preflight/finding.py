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
    "state.open": Rule("refused", "only its owner can get at the state folder"),
    "key.open": Rule("refused", "only its owner can read a private file"),
    "key.readable": Rule("warning", "not every user can read an exported server's key"),
    "trust.empty": Rule("refused", "a vendor CA is trusted"),
    "trust.lab": Rule("refused", "no lab CA is trusted by a server that others reach"),
    "trust.lab_behind_proxy": Rule("warning", "no lab CA is trusted behind a proxy"),
    "trust.expired": Rule("warning", "no trusted vendor CA has expired"),
    "trust.no_rule": Rule("warning", "it is known whose phones a trusted CA names, and "
                          "how"),
    "trust.purpose": Rule("warning", "a trusted CA may issue certificates for TLS"),
    "certificate.expired": Rule("refused", "the server's certificate has not expired"),
    "certificate.not_yet_valid": Rule("refused", "it is valid already"),
    "certificate.expires_soon": Rule("warning", "it has 30 days left"),
    "certificate.weak_key": Rule("refused", "its RSA key has 2048 bits or more"),
    "certificate.not_rsa": Rule("warning", "its key is RSA, which old phones need"),
    "certificate.usage": Rule("warning", "its keyUsage fits every kind of suite"),
    "certificate.authority": Rule("warning", "it is no authority's"),
    "certificate.name": Rule("refused", "it is for every name of the settings"),
    "certificate.no_names": Rule("warning", "it has a subjectAltName"),
    "certificate.weak_hash": Rule("refused", "it and what is above it are signed with "
                                  "SHA-256 or better"),
    "chain.not_valid": Rule("refused", "every intermediate is valid now"),
    "chain.order": Rule("refused", "each certificate is followed by its issuer's"),
    "chain.broken": Rule("refused", "no issuer's certificate is left out in between"),
    "chain.no_intermediate": Rule("warning", "the file holds an intermediate, unless a "
                                  "root issued the certificate"),
    "proxy.protocol": Rule("refused", "the PROXY protocol is read only where linekey "
                           "ends TLS"),
    "proxy.protocol_wide": Rule("warning", "who may say a phone's address is a short "
                                "list"),
    "proxy.both": Rule("refused", "a proxy comes by a Unix socket or from an address, "
                       "not both"),
    "proxy.open": Rule("refused", "plain HTTP is spoken on loopback or private "
                       "addresses only"),
    "proxy.none": Rule("refused", "a proxy is listed"),
    "proxy.loopback": Rule("warning", "no user of this machine can pass for the proxy"),
    "proxy.wide": Rule("warning", "no network is listed as the proxy"),
    "proxy.socket_folder": Rule("refused", "the socket's folder is there, and not "
                                "everybody's"),
    "limits.descriptors": Rule("refused", "there are descriptors for "
                               "`limits.half_open` connections"),
    "limits.connections": Rule("warning", "there are descriptors for "
                               "`limits.connections`"),
}  # fmt: skip
"""By id, which is the finding's ``rule``."""


def found(rule: str, message: str, cure: str) -> Finding:
    """A rule that does not hold. KeyError for an id that is in no table: a bug."""
    return Finding(
        rule, False, RULES[rule].severity, message, cure=cure, source="linekey"
    )
