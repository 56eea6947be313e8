"""The path from the leaf to something the phone trusts, and why there is none.

The path is the one that the phone's line of OpenSSL builds (``certs.lines``), and
OpenSSL proves it (``certs.path``); this module chooses what stands for the phone's
trust (``trust.store``), reads OpenSSL's numbers as rules, and tells the cases apart
that OpenSSL calls by one number: a missing intermediate, an unknown root, a root that
this firmware does not have yet.

That a phone ends a path at an intermediate of its list is inference (L): OpenSSL does
so only where X509_V_FLAG_PARTIAL_CHAIN is set, and nobody knows whether phones set it.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from itertools import pairwise
from typing import Final

from cryptography import x509
from cryptography.x509.oid import AuthorityInformationAccessOID

from linekey.certs.certificate import Certificate
from linekey.certs.lines import Line, build, is_likely, is_over, issues, prove_as, reads
from linekey.certs.path import PathProblem, PathResult, prove
from linekey.certs.restate import differs, restate
from linekey.certs.verify_errors import UNSPECIFIED
from linekey.errors import CertificateError
from linekey.said import mark, say, together
from linekey.trust.findings import Finding, failed, held
from linekey.trust.shape import issued, same_holder
from linekey.trust.store import TrustStore

NO_PATH: Final = frozenset({2, 18, 19, 20, 21, 27})
"""OpenSSL's numbers that mean: no path to anything trusted."""

DATES: Final = frozenset({9, 10, 13, 14})
"""OpenSSL's numbers for validity, which ``trust.validity`` tells in full."""

_RULE_OF: Final = {
    4: "chain.signature",
    6: "chain.malformed",
    7: "chain.signature",
    24: "chain.issuer-not-ca",
    25: "chain.path-length",
    26: "chain.purpose",
    32: "chain.issuer-not-ca",
    34: "chain.critical-extension",
    37: "chain.issuer-not-ca",
    47: "chain.name-constraints",
    48: "chain.name-constraints",
    49: "chain.name-constraints",
    51: "chain.name-constraints",
    52: "chain.name-constraints",
    53: "chain.name-constraints",
    79: "chain.issuer-not-ca",
}

_CURES: Final = {
    "chain.signature": say(
        "the certificate or its issuer was altered or swapped; take "
        "both afresh from the CA"
    ),
    "chain.issuer-not-ca": say(
        "have the leaf issued by a CA certificate (basicConstraints "
        "CA:TRUE, keyUsage keyCertSign)"
    ),
    "chain.path-length": say("have it issued by a CA whose path length allows it"),
    "chain.critical-extension": say(
        "have it issued without that extension, or with the extension not critical"
    ),
    "chain.name-constraints": say(
        "have it issued by a CA that may issue for this name"
    ),
    "chain.purpose": say(
        "issue the leaf with extendedKeyUsage serverAuth and keyUsage "
        "digitalSignature, keyEncipherment"
    ),
    "chain.malformed": say("have the certificate issued anew"),
}
_PROBLEMS: Final = {
    "chain.signature": mark("the signature on %(subject)s does not verify"),
    "chain.issuer-not-ca": mark("%(subject)s issued a certificate and is no CA"),
    "chain.path-length": mark("%(subject)s may not have CAs that deep below it"),
    "chain.critical-extension": mark(
        "%(subject)s has a critical extension that is not understood"
    ),
    "chain.name-constraints": mark(
        "%(subject)s lies outside the names its CA may issue for"
    ),
    "chain.purpose": mark("%(subject)s may not be used for a TLS server"),
    "chain.malformed": mark("%(subject)s cannot be used: %(why)s"),
}
"""What each rule says that OpenSSL's answer alone broke."""
_SHOWN: Final = say("what the server shows")


@dataclass(frozen=True, slots=True)
class Proof:
    """What came of the search for a path.

    ``path`` is leaf first: proved where ``ok``, else as far as names lead.
    ``anchored`` is true where its last certificate is one the phone trusts.
    """

    ok: bool
    path: tuple[Certificate, ...]
    anchored: bool
    findings: tuple[Finding, ...]


def find_path(
    chain: Sequence[Certificate],
    store: TrustStore,
    now: datetime,
    known: Sequence[Certificate] = (),
    *,
    line: Line,
) -> Proof:
    """The path that the phone's line of OpenSSL builds for a non-empty chain.

    All problems, not the first.
    ``known`` are certificates known from elsewhere (Mozilla's roots of any date,
    intermediates of other servers): they vouch for nothing, and only help to say what
    is missing.
    """
    leaf, sent = chain[0], tuple(dict.fromkeys(chain[1:]))
    entry = store.entry(leaf)
    on_tab = entry is not None and not store.is_exception(leaf)
    anchors = _near(leaf, sent, store.anchors)
    roots = (leaf, *anchors) if on_tab else anchors
    unread = [c for c in (leaf, *sent) if not reads(line, c)]
    if on_tab:
        result = _prove_listed(leaf, sent, roots, now)
    else:
        result = prove_as(
            line, leaf, sent, anchors, at=now, purpose="server", partial_chain=True
        )
    problems = [
        p
        for p in result.problems
        if p.code not in DATES
        and not (p.code == UNSPECIFIED and p.certificate in unread)
    ]
    pathless = [p for p in problems if p.code in NO_PATH]
    findings = [unreadable(_why_unread(c), c.label) for c in unread]
    findings += [_told(p) for p in problems if p.code not in NO_PATH]
    path = result.path
    if pathless:
        findings.append(_missing(chain, path, store, now, known, pathless[0]))
        findings += _passed_over(path, (*sent, *anchors), findings)
    elif on_tab and path == (leaf,):
        findings.append(
            held(
                "chain.tab-leaf",
                "the leaf itself is on the phone's Server Certificates tab",
                leaf.label,
            )
        )
    else:
        findings.append(
            held("chain.untrusted", f"the path ends at {path[-1].label}", _said(path))
        )
        findings += _cross_signs(path, known)
    if not on_tab:
        findings += _other_lines(line, path, sent, anchors, now)
    return Proof(
        result.ok,
        path,
        not pathless and path[-1] in set(roots),
        tuple(findings),
    )


def _prove_listed(
    leaf: Certificate,
    sent: Sequence[Certificate],
    roots: Sequence[Certificate],
    now: datetime,
) -> PathResult:
    """For a leaf on the tab; today's OpenSSL is shown a form that it reads."""
    shown = restate((leaf,), old=True)[0] if differs(leaf, old=True) else leaf
    own = [shown if c == leaf else c for c in roots]
    found = prove(shown, sent, own, at=now, purpose="server", partial_chain=True)
    return replace(
        found,
        path=tuple(leaf if c == shown else c for c in found.path),
        problems=tuple(
            replace(p, certificate=leaf) if p.certificate == shown else p
            for p in found.problems
        ),
    )


def unreadable(why: str, label: str = _SHOWN) -> Finding:
    """That no handshake goes on over a certificate, whatever the settings are."""
    return failed(
        "chain.unreadable",
        say(
            "%(certificate)s cannot be read by the phone's OpenSSL, which then ends "
            "the TLS handshake, whatever the phone's settings are",
            certificate=label,
        ),
        evidence=why,
        cure=_CURES["chain.malformed"],
    )


def _why_unread(certificate: Certificate) -> str:
    try:
        certificate.openssl  # noqa: B018 - its refusal is the reason
    except CertificateError as error:
        return error.message
    return ""


def _said(path: Sequence[Certificate]) -> str:
    return " ← ".join(c.label for c in path)


def _near(
    leaf: Certificate, sent: Sequence[Certificate], anchors: Sequence[Certificate]
) -> tuple[Certificate, ...]:
    """The anchors that can matter: those whose name stands in what was sent.

    A phone has some 140 authorities and a chain speaks of two or three; one look at
    each anchor's name leaves the proof with those. An anchor that is no root brings
    its own issuer's name in.
    """
    wanted = {c.issuer.canonical for c in (leaf, *sent)}
    wanted |= {c.subject.canonical for c in sent}
    chosen: tuple[Certificate, ...] = ()
    while True:
        found = tuple(a for a in anchors if a.subject.canonical in wanted)
        more = {a.issuer.canonical for a in found} - wanted
        if len(found) == len(chosen) or not more:
            return found
        wanted |= more
        chosen = found


def _told(problem: PathProblem) -> Finding:
    rule = _RULE_OF.get(problem.code, "chain.malformed")
    subject = problem.certificate.label
    said = say(_PROBLEMS[rule], subject=subject, why=problem.detail)
    return failed(
        rule,
        said,
        evidence=f"{problem.detail}; OpenSSL {problem.code} ({problem.name}) at depth "
        f"{problem.depth}",
        cure=_CURES[rule],
        x509_error=problem.code,
    )


def _missing(
    chain: Sequence[Certificate],
    path: Sequence[Certificate],
    store: TrustStore,
    now: datetime,
    known: Sequence[Certificate],
    problem: PathProblem,
) -> Finding:
    leaf, top = path[0], path[-1]
    issuer = top.issuer_label
    evidence = (
        f"{_said(path)}: {problem.detail}; OpenSSL {problem.code} ({problem.name})"
    )
    provision = say(
        "provision the CA to the phones in <certificates>, or use a certificate from "
        "an authority they have"
    )
    if problem.code == 18:
        return failed(
            "chain.self-signed",
            say(
                "%(certificate)s is self-signed, and is not on the phone",
                certificate=leaf.label,
            ),
            evidence=evidence,
            cure=say(
                "provision this certificate to the phones in <certificates>, add it as "
                "an exception on the phone's Certificates page, or use a certificate "
                "from a CA that they have"
            ),
            x509_error=problem.code,
        )
    if problem.code == 19:
        return failed(
            "chain.untrusted",
            say(
                "the path ends at %(certificate)s, which is not on the phone",
                certificate=top.label,
            ),
            evidence=evidence,
            cure=provision,
            x509_error=problem.code,
        )
    bridge = _bridge(chain, store, now, known)
    if bridge:
        return failed(
            "chain.incomplete",
            say(
                "the server does not send %(missing)s, and the phone does not have it",
                missing=together(c.label for c in bridge),
            ),
            evidence=evidence,
            cure=say("append the missing certificate to the server's chain file"),
            x509_error=problem.code,
        )
    if any(issued(root, top) for root in known if root.self_issued):
        return failed(
            "chain.untrusted",
            say(
                "the path leads to %(issuer)s, which is not among this phone's "
                "authorities",
                issuer=issuer,
            ),
            evidence=evidence,
            cure=say("%(cure)s; a newer firmware may have it", cure=provision),
            x509_error=problem.code,
        )
    if top == leaf:
        where = issuer_urls(leaf)
        return failed(
            "chain.incomplete",
            say(
                "%(issuer)s, which issued the leaf, is neither sent nor on the phone",
                issuer=issuer,
            ),
            evidence=evidence,
            cure=say(
                "append the CA's intermediate certificates to the server's chain file "
                "(the leaf says they are at %(where)s); if the CA is your own root, "
                "%(cure)s"
                if where
                else "append the CA's intermediate certificates to the server's chain "
                "file; if the CA is your own root, %(cure)s",
                where=", ".join(where),
                cure=provision,
            ),
            x509_error=problem.code,
        )
    return failed(
        "chain.untrusted",
        say(
            "the path leads to %(issuer)s, which is neither sent nor on the phone",
            issuer=issuer,
        ),
        evidence=evidence,
        cure=provision,
        x509_error=problem.code,
    )


def _passed_over(
    path: Sequence[Certificate],
    candidates: Sequence[Certificate],
    said: Sequence[Finding],
) -> list[Finding]:
    """Those at hand that no phone takes for the missing issuer: they may not sign."""
    if any(f.rule == "chain.issuer-not-ca" for f in said):
        return []
    return [
        failed(
            "chain.issuer-not-ca",
            say(
                "%(certificate)s may not sign certificates, so the phone does not "
                "accept it as the issuer of %(below)s",
                certificate=found.label,
                below=path[-1].label,
            ),
            evidence=f"its keyUsage is {', '.join(sorted(found.key_usage or ()))}",
            cure=_CURES["chain.issuer-not-ca"],
            x509_error=79,
        )
        for found in dict.fromkeys(candidates)
        if is_likely(found, path[-1]) and not issues(found, path[-1])
    ]


def issuer_urls(certificate: Certificate) -> tuple[str, ...]:
    """Where a certificate says that its issuer's is (RFC 5280 §4.2.2.1, caIssuers).

    Only told, never fetched. Empty where it says nothing or cannot be read.
    """
    try:
        access = certificate.x509.extensions.get_extension_for_class(
            x509.AuthorityInformationAccess
        ).value
    except (CertificateError, x509.ExtensionNotFound, ValueError):
        return ()
    return tuple(
        entry.access_location.value
        for entry in access
        if entry.access_method == AuthorityInformationAccessOID.CA_ISSUERS
        and isinstance(entry.access_location, x509.UniformResourceIdentifier)
    )


def _bridge(
    chain: Sequence[Certificate],
    store: TrustStore,
    now: datetime,
    known: Sequence[Certificate],
) -> tuple[Certificate, ...]:
    """The certificates of ``known`` that would complete the path, if they do."""
    more = tuple(c for c in known if not c.self_issued and c.is_ca)
    if not more:
        return ()
    pool = (*chain[1:], *more)
    anchors = _near(chain[0], pool, store.anchors)
    result = prove(
        chain[0], pool, anchors, at=now, purpose="server", partial_chain=True
    )
    if any(p.code in NO_PATH for p in result.problems):
        return ()
    have = {*chain, *anchors}
    return tuple(c for c in result.path if c not in have)


def missing_intermediates(
    chain: Sequence[Certificate],
    store: TrustStore,
    now: datetime,
    known: Sequence[Certificate],
) -> tuple[Certificate, ...]:
    """What to append to the server's chain file, lowest first; empty if not known."""
    return _bridge(chain, store, now, known) if chain else ()


def _cross_signs(
    path: Sequence[Certificate], known: Sequence[Certificate]
) -> list[Finding]:
    return [
        failed(
            "chain.cross-sign",
            say(
                "the phone does not have the root %(root)s; the path holds only "
                "through its cross-sign by %(above)s, until %(day)s",
                root=certificate.label,
                above=above.label,
                day=min(certificate.not_after, above.not_after).date(),
            ),
            severity="warning",
            evidence=_said(path),
            cure=say(
                "keep sending the cross-signed certificate, and provision the root "
                "itself to these phones before that day"
            ),
        )
        for certificate, above in pairwise(path[1:])
        if any(r.self_issued and same_holder(r, certificate) for r in known)
    ]


_NEWER: Final[Line] = "1.1.1"


def _other_lines(
    line: Line,
    path: Sequence[Certificate],
    sent: Sequence[Certificate],
    anchors: Sequence[Certificate],
    now: datetime,
) -> list[Finding]:
    """Where this phone's path is not a newer OpenSSL's, and until when it holds.

    Told only if the newer one is fine: it shows the cure.
    """
    newer = build(_NEWER, path[0], sent, anchors, at=now, partial_chain=True)
    if not newer.trusted or newer.path == tuple(path):
        return []
    if any(now < c.not_before or is_over(c, now) for c in newer.path):
        return []
    surplus = [c for c in path if c in sent and c not in newer.path]
    if not surplus:
        return []
    first = min(path, key=lambda c: c.not_after)
    names = together(
        say(
            "%(certificate)s (issued by %(issuer)s)",
            certificate=c.label,
            issuer=c.issuer_label,
        )
        for c in surplus
    )
    return [
        failed(
            "chain.cross-sign",
            say(
                "OpenSSL %(line)s, which this phone is assumed to use, follows the "
                "sent %(names)s before the phone's own list; that path broke on "
                "%(day)s, when %(first)s ends. OpenSSL 1.1.0 and newer take the "
                "phone's own %(root)s, until %(end)s"
                if is_over(first, now)
                else "OpenSSL %(line)s, which this phone is assumed to use, follows "
                "the sent %(names)s before the phone's own list; that path breaks on "
                "%(day)s, when %(first)s ends. OpenSSL 1.1.0 and newer take the "
                "phone's own %(root)s, until %(end)s",
                line=line,
                names=names,
                day=f"{first.not_after:%Y-%m-%d}",
                first=first.label,
                root=newer.path[-1].label,
                end=f"{min(c.not_after for c in newer.path):%Y-%m-%d}",
            ),
            severity="warning",
            evidence=f"this phone: {_said(path)}; newer: {_said(newer.path)}",
            cure=say("remove %(names)s from the server's chain file", names=names),
            confidence="L",
        )
    ]
