"""The name the phone connects to, against the names in the leaf.

``certs.host_names`` knows OpenSSL's rules; this module knows the phone's settings:
``check_fqdn_against_server_cert`` (on in 10.x, off in 8.x, idle while server
authentication is off) and ``host_name_validation_flags`` (default 0, 2 before
8.7.5.71), and what to do when they fail. SNOM-SETTING, confidence H.
"""

from linekey.catalog.settings_rules import CHECK_FQDN
from linekey.certs.certificate import Certificate
from linekey.certs.host_names import HostFlags, match_host, parse_address
from linekey.reasons import Severity
from linekey.said import Said, say
from linekey.trust.findings import Finding, failed, held


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
                say(
                    "check_fqdn_against_server_cert is on, but without TLS server "
                    "authentication it has no effect in 8.x"
                ),
                severity="warning",
                cure=say(
                    "activate TLS server authentication on the phone's Certificates "
                    "page, or ignore this setting"
                ),
            )
        ]
    elif not check:
        findings = [
            failed(
                "name.unchecked",
                say(
                    "the phone does not compare the server's name with its certificate"
                ),
                severity="note",
                cure=say("provision check_fqdn_against_server_cert with the value on")
                if available
                else say(
                    "update the firmware: check_fqdn_against_server_cert came with "
                    "%(firmware)s",
                    firmware=CHECK_FQDN.since,
                ),
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

    def seen(text: Said) -> Said:
        if enforced:
            return text
        return say("%(what)s (not checked today)", what=text)

    if match.ok:
        findings = [held("name.mismatch", f"{name} matches {match.matched}", evidence)]
        if match.where == "cn":
            findings.append(
                failed(
                    "name.cn-only",
                    say(
                        "%(name)s is only in the CN, which many other clients ignore",
                        name=name,
                    ),
                    severity="note",
                    evidence=evidence,
                    cure=say(
                        "issue the certificate with subjectAltName DNS:%(name)s",
                        name=name,
                    ),
                )
            )
        return findings
    if is_ip(name):
        return [
            failed(
                "name.ip",
                seen(
                    say(
                        "the phone connects to the address %(name)s, and for an "
                        "address only a SAN of type iPAddress counts",
                        name=name,
                    )
                ),
                severity=severity,
                evidence=evidence,
                cure=say(
                    "issue the certificate with subjectAltName IP:%(name)s, or give "
                    "the phone the server's name instead of its address",
                    name=name,
                ),
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
                seen(
                    say(
                        "%(name)s is only in the CN, which is ignored if there is a "
                        "SAN dNSName",
                        name=name,
                    )
                ),
                severity=severity,
                evidence=evidence,
                cure=say(
                    "issue the certificate with subjectAltName DNS:%(name)s, or "
                    "provision host_name_validation_flags with the value %(value)s",
                    name=name,
                    value=int(host_flags | 1),
                ),
                x509_error=62,
            )
        ]
    if again.ok:
        return [
            failed(
                "name.wildcard",
                seen(
                    say(
                        "%(name)s matches %(pattern)s, but the phone's flags "
                        "(%(value)s) do not allow it",
                        name=name,
                        pattern=again.matched,
                        value=int(host_flags),
                    )
                ),
                severity=severity,
                evidence=evidence,
                cure=say(
                    "provision host_name_validation_flags with the value %(value)s, or "
                    "issue the certificate for %(name)s itself",
                    name=name,
                    value=int(lenient),
                ),
                x509_error=62,
            )
        ]
    return [
        failed(
            "name.mismatch",
            seen(say("%(name)s is not among the certificate's names", name=name)),
            severity=severity,
            evidence=evidence,
            cure=say(
                "issue the certificate with subjectAltName DNS:%(name)s, or give the "
                "phone a name that is in it",
                name=name,
            ),
            x509_error=62,
        )
    ]
