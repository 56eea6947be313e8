"""The name the phone connects to, against the names in the leaf.

``certs.host_names`` knows OpenSSL's rules; this module knows the phone's settings:
``check_fqdn_against_server_cert`` (on in 10.x, off in 8.x, idle while server
authentication is off) and ``host_name_validation_flags`` (default 0, 2 before
8.7.5.71), and what to do when they fail. SNOM-SETTING, confidence H.
"""

from linekey.catalog.settings_rules import CHECK_FQDN
from linekey.certs.certificate import Certificate
from linekey.certs.host_names import HostFlags, match_host, parse_address
from linekey.trust.findings import Finding, Severity, failed, held


def is_ip(name: str) -> bool:
    """Whether a server name is an IPv4 or IPv6 address, brackets allowed."""
    return parse_address(name) is not None


def names_of(certificate: Certificate) -> str:
    """Every name a leaf offers, for a message."""
    parts = [f"DNS:{n}" for n in certificate.dns_names]
    parts += [f"IP:{a}" for a in certificate.ip_addresses]
    parts += [f"CN={n}" for n in certificate.common_names]
    return ", ".join(parts) or "no name at all"


def look_at_name(
    leaf: Certificate,
    name: str | None,
    *,
    check: bool,
    idle: bool,
    available: bool,
    flags: int,
) -> list[Finding]:
    """The findings on the name.

    ``check`` is the setting, ``idle`` true where it has no effect because server
    authentication is off, ``available`` true where the firmware has it. Where the name
    is not checked, a mismatch is a warning: it fails on the day the check is switched
    on, or the firmware is 10.x.
    """
    if idle and check:
        findings = [
            failed(
                "name.idle",
                "check_fqdn_against_server_cert is on, but without TLS server "
                "authentication it has no effect in 8.x",
                severity="warning",
                cure="activate TLS server authentication on the phone's Certificates "
                "page, or ignore this setting",
            )
        ]
    elif not check:
        findings = [
            failed(
                "name.unchecked",
                "the phone does not compare the server's name with its certificate",
                severity="note",
                cure="provision check_fqdn_against_server_cert with the value on"
                if available
                else "update the firmware: check_fqdn_against_server_cert came with "
                f"{CHECK_FQDN.since}",
            )
        ]
    else:
        findings = []
    if name is None:
        return findings
    enforced = check and not idle
    findings += _compare(leaf, name, flags, enforced=enforced)
    return findings


def _compare(
    leaf: Certificate, name: str, flags: int, *, enforced: bool
) -> list[Finding]:
    host_flags = HostFlags(flags & 31)
    match = match_host(leaf, name, flags=host_flags)
    evidence = f"connects to {name}; the certificate has {names_of(leaf)}"
    severity: Severity = "refused" if enforced else "warning"
    unless = "" if enforced else " (not checked today)"
    if match.ok:
        findings = [held("name.mismatch", f"{name} matches {match.matched}", evidence)]
        if match.where == "cn":
            findings.append(
                failed(
                    "name.cn-only",
                    f"{name} is only in the CN, which many other clients ignore",
                    severity="note",
                    evidence=evidence,
                    cure=f"issue the certificate with subjectAltName DNS:{name}",
                )
            )
        return findings
    if is_ip(name):
        return [
            failed(
                "name.ip",
                f"the phone connects to the address {name}, and for an address only a "
                f"SAN of type iPAddress counts{unless}",
                severity=severity,
                evidence=evidence,
                cure=f"issue the certificate with subjectAltName IP:{name}, or give "
                "the phone the server's name instead of its address",
                x509_error=64,
            )
        ]
    lenient = host_flags & ~(
        HostFlags.NO_WILDCARDS
        | HostFlags.NO_PARTIAL_WILDCARDS
        | HostFlags.SINGLE_LABEL_SUBDOMAINS
    )
    again = match_host(leaf, name, flags=lenient)
    by_subject = match_host(leaf, name, flags=host_flags | 1)
    if by_subject.ok:
        return [
            failed(
                "name.mismatch",
                f"{name} is only in the CN, which is ignored if there is a SAN "
                f"dNSName{unless}",
                severity=severity,
                evidence=evidence,
                cure=f"issue the certificate with subjectAltName DNS:{name}, or "
                "provision host_name_validation_flags with the value "
                f"{int(host_flags | 1)}",
                x509_error=62,
            )
        ]
    if again.ok:
        return [
            failed(
                "name.wildcard",
                f"{name} matches {again.matched}, but the phone's flags "
                f"({int(host_flags)}) do not allow it{unless}",
                severity=severity,
                evidence=evidence,
                cure=f"provision host_name_validation_flags with the value "
                f"{int(lenient)}, or issue the certificate for {name} itself",
                x509_error=62,
            )
        ]
    return [
        failed(
            "name.mismatch",
            f"{name} is not among the certificate's names{unless}",
            severity=severity,
            evidence=evidence,
            cure=f"issue the certificate with subjectAltName DNS:{name}, or give the "
            "phone a name that is in it",
            x509_error=62,
        )
    ]
