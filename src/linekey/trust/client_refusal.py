"""Why a server refused a phone's certificate, from what was shown and what was named.

A server says little: an alert, or a page "The SSL certificate error". What it named in
its CertificateRequest and what the phone showed say more: an authority that is named
need not be imported, a hash of SHA-1 wants a security level of 0, a chain longer than
the server's depth a greater one. ``causes`` gives what the evidence leaves, the
likeliest first, each with its own cure.

Rules: an alert is read as OpenSSL chooses it (``ssl_x509err2alert``: too long a chain
is unknown_ca, in Apache internal_error; a weak key or hash and "not yet valid" are
bad_certificate, a wrong purpose unsupported_certificate); security levels as
SSL_CTX_set_security_level(3) has them from OpenSSL 3.0 on (level 1: 80 bits, and SHA-1
counts as 63; level 2: 112 bits, RSA 2048); directives by the manuals of nginx, Apache
and HAProxy. Nothing here reads a clock.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final, Self

from linekey.certs.certificate import Certificate
from linekey.certs.dn import Name
from linekey.tls.alerts import Alert
from linekey.tls.messages import CertificateRequest
from linekey.words import counted

_CLIENT: Final = frozenset({"clientAuth", "anyExtendedKeyUsage"})
_WEAK_HASHES: Final = frozenset({"md2", "md4", "md5", "sha1"})
_USUAL_DEPTH: Final = 1
"""nginx's ssl_verify_depth and Apache's SSLVerifyDepth where nobody set them."""


@dataclass(frozen=True, slots=True)
class CertificateWish:
    """The server's CertificateRequest (RFC 5246 §7.4.4).

    ``types`` are ClientCertificateType numbers, ``signature_algorithms`` the 16-bit
    pairs (empty below TLS 1.2), ``authorities`` the names it accepts (empty: any).
    """

    types: tuple[int, ...] = ()
    signature_algorithms: tuple[int, ...] = ()
    authorities: tuple[Name, ...] = ()

    @classmethod
    def of(cls, request: CertificateRequest) -> Self:
        """Read the names. Raises CertificateError for one that is none."""
        names = tuple(Name.from_der(d) for d in request.authorities_der)
        return cls(request.types, request.signature_algorithms, names)


@dataclass(frozen=True, slots=True)
class Cause:
    """One reason that fits the evidence; ``reason`` is a clause."""

    code: str
    """``authority``, ``depth``, ``level``, ``purpose``, ``expired``, ``clock`` …"""
    reason: str
    cure: str


LATE_HANDSHAKE: Final = Cause(
    "renegotiation",
    "the server asked for the phone's certificate only after the request, by a second "
    "handshake (renegotiation), as Apache does for SSLVerifyClient in a <Location>; "
    "phones' OpenSSL follows that below TLS 1.3, linekey does not",
    "ask for the certificate in the first handshake: SSLVerifyClient in Apache's "
    "<VirtualHost>, clientcertnegotiation=enable in IIS's netsh http",
)
"""A HelloRequest (RFC 5246 §7.4.1.1) after the handshake; what else could it be for."""

_TYPES: Final = {"rsa": 1, "dsa": 2, "ec": 64}
"""ClientCertificateType by the kind of key (RFC 5246 §7.4.4, RFC 8422 §5.5)."""
_SIGNATURES: Final = {"rsa": 1, "dsa": 2, "ec": 3}
"""SignatureAlgorithm, the low byte of a pair (RFC 5246 §7.4.1.4.1)."""

_FITTING: Final[dict[Alert, tuple[str, ...]]] = {
    Alert.UNKNOWN_CA: ("authority", "depth"),
    Alert.BAD_CERTIFICATE: ("level", "not-yet", "purpose", "type"),
    Alert.UNSUPPORTED_CERTIFICATE: ("type", "purpose"),
    Alert.CERTIFICATE_EXPIRED: ("expired", "clock"),
    Alert.HANDSHAKE_FAILURE: ("type", "level", "authority", "depth"),
    Alert.INSUFFICIENT_SECURITY: ("level",),
    # Apache's own look at SSLVerifyDepth: it refuses, and sets OpenSSL no error.
    Alert.INTERNAL_ERROR: ("depth",),
    Alert.CERTIFICATE_REVOKED: (),
    Alert.CERTIFICATE_REQUIRED: (),
    Alert.ACCESS_DENIED: (),
}
"""Which causes an alert can mean; one that is not here, or no alert: all of them."""


def causes(
    shown: Sequence[Certificate],
    named: Sequence[Name],
    alert: Alert | None,
    now: datetime,
    *,
    types: Sequence[int] = (),
    signatures: Sequence[int] = (),
) -> list[Cause]:
    """What may have been wrong with the certificate that was shown, likeliest first.

    ``shown``: the phone's chain, leaf first; ``named``: the authorities of the server's
    request (none: it named nobody); ``now``: aware; ``types`` and ``signatures``: the
    request's certificate types and signature algorithms, where it had them. Empty where
    nothing is known to fit better than the alert's own words.
    """
    if not shown:
        return []
    found = [
        *_kind(shown[0], types, signatures),
        *_dates(shown, alert, now),
        *_purpose(shown[0]),
        *_level(shown),
        *_above(shown, named),
    ]
    fitting = None if alert is None else _FITTING.get(alert)
    if fitting is not None:
        found = [cause for cause in found if cause.code in fitting]
    if alert is Alert.CERTIFICATE_REVOKED:
        return []
    if not found and named and (alert is None or alert is Alert.UNKNOWN_CA):
        found = [_nothing_seen(shown)]
    return found


def _dates(
    shown: Sequence[Certificate], alert: Alert | None, now: datetime
) -> list[Cause]:
    for certificate in shown:
        if certificate.not_after < now:
            return [
                Cause(
                    "expired",
                    f"{certificate.label} expired on {certificate.not_after:%Y-%m-%d}",
                    "renew it; a built-in certificate cannot be renewed: patch the "
                    "phone, or set webserver_cert",
                )
            ]
        if certificate.not_before > now:
            return [
                Cause(
                    "not-yet",
                    f"{certificate.label} is valid from "
                    f"{certificate.not_before:%Y-%m-%d} on",
                    "wait until then, or issue it anew with an earlier date",
                )
            ]
    if alert is Alert.CERTIFICATE_EXPIRED:
        return [
            Cause(
                "clock",
                "all that was shown is within its dates",
                "set the server's clock (NTP)",
            )
        ]
    return []


def _kind(
    leaf: Certificate, types: Sequence[int], signatures: Sequence[int]
) -> list[Cause]:
    """Whether the request leaves room for this kind of key at all."""
    kind = leaf.key.kind
    if kind not in _TYPES:
        return []
    signing = any(
        pair & 0xFF == _SIGNATURES[kind] or (kind == "rsa" and pair >> 8 == 8)
        for pair in signatures
    )
    if (not types or _TYPES[kind] in types) and (not signatures or signing):
        return []
    what = kind.upper()
    return [
        Cause(
            "type",
            f"the server's request leaves no room for {what} keys, and the "
            f"certificate's is one",
            f"let the server take {what} client certificates and signatures (OpenSSL: "
            "ClientSignatureAlgorithms), or show one with another key",
        )
    ]


def _purpose(leaf: Certificate) -> list[Cause]:
    purposes, usage = leaf.extended_key_usage, leaf.key_usage
    if purposes is not None and not _CLIENT & set(purposes):
        return [
            Cause(
                "purpose",
                "the certificate was issued for another purpose: its extendedKeyUsage "
                "has no clientAuth",
                "issue it with clientAuth (OpenSSL: extendedKeyUsage = clientAuth); no "
                "directive of a server changes that",
            )
        ]
    if usage is not None and not usage & {"digitalSignature"}:
        return [
            Cause(
                "purpose",
                "the certificate's keyUsage has no digitalSignature",
                "issue it with keyUsage = digitalSignature",
            )
        ]
    return []


def _level(shown: Sequence[Certificate]) -> list[Cause]:
    # Nobody looks at the signature of a root that signed itself.
    signed = [c for c in shown if not c.self_issued]
    hashed = next((c for c in signed if c.signature_hash in _WEAK_HASHES), None)
    sizes = [(c.key.bits, c) for c in shown if c.key.kind in ("rsa", "dsa")]
    bits, small = min(sizes, key=lambda row: row[0], default=(0, None))
    if hashed is not None:
        level, what = 0, f"{hashed.label} is signed with {hashed.signature_algorithm}"
    elif small is not None and bits < 2048:
        level = 1 if bits >= 1024 else 0
        what = f"{small.label} has a key of {bits} bits"
    else:
        return []
    ciphers = f"DEFAULT:@SECLEVEL={level}"
    return [
        Cause(
            "level",
            f"{what}, which OpenSSL takes at security level {level} and not above",
            "in the server block of these phones alone, lower the level: nginx "
            f"ssl_ciphers {ciphers}; Apache SSLCipherSuite {ciphers}; HAProxy ciphers "
            f"{ciphers}",
        )
    ]


def _above(shown: Sequence[Certificate], named: Sequence[Name]) -> list[Cause]:
    """What the names of the request say of the way up."""
    if not named:
        return []
    at = [
        number
        for number, certificate in enumerate(shown)
        if not certificate.self_issued
        and any(name.matches(certificate.issuer) for name in named)
    ]
    if not at:
        top = shown[-1]
        return [
            Cause(
                "authority",
                f"the server names {counted(len(named), 'authority', 'authorities')}, "
                f"none of which is {top.issuer_label} or another above this "
                "certificate",
                "import the authority that issued the phone's certificate into what "
                "the server trusts for clients (nginx ssl_client_certificate, Apache "
                "SSLCACertificateFile, HAProxy ca-file)",
            )
        ]
    # The topmost authority that is named: what lies between is what depth counts.
    depth = at[-1]
    if depth < _USUAL_DEPTH:
        return []
    return [
        Cause(
            "depth",
            f"the server names the authority, {depth} intermediate"
            f"{'' if depth == 1 else 's'} above the phone's certificate; the usual "
            f"depth is {_USUAL_DEPTH}",
            f"allow that depth: nginx ssl_verify_depth {depth + 1}; Apache "
            f"SSLVerifyDepth {depth + 1}",
        )
    ]


def _nothing_seen(shown: Sequence[Certificate]) -> Cause:
    return Cause(
        "elsewhere",
        "the server names the authority of this certificate, and nothing is wrong with "
        "what was shown",
        "look into the server's log: it may hold another authority of the same name, a "
        "revocation list, or a rule for this certificate",
    )


def most_likely(found: Sequence[Cause]) -> str:
    """The first reason, to follow a sentence; empty where there is none."""
    return f"; most likely because {found[0].reason}" if found else ""


def cures_of(found: Sequence[Cause]) -> str:
    """The cures in their order; those after the first with the reason they are for."""
    if not found:
        return ""
    more = [f"or, if that is not it ({c.reason}): {c.cure}" for c in found[1:]]
    return "; ".join([found[0].cure, *more])
