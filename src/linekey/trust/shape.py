"""The chain as it was sent: order, repetition, strangers, what is missing.

TLS below 1.3 wants each certificate to certify the one before it (RFC 5246 §7.4.2);
TLS 1.3 lets receivers sort (RFC 8446 §4.4.2). OpenSSL always sorted, so nothing here
refuses: it warns, since other phones and other clients are stricter.
"""

from collections.abc import Sequence

from linekey.certs.certificate import Certificate
from linekey.said import say
from linekey.trust.findings import Finding, failed, held


def issued(issuer: Certificate, subject: Certificate) -> bool:
    """Whether the names and key identifiers say that ``issuer`` signed ``subject``.

    OpenSSL's X509_check_issued without the signature: names, and the authority key
    identifier where both certificates carry one.
    """
    if not issuer.subject.matches(subject.issuer):
        return False
    wanted, found = subject.authority_key_id, issuer.subject_key_id
    return not wanted or not found or wanted == found


def same_holder(one: Certificate, other: Certificate) -> bool:
    """Whether two certificates name one holder with one key: a cross-sign's mark."""
    return one.subject.matches(other.subject) and one.key == other.key


def look_at_first(chain: Sequence[Certificate]) -> list[Finding]:
    """Whether a CA stands where the server's own certificate belongs.

    Every client takes the first certificate for the server's, wherever that really
    stands (RFC 5246 §7.4.2). A warning: what refuses is what follows from it, and
    ``trust.judge`` says so.
    """
    first = chain[0]
    if not (first.is_ca or (len(chain) > 1 and first.self_issued)):
        return []
    for place, certificate in enumerate(chain[1:], 2):
        if certificate.is_ca or certificate.self_issued:
            continue
        return [
            failed(
                "chain.leaf-first",
                say(
                    "the server's own certificate, %(own)s, is sent as number "
                    "%(place)s: phones use the first certificate, which is %(first)s",
                    own=certificate.label,
                    place=place,
                    first=first.label,
                ),
                severity="warning",
                evidence="sent: " + " | ".join(c.label for c in chain),
                cure=say(
                    "order the chain file from the leaf upward: %(own)s first, its CAs "
                    "after it",
                    own=certificate.label,
                ),
            )
        ]
    kin = any(issued(first, c) or issued(c, first) for c in chain[1:] if c != first)
    if kin and not (first.dns_names or first.ip_addresses):
        return [
            failed(
                "chain.leaf-first",
                say(
                    "the server's own certificate is missing: phones use the first, "
                    "which is %(first)s, a CA",
                    first=first.label,
                ),
                severity="warning",
                evidence="sent: " + " | ".join(c.label for c in chain),
                cure=say(
                    "put the server's own certificate first into the chain file, "
                    "before its CAs"
                ),
            )
        ]
    return []


def _is_above(root: Certificate, path: Sequence[Certificate]) -> bool:
    """Whether this root, or one of its name, stands above the path."""
    return any(c.issuer.matches(root.subject) for c in path)


def look_at_shape(
    chain: Sequence[Certificate], path: Sequence[Certificate]
) -> list[Finding]:
    """What can be said of a non-empty chain without asking whom the phone trusts.

    ``path`` is the proved path, or the best that could be walked.
    """
    findings: list[Finding] = []
    distinct = list(dict.fromkeys(chain))
    if len(distinct) != len(chain):
        twice = [c for c in distinct if list(chain).count(c) > 1]
        findings.append(
            failed(
                "chain.duplicate",
                say(
                    "the server sends %(count)s certificate(s) twice",
                    count=len(chain) - len(distinct),
                ),
                severity="note",
                evidence="; ".join(c.label for c in twice),
                cure=say("remove the repeated blocks from the server's chain file"),
            )
        )
    wanted = set(path)
    strangers = [c for c in distinct if c not in wanted]
    # A root that signed nothing of this path is a stranger like any other.
    roots = [c for c in distinct[1:] if c.self_issued and _is_above(c, path)]
    foreign = [c for c in strangers if c not in roots]
    if foreign:
        findings.append(
            failed(
                "chain.extra",
                say(
                    "the server sends %(count)s certificate(s) outside the path",
                    count=len(foreign),
                ),
                severity="note",
                evidence="; ".join(c.label for c in foreign),
                cure=say(
                    "remove them from the server's chain file: they cost every "
                    "handshake, and some phones try to use them"
                ),
            )
        )
    if roots:
        findings.append(
            failed(
                "chain.root-sent",
                say("the server also sends a root, which the phone ignores"),
                severity="note",
                evidence="; ".join(c.label for c in roots),
                cure=say("remove the root from the server's chain file"),
            )
        )
    used = [c for c in distinct if c in wanted]
    expected = [c for c in path if c in set(used)]
    if used != expected:
        findings.append(
            failed(
                "chain.order",
                say("the server sends its certificates in the wrong order"),
                severity="warning",
                evidence="sent: " + " | ".join(c.label for c in chain),
                cure=say(
                    "order the chain file from the leaf upward: %(order)s",
                    order=" | ".join(c.label for c in expected),
                ),
            )
        )
    if not any(f.rule == "chain.order" for f in findings) and len(used) > 1:
        findings.append(
            held("chain.order", "each certificate is the issuer of the one before it")
        )
    return findings
