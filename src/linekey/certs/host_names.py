"""Whether a certificate speaks for a host, by OpenSSL's rules.

The phones check server names with OpenSSL's X509_check_host and hand its flags to the
operator as the setting ``host_name_validation_flags`` (SNOM-SETTING, H); so these
rules, and not RFC 9525's, decide. Written from OpenSSL's documented semantics
(X509_check_host(3)) and held against OpenSSL itself in the tests:

- A dNSName in the subjectAltName is compared; the common names count only when there is
  no dNSName, or with ALWAYS_CHECK_SUBJECT.
- ``*`` stands once, in the first label, at its start or its end, and two dots must
  follow; it matches letters, digits and hyphens of one label. In an ``xn--`` label it
  is no wildcard, and a partial one does not match an ``xn--`` host.
- A host that begins with a dot means any name below that domain.
- A server given as an IP address is matched by a SAN iPAddress and nothing else
  (SNOM-SETTING, H; OpenSSL: X509_check_ip).

A refusal is a value with its reason, never an exception.
"""

from dataclasses import dataclass
from enum import IntFlag
from ipaddress import IPv4Address, IPv6Address, ip_address
from typing import Literal

from linekey.certs.certificate import Certificate


class HostFlags(IntFlag):
    """OpenSSL's X509_CHECK_FLAG values, as ``host_name_validation_flags`` sums them."""

    NONE = 0
    ALWAYS_CHECK_SUBJECT = 1
    """Compare the common names even when there is a dNSName."""
    NO_WILDCARDS = 2
    """``*`` is a character like any other."""
    NO_PARTIAL_WILDCARDS = 4
    """``*`` must be a whole label."""
    MULTI_LABEL_WILDCARDS = 8
    """A ``*`` that is the whole first label matches several labels."""
    SINGLE_LABEL_SUBDOMAINS = 16
    """A host ``.example.com`` means names one label below, not deeper."""


Where = Literal["dns", "cn", "ip"]


@dataclass(frozen=True, slots=True)
class NameMatch:
    """Whether the name matched, and why.

    ``matched`` is the certificate's own entry that did, ``where`` its place: SAN
    dNSName, common name or SAN iPAddress; both None when nothing did. ``reason`` is a
    clause for people, lower case; it names what the certificate has instead.
    """

    ok: bool
    reason: str
    matched: str | None = None
    where: Where | None = None

    def __bool__(self) -> bool:
        return self.ok


def parse_address(host: str) -> IPv4Address | IPv6Address | None:
    """Read a host that is an IP address, IPv6 with brackets or without; else None."""
    text = host
    if host.startswith("[") and host.endswith("]"):
        text = host[1:-1]
    try:
        return ip_address(text)
    except ValueError:
        return None


def match_host(
    certificate: Certificate, host: str, flags: HostFlags | int = HostFlags.NONE
) -> NameMatch:
    """Match the name or address that a client connected to.

    ``host`` is a DNS name in ASCII (an IDN in its ``xn--`` form), or an IP address as
    text. A final dot is not taken off, as OpenSSL leaves it. Unknown bits in ``flags``
    are ignored.
    """
    address = parse_address(host)
    if address is not None:
        return _match_address(certificate, address)
    if not host:
        return NameMatch(False, "there is no host name to compare")
    if "\x00" in host:
        return NameMatch(False, "the host name holds a NUL")
    return _match_dns(certificate, host, HostFlags(int(flags) & 31))


def _match_address(
    certificate: Certificate, address: IPv4Address | IPv6Address
) -> NameMatch:
    if isinstance(address, IPv6Address) and address.scope_id:
        return NameMatch(False, f"{address} has a zone, which no certificate can name")
    if address in certificate.ip_addresses:
        return NameMatch(True, f"SAN iPAddress is {address}", str(address), "ip")
    if certificate.ip_addresses:
        return NameMatch(
            False,
            f"the server is given as the address {address}; the certificate is for "
            f"{_listed([str(a) for a in certificate.ip_addresses])}",
        )
    names = certificate.dns_names or certificate.common_names
    if str(address) in names:
        return NameMatch(
            False,
            f"{address} stands in the certificate as a name; for an address only "
            "a SAN iPAddress counts",
        )
    return NameMatch(
        False,
        f"the server is given as the address {address}; for an address only a SAN "
        "iPAddress counts, and the certificate has none",
    )


def _match_dns(certificate: Certificate, host: str, flags: HostFlags) -> NameMatch:
    wanted = host.encode("utf-8", "surrogatepass")
    dns_names = certificate.dns_names
    for name in dns_names:
        if name and match_pattern(name.encode("latin-1"), wanted, flags):
            return NameMatch(True, f"SAN dNSName is {name!r}", name, "dns")
    check_subject = not dns_names or HostFlags.ALWAYS_CHECK_SUBJECT in flags
    if check_subject:
        for name in certificate.common_names:
            encoded = name.encode("utf-8")
            if name and match_pattern(encoded, wanted, flags):
                return NameMatch(True, f"common name is {name!r}", name, "cn")
    return NameMatch(False, _why_not(certificate, wanted, flags, check_subject))


def _why_not(
    certificate: Certificate, host: bytes, flags: HostFlags, checked_subject: bool
) -> str:
    """Name what the certificate has, and the flag that would have let it through."""
    shown = host.decode("utf-8", "replace")
    names = list(certificate.dns_names)
    commons = [n for n in certificate.common_names if n not in names]
    if checked_subject:
        names += commons
    if not names:
        return f"the certificate names no host at all, {shown!r} is wanted"
    reason = f"{shown!r} is wanted, the certificate is for {_listed(names)}"
    if not checked_subject and any(
        match_pattern(name.encode("utf-8"), host, flags) for name in commons
    ):
        return (
            f"{reason}; the common name would match, but does not count beside a SAN "
            "dNSName (flag 1 not set)"
        )
    for flag in (HostFlags.NO_WILDCARDS, HostFlags.NO_PARTIAL_WILDCARDS):
        if flag in flags and any(
            match_pattern(name.encode("utf-8"), host, flags & ~flag) for name in names
        ):
            kind = (
                "wildcards" if flag == HostFlags.NO_WILDCARDS else "partial wildcards"
            )
            return f"{reason}; {kind} are switched off (flag {flag.value})"
    return reason


def _listed(names: list[str], limit: int = 5) -> str:
    text = ", ".join(repr(name) for name in names[:limit])
    return text if len(names) <= limit else f"{text} and {len(names) - limit} more"


def match_pattern(pattern: bytes, host: bytes, flags: HostFlags) -> bool:
    """Compare one name of a certificate with a host name, both as bytes."""
    dotted = len(host) > 1 and host.startswith(b".")
    if HostFlags.NO_WILDCARDS not in flags and not dotted:
        star = find_wildcard(pattern, flags)
        if star is not None:
            return _match_wildcard(pattern[:star], pattern[star + 1 :], host, flags)
    if dotted:
        pattern = _skip_prefix(pattern, len(host), flags)
    return _equal(pattern, host)


def _equal(pattern: bytes, host: bytes) -> bool:
    # bytes.lower() folds ASCII alone, as OpenSSL does.
    return b"\x00" not in pattern and pattern.lower() == host.lower()


def _skip_prefix(pattern: bytes, size: int, flags: HostFlags) -> bytes:
    """The last ``size`` bytes, for a host that means a domain's names.

    The whole pattern when it is shorter, when a NUL stands in what is skipped, or, with
    SINGLE_LABEL_SUBDOMAINS, when a dot does.
    """
    skipped = max(len(pattern) - size, 0)
    head = pattern[:skipped]
    if b"\x00" in head:
        return pattern
    if HostFlags.SINGLE_LABEL_SUBDOMAINS in flags and b"." in head:
        return pattern
    return pattern[skipped:]


_LETTERS = frozenset(b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz")
_LABEL = _LETTERS | frozenset(b"-")


def find_wildcard(pattern: bytes, flags: HostFlags) -> int | None:
    """Where a pattern's wildcard stands, or None when it has no valid one."""
    if pattern.count(b"*") != 1:
        return None
    labels = pattern.split(b".")
    first, rest = labels[0], labels[1:]
    star = first.find(b"*")
    if star < 0 or len(rest) < 2:
        return None
    partial = first != b"*"
    if partial and HostFlags.NO_PARTIAL_WILDCARDS in flags:
        return None
    if partial and not (first.startswith(b"*") or first.endswith(b"*")):
        return None
    if first[:4].lower() == b"xn--":
        return None
    for label in labels:
        plain = label.replace(b"*", b"")
        if not label or not _LABEL.issuperset(plain):
            return None
        if label.startswith(b"-") or plain.endswith(b"-"):
            return None
    return star


def _match_wildcard(
    prefix: bytes, suffix: bytes, host: bytes, flags: HostFlags
) -> bool:
    if len(host) < len(prefix) + len(suffix):
        return False
    stop = len(host) - len(suffix)
    if not _equal(prefix, host[: len(prefix)]) or not _equal(suffix, host[stop:]):
        return False
    matched = host[len(prefix) : stop]
    allowed = _LABEL
    if not prefix and suffix.startswith(b"."):
        if not matched:
            return False
        if HostFlags.MULTI_LABEL_WILDCARDS in flags:
            allowed = _LABEL | frozenset(b".")
    elif host[:4].lower() == b"xn--":
        return False
    return matched == b"*" or allowed.issuperset(matched)


def whole_names(certificate: Certificate) -> tuple[str, ...]:
    """The certificate's DNS names that are one server's: no pattern among them."""
    return tuple(name for name in certificate.dns_names if "*" not in name)
