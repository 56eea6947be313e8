"""Cures that are ready to use: what to provision, append, or write into a server.

A finding says in a sentence what would help; here is the text to paste. Nothing here
is applied by linekey.

Sources: the ``<certificates>`` document and its two forms, SNOM-TLS, Uploading Server
Certificates via Provisioning (H); server directives, the servers' own manuals:
nginx ``ssl_protocols``/``ssl_ciphers``, HAProxy ``ssl-min-ver``/``ciphers``, Apache
``SSLProtocol``/``SSLCipherSuite`` (H).
"""

from collections.abc import Sequence
from typing import Final

from linekey.catalog.profile import Profile
from linekey.certs.certificate import Certificate
from linekey.certs.pem import to_base64, to_pem
from linekey.check.report import Cure
from linekey.tls.suites import SUITES

_VERSIONS: Final = {
    # wire number: nginx and Apache, HAProxy
    0x0301: ("TLSv1", "TLSv1.0"),
    0x0302: ("TLSv1.1", "TLSv1.1"),
    0x0303: ("TLSv1.2", "TLSv1.2"),
}
_UNSPEAKABLE: Final = frozenset({"3DES", "DES", "RC4", "NULL"})


def certificates_xml(certificates: Sequence[Certificate], profile: Profile) -> str:
    """A ``<certificates>`` document with these certificates, for this firmware.

    Base64 where the firmware reads it (8.7.5.52, 8.9.3.41); before, the ``url`` form
    with a place for the address, since the phone fetches the DER itself.
    """
    lines = ['<?xml version="1.0" encoding="utf-8"?>', "<certificates>"]
    for certificate in certificates:
        subject = certificate.label.replace("--", "- -")
        lines.append(f"  <!-- {_comment(subject)} -->")
        if profile.base64_certificates:
            lines.append('  <certificate type="base64">')
            lines.append(to_base64(certificate).strip())
            lines.append("  </certificate>")
        else:
            lines.append(
                f'  <certificate url="http://YOUR-SERVER/{certificate.sha1}.der" />'
            )
    lines.append("</certificates>")
    return "\n".join(lines) + "\n"


def _comment(text: str) -> str:
    return "".join(c if c.isprintable() else "?" for c in text).rstrip("-")


def provision_cure(
    certificates: Sequence[Certificate], profile: Profile, rule: str
) -> Cure:
    """What makes the phones trust these certificates: Snom's XML; else the PEM."""
    names = "; ".join(c.label for c in certificates)
    if not profile.model.is_known:
        return Cure(
            "pem",
            f"Provision to the phones, so that they trust {names} (linekey writes it "
            "into each maker's file in its way: linekey layer certificate fleet FILE)",
            "".join(to_pem(c) for c in certificates),
            rule,
        )
    title = f"Provision to the phones, so that they trust {names}"
    if not all(c.self_issued for c in certificates):
        title += " (its root, if you have it, is better: it lives longer)"
    if not profile.base64_certificates:
        title += " (put the DER file where the url says)"
    if profile.signed_by_rule:
        title += (
            "; this firmware takes it only if an authority or server certificate of "
            "the phone signed it (the rule ended with 8.7.5.52/8.9.3.41)"
        )
    return Cure("xml", title, certificates_xml(certificates, profile), rule)


def append_cure(missing: Sequence[Certificate], rule: str) -> Cure:
    """The intermediates to append to the server's chain file, lowest first."""
    return Cure(
        "pem",
        "Append to the server's chain file, after its own certificate",
        "".join(to_pem(c) for c in missing),
        rule,
    )


def setting_cure(name: str, value: str, rule: str) -> Cure:
    """A setting with its value, as it stands in a settings document."""
    return Cure(
        "setting",
        f"Provision the setting {name}",
        "<settings>\n  <phone-settings>\n"
        f'    <{name} perm="R">{value}</{name}>\n'
        "  </phone-settings>\n</settings>\n",
        rule,
    )


def is_speakable(profile: Profile) -> bool:
    """Whether a current OpenSSL, and so a current server, can speak with this phone."""
    return any(v in _VERSIONS for v in profile.versions) and bool(_usable(profile))


def _usable(profile: Profile) -> list[str]:
    """OpenSSL names of the phone's suites that a current server may have."""
    found = []
    for number in profile.suites:
        suite = SUITES.get(number)
        if (
            suite is not None
            and suite.openssl_name
            and suite.known_by_engine
            and suite.key_exchange != "SRP"  # only with a user name at both ends
            and suite.cipher not in _UNSPEAKABLE
            and suite.authentication in ("RSA", "ECDSA")
        ):
            found.append(suite.openssl_name)
    return found


def protocol_cures(profiles: Sequence[Profile], rule: str) -> list[Cure]:
    """The lines for nginx, HAProxy and Apache that let these phones in.

    The lowest version any of them needs, and the suites they have in common with a
    current OpenSSL. Empty where no current server can speak with one of them.
    """
    floors = []
    suites: dict[str, None] = {}
    for profile in profiles:
        spoken = [v for v in profile.versions if v in _VERSIONS]
        usable = _usable(profile)
        if not spoken or not usable:
            return []
        floors.append(spoken[-1])
        suites.update(dict.fromkeys(usable[:6]))
    if not floors:
        return []
    floor = min(floors)
    wanted = [v for v in _VERSIONS if v >= floor]
    old = floor < 0x0303
    ciphers = ":".join(suites) + (":@SECLEVEL=0" if old else "")
    nginx = " ".join(_VERSIONS[v][0] for v in wanted) + " TLSv1.3"
    apache = " ".join(f"+{_VERSIONS[v][0]}" for v in wanted) + " +TLSv1.3"
    warning = (
        "  (weakens every client of this port: give these phones a name or a port of "
        "their own)"
        if old
        else ""
    )
    return [
        Cure(
            "nginx",
            f"nginx, in the server block of the phones{warning}",
            f"ssl_protocols {nginx};\nssl_ciphers {ciphers};\n",
            rule,
        ),
        Cure(
            "haproxy",
            f"HAProxy, on the bind line of the phones{warning}",
            f"bind :443 ssl crt /etc/haproxy/phones.pem ssl-min-ver "
            f"{_VERSIONS[floor][1]} ciphers {ciphers}\n",
            rule,
        ),
        Cure(
            "apache",
            f"Apache, in the VirtualHost of the phones{warning}",
            f"SSLProtocol -all {apache}\nSSLCipherSuite {ciphers}\n",
            rule,
        ),
    ]
