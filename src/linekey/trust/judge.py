"""The one judge: would this phone accept this server.

The virtual phone calls it inside the TLS handshake, the check on what it probed, the
what-if on a file, so that they can never disagree. Every rule is looked at, whatever
failed before it: a verdict holds all reasons, in the order in which the phone would
meet them. Nothing here reads a clock or a file: ``now`` is the phone's clock.

What lifts a refusal (and leaves it in the verdict, as a warning or a note):

- server authentication off, as in 8.x by default (SNOM-TLS, Server Authentication, H);
- the leaf was added as an exception: "a connection from a peer using this certificate
  will no longer be rejected" (SNOM-TLS, Adding Unknown Certificates, H). That also
  covers a wrong name and an expired date (L: SNOM-TLS makes no difference).

What nothing lifts: keys and suites that the phone cannot compute with
(``Rule.binding``).
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Self

from linekey.catalog.profile import Profile
from linekey.certs.certificate import Certificate
from linekey.reasons import Severity
from linekey.said import say
from linekey.trust.findings import Finding, Verdict, failed, held, in_order
from linekey.trust.name_check import look_at_name
from linekey.trust.paths import find_path
from linekey.trust.rules import RULES
from linekey.trust.shape import look_at_first, look_at_shape
from linekey.trust.store import TrustStore
from linekey.trust.strength import look_at_hashes, look_at_keys
from linekey.trust.validity import look_at_dates


@dataclass(frozen=True, slots=True)
class TlsSettings:
    """The phone's three settings that a verdict depends on.

    ``server_authentication``: the switch of 8.x; 10.x has it on whatever this says.
    ``check_fqdn``: ``check_fqdn_against_server_cert``. ``host_flags``:
    ``host_name_validation_flags``, a sum of OpenSSL's X509_CHECK_FLAG values.
    """

    server_authentication: bool
    check_fqdn: bool
    host_flags: int

    @classmethod
    def defaults(cls, profile: Profile) -> Self:
        """As the phone leaves the factory with this firmware."""
        return cls(
            profile.server_auth_default or profile.server_auth_forced,
            profile.check_fqdn_default,
            profile.host_flags_default,
        )


def judge(
    chain: Sequence[Certificate],
    name: str | None,
    store: TrustStore,
    profile: Profile,
    settings: TlsSettings,
    now: datetime,
    *,
    known: Sequence[Certificate] = (),
) -> Verdict:
    """Judge a server's chain (leaf first, as it was sent) for one phone.

    ``name`` is what the phone connects to, a host name or an IP address; None judges
    the chain alone. ``now`` must be aware. ``known`` are certificates known from
    elsewhere, which only help to say what is missing. Raises ValueError for a naive
    ``now``: a mistake of the caller's.
    """
    if now.tzinfo is None:
        raise ValueError("now must carry a time zone")
    if not chain:
        return Verdict.of(
            [
                failed(
                    "chain.empty",
                    say("the server sends no certificate"),
                    cure=say("configure a certificate for this name on the server"),
                )
            ]
        )
    leaf = chain[0]
    authenticates = profile.server_auth_forced or settings.server_authentication
    proof = find_path(chain, store, now, known, line=profile.match.row.era)
    findings = [
        *look_at_shape(chain, proof.path),
        *proof.findings,
        *look_at_keys(proof.path, profile),
        *look_at_hashes(proof.path, profile, anchored=proof.anchored),
        *look_at_dates(proof.path, now, line=profile.match.row.era),
        *look_at_name(
            leaf,
            name,
            check=settings.check_fqdn,
            idle=not authenticates,
            available=profile.check_fqdn_available,
            flags=settings.host_flags,
        ),
        *_notes(proof.path),
    ]
    if store.is_exception(leaf):
        findings = lift(findings, "accepted as an exception all the same", "note")
        findings.append(
            held(
                "exception.added",
                "this certificate was added as an exception, and is accepted as long "
                "as the server uses it",
                f"SHA-256 {leaf.sha256}",
            )
        )
    if authenticates:
        findings.append(
            held(
                "auth.off",
                "the phone always authenticates servers"
                if profile.server_auth_forced
                else "server authentication is on",
            )
        )
    else:
        findings = lift(
            findings, "would be refused if server authentication were on", "warning"
        )
        findings.append(
            failed(
                "auth.off",
                say(
                    "server authentication is off: the phone accepts any server, and "
                    "anybody in between"
                ),
                severity="warning",
                cure=say(
                    "activate TLS Server Authentication on the phone's Certificates "
                    "page (from 8.2.30; only a factory reset clears it), or update to "
                    "10.x"
                )
                if profile.model.is_known
                else say(
                    "switch the check of servers' certificates on in the phone's "
                    "configuration, as what linekey writes for it does"
                ),
            )
        )
    return Verdict.of([*_first_of(chain, findings), *findings], proof.path)


def _first_of(chain: Sequence[Certificate], findings: list[Finding]) -> list[Finding]:
    """That the leaf does not stand first: the reason of whatever refuses then."""
    told = look_at_first(chain)
    if not told:
        return []
    first = next((f for f in in_order(findings) if f.refuses), None)
    if first is None:
        return told
    return [replace(f, severity="refused", x509_error=first.x509_error) for f in told]


def lift(
    findings: Iterable[Finding], because: str, severity: Severity
) -> list[Finding]:
    """Turn refusals that a setting lifts into warnings or notes that say so."""
    return [
        replace(f, severity=severity, message=f"{f.message} ({because})")
        if f.refuses and not RULES[f.rule].binding
        else f
        for f in findings
    ]


def _notes(path: Sequence[Certificate]) -> list[Finding]:
    findings = [
        failed(
            "chain.version1",
            say(
                "%(certificate)s is a version 1 certificate, without names, purpose or "
                "CA mark",
                certificate=certificate.label,
            ),
            severity="warning" if depth == 0 else "note",
            evidence=f"depth {depth}",
            cure=say(
                "have it issued as version 3: OpenSSL takes a version 1 certificate "
                "for a leaf or a trusted root, never for an intermediate"
            ),
        )
        for depth, certificate in enumerate(path)
        if certificate.version == 1
    ]
    findings.append(
        failed(
            "chain.revocation",
            say("the phone checks neither revocation lists nor OCSP"),
            severity="note",
            cure=say(
                "phones accept a stolen server key until its certificate expires: use "
                "server certificates with a short lifetime"
            ),
        )
    )
    return findings
