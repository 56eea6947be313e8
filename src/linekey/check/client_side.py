"""Would the server accept the phone: its CertificateRequest, and a real try.

A request in the server's flight tells what it would like; whether the phone gets in is
known only when it has shown its certificate *and* the server has answered a request
(a finished handshake never means accepted: TLS 1.3 servers refuse afterwards, and so
do HTTP servers). Without a try, what speaks against the phone is a warning.
"""

from collections.abc import Sequence
from datetime import datetime
from typing import Any, Final

from linekey.catalog.authorities import ALL_CAS
from linekey.catalog.models import Generation
from linekey.catalog.other_models import GRANDSTREAM
from linekey.catalog.vendors import vendor_of_authority
from linekey.certs.certificate import Certificate
from linekey.certs.dn import Name
from linekey.check.answer import Answer, Late
from linekey.check.classes import Phone
from linekey.tls.alerts import Alert, cure, explain
from linekey.tls.versions import Version
from linekey.trust.client_refusal import (
    LATE_HANDSHAKE,
    Cause,
    CertificateWish,
    causes,
    cures_of,
    most_likely,
)
from linekey.trust.findings import Finding, failed, held
from linekey.trust.http_refusal import HttpRefusal
from linekey.words import counted

RSA_SIGN: Final = 1
"""ClientCertificateType rsa_sign (RFC 5246 §7.4.4): every built-in key of Snom's is
RSA, and so are Yealink's and Poly's (MTLS-PROTECT, M)."""
_OTHER_KEYS: Final = frozenset({GRANDSTREAM})
"""Makers whose built-in keys may be of another kind: EC with generation 2."""

_TRY = "make sure with --identity FILE, which shows a certificate and waits for the end"


def look_at_client(
    answer: Answer,
    phone: Phone,
    identity: Sequence[Certificate],
    now: datetime,
) -> list[Finding]:
    """The findings on the phone's own certificate; ``now`` is aware."""
    wish, late = answer.wish, answer.late
    if late is not None and late.renegotiation_asked:
        return [
            failed(
                "client.asked",
                LATE_HANDSHAKE.reason + ", so that the certificate was not tried",
                severity="warning",
                evidence=late.detail,
                cure=LATE_HANDSHAKE.cure,
            )
        ]
    hidden = answer.version is Version.TLS1_3  # there nobody sees what it asks for
    refused = late is not None and (late.alert is not None or late.said is not None)
    if wish is None and (late is None or not (hidden or refused)):
        return [
            failed(
                "client.asked",
                "the server does not ask the phone for its certificate",
                severity="note",
                cure="a provisioning server should ask: without it, anybody who knows "
                "a MAC gets the file (nginx ssl_verify_client, HAProxy verify, Apache "
                "SSLVerifyClient). To see whether it asks after a request, use "
                "--identity FILE",
            )
        ]
    findings: list[Finding] = []
    if wish is not None:
        findings.append(
            held("client.asked", "the server asks the phone for its certificate")
        )
        findings += _wish(wish, answer, phone, identity)
    if answer.late is not None:
        asked = CertificateWish() if wish is None else wish
        findings.append(_late(answer.late, identity, asked, now))
    elif phone.profile.shared_certificate:
        findings.append(
            failed(
                "client.shared",
                f"{phone.profile.model.name} has a certificate that many phones share: "
                "it proves the vendor, not the phone",
                severity="warning",
                cure="give these phones a second factor (a one-time token in the URL, "
                "or HTTP user and password)",
            )
        )
    return findings


_RSA_SIGNATURE: Final = 1
"""SignatureAlgorithm.rsa (RFC 5246 §7.4.1.4.1): the low byte of the pair."""


def _wish(
    wish: CertificateWish,
    answer: Answer,
    phone: Phone,
    identity: Sequence[Certificate],
) -> list[Finding]:
    findings: list[Finding] = []
    is_rsa = phone.profile.model.maker not in _OTHER_KEYS
    if is_rsa and wish.types and RSA_SIGN not in wish.types:
        findings.append(
            failed(
                "client.type",
                "the server accepts no RSA client certificate, but the phone's is RSA",
                severity="warning",
                evidence=f"certificate types {list(wish.types)}",
                cure="let the server accept rsa_sign",
            )
        )
    if is_rsa and answer.version is Version.TLS1_2 and wish.signature_algorithms:
        # What a phone signs with is its hello's matter, not its certificate's: OpenSSL
        # takes one of the server's list that it offered itself.
        own = {
            n for n in phone.profile.signature_algorithms if n & 0xFF == _RSA_SIGNATURE
        } or {0x0201}
        if not own & set(wish.signature_algorithms):
            findings.append(
                failed(
                    "client.signature",
                    "the server accepts no RSA signature with a hash the phone "
                    "supports",
                    severity="warning",
                    evidence=", ".join(f"0x{n:04x}" for n in wish.signature_algorithms),
                    cure="let the server accept rsa_pkcs1_sha256",
                )
            )
    if wish.authorities:
        findings.append(_authorities(wish.authorities, phone, identity))
    return findings


def _authorities(
    names: Sequence[Name], phone: Phone, identity: Sequence[Certificate]
) -> Finding:
    listed = "; ".join(str(n) for n in names[:5]) + (
        f" and {len(names) - 5} more" if len(names) > 5 else ""
    )
    if identity:
        wanted = [c.issuer for c in identity]
        found = any(n.matches(issuer) for n in names for issuer in wanted)
        whose = f"the given certificate (issuer {identity[0].issuer_label})"
    elif (generation := phone.profile.builtin_generation) is None:
        maker = phone.profile.model.maker
        found = any(vendor_of_authority(name) == maker for name in names)
        whose = f"the maker of the {phone.profile.model.title}, by their names"
    else:
        wanted_cns = vendor_names(generation)
        found = any(cn in wanted_cns for n in names for cn in n.values("CN"))
        whose = f"the phone's {generation.label} certificate ({', '.join(wanted_cns)})"
    if found:
        return held(
            "client.ca-names", f"the server names an authority of {whose}", listed
        )
    return failed(
        "client.ca-names",
        f"the server names {counted(len(names), 'authority', 'authorities')} and none "
        f"of {whose}: it will most likely refuse the phone",
        severity="warning",
        evidence=listed,
        cure="import the vendor's root and intermediates into what the server trusts "
        f"for clients; {_TRY}",
    )


def vendor_names(generation: Generation) -> tuple[str, ...]:
    """Common names of the vendor's authorities of one generation (SNOM-CA, H)."""
    return tuple(
        ca.name for ca in ALL_CAS if ca.vendor == "snom" and ca.generation is generation
    )


def _late(
    late: Late, identity: Sequence[Certificate], asked: CertificateWish, now: datetime
) -> Finding:
    def likely_causes(alert: Alert | None) -> list[Cause]:
        return causes(
            identity,
            asked.authorities,
            alert,
            now,
            types=asked.types,
            signatures=asked.signature_algorithms,
        )

    if late.alert is not None:
        when = "after" if late.handshake else "during"
        likely = likely_causes(late.alert)
        return failed(
            "client.refused",
            f"the server refused the phone's certificate {when} the handshake: "
            f"{explain(late.alert)}{most_likely(likely)}",
            evidence=f"alert {late.alert.label}; {late.detail}",
            cure=cures_of(likely) or cure(late.alert) or "look in the server's log",
        )
    if late.said is not None:
        words = f": “{late.said.words}”" if late.said.words else ""
        likely = []
        if late.said.refusal is HttpRefusal.CERTIFICATE_REFUSED:
            likely = likely_causes(None)
        return failed(
            "client.refused",
            f"{late.said.refusal.sentence}, in HTTP{most_likely(likely)}",
            evidence=f"{late.detail}{words}",
            cure=cures_of(likely) or late.said.refusal.cure,
        )
    if late.answered:
        status = f"HTTP {late.status}" if late.status else late.detail
        return held(
            "client.answered",
            "the server took the certificate and answered a request",
            status,
        )
    if late.handshake:
        return failed(
            "client.answered",
            "the TLS handshake was complete, but the server sent no answer: this does "
            "not show that it accepts the phone",
            severity="warning",
            evidence=late.detail,
            cure="check with a request that the server answers (a path it knows)",
        )
    return failed(
        "client.refused",
        "the handshake with the phone's certificate failed",
        evidence=late.detail,
        cure="look into the server's log",
    )


def client_summary(answer: Answer) -> dict[str, Any] | None:
    """For JSON: what the server asks for, and what came of a try."""
    if answer.wish is None and answer.late is None:
        return None
    wish, late = answer.wish, answer.late
    return {
        "asked": wish is not None,
        "types": list(wish.types) if wish else [],
        "authorities": [str(n) for n in wish.authorities] if wish else [],
        "tried": late is not None,
        "answered": late.answered if late else None,
        "status": late.status if late else None,
    }
