"""What a certificate was issued for, and whether a phone may be known by it.

A phone proves itself by signing its handshake as a TLS client, so its certificate must
not be one for something else:

    extendedKeyUsage   names clientAuth, anyExtendedKeyUsage or serverAuth, or is absent
    keyUsage           has digitalSignature, or is absent
    nsCertType         whatever it says

The first holds for every authority above the phone's certificate, too: OpenSSL's check
of a chain (check_extensions) takes an authority's extendedKeyUsage for a limit on what
it issues. keyCertSign and path lengths of authorities are the path's (``certs.path``).

serverAuth will do because the built-in certificate is the phone's web certificate as
well (SNOM-TLS, Phone's Web Server Certificate), and whether real ones carry an
extendedKeyUsage is not known. That it stands alone is noted, as is an nsCertType
without client. A note is no refusal: it goes on record with the decision.

Sources: RFC 5280 §4.2.1.3 and §4.2.1.12; RFC 8446 §4.4.2.2 and RFC 5246 §7.4.6 for the
key that must be allowed to sign. nginx, HAProxy and Apache ask OpenSSL, which is
stricter (check_purpose_ssl_client); the exports' pages have the difference.
"""

from collections.abc import Iterable, Sequence

from linekey.certs import algorithms as alg
from linekey.certs.certificate import Certificate
from linekey.provisioning.decision import Reason
from linekey.said import say

CLIENT_PURPOSES = frozenset({"clientAuth", "anyExtendedKeyUsage"})
"""Extended key usages that a TLS client's certificate has by the RFCs."""
PHONE_PURPOSES = CLIENT_PURPOSES | {"serverAuth"}
"""Those by which a phone may be known; see the module."""

_SHOWN = 5  # names of a list that are told; a certificate can hold thousands


def purpose_problem(path: Sequence[Certificate]) -> tuple[Reason, str] | None:
    """Why the proved ``path``, leaf first, is not for a phone; None: it may be."""
    leaf = path[0]
    for certificate in path:
        purposes = certificate.extended_key_usage
        if purposes is not None and not PHONE_PURPOSES & set(purposes):
            listed = _listed(purposes)
            said = say("its extendedKeyUsage is %(listed)s", listed=listed)
            if certificate is not leaf:
                said = say(
                    "%(label)s: extendedKeyUsage is %(listed)s",
                    label=certificate.label,
                    listed=listed,
                )
            return Reason.PURPOSE_NOT_ALLOWED, said
    return key_usage_problem(leaf)


def issuing_problem(authority: Certificate) -> str:
    """Why no certificate below ``authority`` is a phone's; empty: some may be."""
    problem = purpose_problem((authority,))
    if problem is None or problem[0] is not Reason.PURPOSE_NOT_ALLOWED:
        return ""
    return problem[1]


def key_usage_problem(leaf: Certificate) -> tuple[Reason, str] | None:
    """Why the key of ``leaf`` must not sign a handshake; None: it may."""
    usages = leaf.key_usage
    if usages is None or "digitalSignature" in usages:
        return None
    return Reason.KEY_USAGE_NOT_ALLOWED, say(
        "its keyUsage is %(listed)s", listed=_listed(sorted(usages))
    )


def purpose_notes(path: Sequence[Certificate]) -> tuple[str, ...]:
    """What is worth telling of a ``path`` that may be a phone's; lower-case clauses."""
    notes = []
    for certificate in path:
        purposes = certificate.extended_key_usage
        if purposes is not None and not CLIENT_PURPOSES & set(purposes):
            listed = _listed(purposes)
            notes.append(
                say(
                    "the certificate's extendedKeyUsage is %(listed)s, without "
                    "clientAuth",
                    listed=listed,
                )
                if certificate is path[0]
                else say(
                    "%(label)s: extendedKeyUsage is %(listed)s, without clientAuth",
                    label=certificate.label,
                    listed=listed,
                )
            )
    types = path[0].netscape_cert_type
    if types is not None and "client" not in types:
        notes.append(
            say(
                "the certificate's nsCertType is %(listed)s, without client",
                listed=_listed(sorted(types)),
            )
        )
    return tuple(notes)


_READ = (
    ("basicConstraints", alg.BASIC_CONSTRAINTS),
    ("keyUsage", alg.KEY_USAGE),
    ("extendedKeyUsage", alg.EXTENDED_KEY_USAGE),
    ("nsCertType", alg.NETSCAPE_CERT_TYPE),
    ("subjectAltName", alg.SUBJECT_ALT_NAME),
    ("subjectKeyIdentifier", alg.SUBJECT_KEY_ID),
    ("authorityKeyIdentifier", alg.AUTHORITY_KEY_ID),
)


def unreadable(certificate: Certificate) -> str:
    """Name an extension of ``certificate`` that nobody can read, or return nothing.

    OpenSSL finds no issuer for such a certificate, whoever signed it, and says that
    the issuer is missing: what really stands against it is this.
    """
    for name, extension in _READ:
        if certificate.is_unreadable(extension):
            return name
    return ""


def _listed(names: Iterable[str]) -> str:
    every = [*names]
    names_shown = ", ".join(every[:_SHOWN]) or "empty"
    if len(every) <= _SHOWN:
        return names_shown
    return say(
        "%(names)s and %(count)s more", names=names_shown, count=len(every) - _SHOWN
    )
