"""Certificates in a file, and names that a server's certificate will not have."""

import re
from collections.abc import Iterator, Sequence
from datetime import datetime
from typing import Final
from urllib.parse import urlsplit

from linekey.certs.certificate import Certificate
from linekey.certs.expiry import AUTHORITY_SOON
from linekey.certs.host_names import match_host
from linekey.certs.pem import parse_bundle
from linekey.endpoint import parse_host_port
from linekey.errors import CertificateError
from linekey.lint.finding import LintFinding, found
from linekey.lint.meaning import Said
from linekey.lint.source import Source, plain_name
from linekey.lint.template import is_open
from linekey.makers.grammar import Line

_HOLDS_CA: Final = re.compile(
    r"(?:device\.)?sec\.TLS\.customCaCert\.?[0-9]{0,2}"
    r"|P843[3-8]|P2386|trustedCACertificates\.trustedCACertificate\.[1-6]"
    r"|certificate",
    re.IGNORECASE,
)
"""Settings that hold a certificate as it is: Poly's, Grandstream's, Snom's element."""
_BASE64: Final = re.compile(r"MII[A-Za-z0-9+/=\s]{200,}")
WEAK_HASHES: Final = frozenset({"md2", "md4", "md5", "sha1"})
LEAST_RSA: Final = 2048


def inside(source: Source, now: datetime) -> Iterator[LintFinding]:
    """What weakens the trust that a file gives."""
    for line in source.lines:
        value = line.value
        if "PRIVATE KEY-----" in value:
            yield found(source, "key.inside", line, show=False)
        name = plain_name(line.name)
        whole = "-----BEGIN CERTIFICATE" in value or "-----BEGIN TRUSTED" in value
        if not whole and not (_HOLDS_CA.fullmatch(name) and _BASE64.search(value)):
            continue
        if is_open(value):
            continue
        yield from _judged(source, line, now)


def _judged(source: Source, line: Line, now: datetime) -> Iterator[LintFinding]:
    if source.maker.id == "poly" and " " in line.value and "\n" not in line.value:
        text = "its line breaks have become blanks"
        yield found(source, "ca.unreadable", line, detail=text)
        return
    try:
        certificates = parse_bundle(line.value.strip().encode("utf-8")).certificates
    except CertificateError as error:
        yield found(source, "ca.unreadable", line, detail=error.message[:120])
        return
    for certificate in certificates:
        label = certificate.label[:80]
        if certificate.is_ca is not True:
            yield found(source, "ca.none", line, detail=label)
        if weakness := weakness_of(certificate):
            yield found(source, "ca.weak", line, detail=f"{label} has {weakness}")
        if certificate.not_after < now:
            day = f"{certificate.not_after:%Y-%m-%d}"
            yield found(source, "ca.ends", line, detail=f"{label} ended on {day}")
        elif certificate.is_ca and certificate.not_after - now < AUTHORITY_SOON:
            day = f"{certificate.not_after:%Y-%m-%d}"
            yield found(source, "ca.ends", line, detail=f"{label} ends on {day}")


def weakness_of(certificate: Certificate) -> str:
    """What makes a CA weak, a clause after "has"; empty: nothing.

    The signature of one that signed itself proves nothing, and weakens nothing.
    """
    key = certificate.key
    if key.kind == "rsa" and 0 < key.bits < LEAST_RSA:
        return f"a key of {key.bits} bits"
    if not certificate.self_issued and certificate.signature_hash in WEAK_HASHES:
        return f"a signature with {certificate.signature_hash.upper()}"
    return ""


def absent_names(
    source: Source, said: Sequence[Said], chain: Sequence[Certificate]
) -> Iterator[LintFinding]:
    """Names that the file tells the phone to call by TLS, and the chain has not.

    Of an account with an outbound proxy the proxy's name counts (RFC 5922 §4).
    """
    leaf = chain[0]
    proxied = {s.idx for s in said if s.term == "any.account.outbound" and s.value}
    encrypted = {
        s.idx for s in said if s.term == "any.account.transport" and s.value == "tls"
    }
    directory = {s.value for s in said if s.term == "any.directory.transport"}
    schemes = {s.value for s in said if s.term == "any.provisioning.scheme"}
    by_tls: dict[str, set[int | None]] = {
        "any.account.outbound": encrypted,
        "any.account.registrar": encrypted - proxied,
        "any.directory.server": {None} if directory & {"ldaps", "starttls"} else set(),
    }
    told: set[tuple[str, str]] = set()
    for one in said:
        host = ""
        if one.open:
            continue
        if one.term == "any.provisioning.url":
            host = _https_host(one.value, schemes)
        elif one.idx in by_tls.get(one.term, ()):
            host = _host(one.value)
        if not host or (one.term, host) in told:
            continue
        told.add((one.term, host))
        match = match_host(leaf, host)
        if not match.ok:
            yield found(source, "name.absent", one.line, detail=match.reason[:160])


def _https_host(url: str, schemes: set[str]) -> str:
    if "://" not in url:
        if "https" not in schemes or not url:
            return ""
        url = f"https://{url}"
    try:
        parts = urlsplit(url)
        return (parts.hostname or "") if parts.scheme.lower() == "https" else ""
    except ValueError:
        return ""


def _host(text: str) -> str:
    try:
        return parse_host_port(text, 0)[0].strip()
    except ValueError:
        return ""
