"""Prove a path from a certificate to an authority, and tell all that stands against it.

Theory of operation. OpenSSL decides: ``prove`` is ok when X509_verify_cert says so, at
security level 0, so that SHA-1, MD5, RSA-1024 and version 1 chains count as any other
(OPENSSL-RUN); which of them a phone may have is for others to rule. But OpenSSL
stops at its first error. So after a refusal each dimension is looked at by itself, on
the likeliest path that the names allow:

- time: each certificate's dates, by themselves;
- each link: the issuer as the one trusted certificate, partial chains allowed and time
  ignored, so that what OpenSSL says there is about this signature and this issuer;
- trust: whether the path ends in one of the roots;
- path lengths, and the purpose, for every certificate;
- the whole, with time ignored and the path's end trusted: what is left then (name
  constraints, critical extensions) was hidden behind the others.

No signature is checked in Python. No clock is read: ``at`` is an argument.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from itertools import pairwise
from typing import Any, Literal

from OpenSSL import SSL, crypto

from linekey.certs import der as asn1
from linekey.certs import verify_errors as err
from linekey.certs.algorithms import SUBJECT_KEY_ID
from linekey.certs.certificate import Certificate
from linekey.errors import CertificateError
from linekey.said import say

Purpose = Literal["server", "client"]
"""What the first certificate is to be used for: TLS server or TLS client."""

# pyOpenSSL does not name the call; its own wrappers use it.
_lib: Any = SSL._lib  # type: ignore[attr-defined]
_NO_CHECK_TIME = 0x200000  # X509_V_FLAG_NO_CHECK_TIME, absent from X509StoreFlags
_MAX_DEPTH = 16  # Real chains have five at most; OpenSSL's default limit is 100
_MAX_STEPS = 2_000  # of the search over hostile bundles of like-named certificates


@dataclass(frozen=True, slots=True)
class PathProblem:
    """One thing that stands against a path.

    ``code`` is OpenSSL's X509_V_ERR number, ``name`` its constant. ``depth`` counts
    from the first certificate, 0. ``detail`` is a lower-case clause for people.
    """

    code: int
    name: str
    depth: int
    certificate: Certificate
    detail: str


@dataclass(frozen=True, slots=True)
class PathResult:
    """What was proved.

    ``ok`` exactly when there are no problems. ``path`` runs from the leaf to the root
    (or the trusted intermediate): OpenSSL's when ok, else the likeliest one, as far as
    names lead.
    """

    ok: bool
    path: tuple[Certificate, ...]
    problems: tuple[PathProblem, ...] = ()

    @property
    def codes(self) -> frozenset[int]:
        """The problems' OpenSSL numbers."""
        return frozenset(problem.code for problem in self.problems)


def prove(
    leaf: Certificate,
    intermediates: Sequence[Certificate],
    roots: Sequence[Certificate],
    *,
    at: datetime | None,
    purpose: Purpose | None = None,
    partial_chain: bool = False,
) -> PathResult:
    """Prove that ``leaf`` leads to one of ``roots``, or say everything that is wrong.

    ``intermediates`` come in any order and may hold more than is needed, ``leaf``
    itself too. ``at`` (aware) is the time to prove for; None ignores validity.
    ``partial_chain`` lets any of ``roots`` end the path, self-signed or not, the leaf
    included. ``purpose`` asks for OpenSSL's checks of keyUsage and extendedKeyUsage.
    Raises CertificateError for a naive ``at``, and nothing else.
    """
    if at is not None and at.tzinfo is None:
        raise CertificateError(f"a time without time zone: {at.isoformat()!r}")
    others = [c for c in dict.fromkeys(intermediates) if c != leaf]
    outcome = verify(leaf, others, roots, at=at, partial_chain=partial_chain)
    if isinstance(outcome, tuple):
        problems = tuple(against_purpose(outcome, purpose))
        return PathResult(not problems, outcome, problems)
    path = _likeliest(leaf, others, roots, partial_chain=partial_chain)
    found: dict[tuple[int, Certificate], PathProblem] = {}
    for problem in (
        *against_time(path, at),
        *against_links(path),
        *against_trust(path, others, roots, partial_chain=partial_chain),
        *against_lengths(path),
        *against_purpose(path, purpose),
        *hidden(path),
    ):
        found.setdefault((problem.code, problem.certificate), problem)
    # OpenSSL's own first error is always among them, whichever path it took.
    first = outcome
    said = {code for code, _ in found}
    if first.code not in said and not (
        first.code in err.TRUST_ERRORS and said & err.TRUST_ERRORS
    ):
        found[first.code, first.certificate] = first
    ordered = sorted(found.values(), key=lambda p: (p.depth, p.code))
    return PathResult(not ordered, path, tuple(ordered))


def candidate_paths(
    leaf: Certificate,
    intermediates: Sequence[Certificate],
    roots: Sequence[Certificate],
    *,
    partial_chain: bool = False,
    limit: int = 16,
) -> tuple[tuple[Certificate, ...], ...]:
    """Every path that names and key identifiers allow, at most ``limit``, best first.

    Those that end in one of ``roots`` come first, then the shorter. A path that ends
    elsewhere leads to a root that is not trusted, or to a missing issuer. Nothing is
    proved.
    """
    anchors = set(roots)
    pool = list(dict.fromkeys((*roots, *intermediates)))
    by_subject: dict[object, list[Certificate]] = {}
    for certificate in pool:
        by_subject.setdefault(certificate.subject.canonical, []).append(certificate)
    found: list[tuple[Certificate, ...]] = []
    steps = 0
    open_paths: list[tuple[Certificate, ...]] = [(leaf,)]
    while open_paths and steps < _MAX_STEPS:
        steps += 1
        path = open_paths.pop()
        top = path[-1]
        if top in anchors and (partial_chain or top.self_issued):
            found.append(path)
            continue
        issuers = [
            c
            for c in by_subject.get(top.issuer.canonical, ())
            if c not in path and ids_agree(top, c)
        ]
        if not issuers or len(path) == _MAX_DEPTH or is_root(top):
            found.append(path)
        else:
            open_paths.extend((*path, issuer) for issuer in reversed(issuers))
    found.sort(key=lambda p: (p[-1] not in anchors, not is_root(p[-1]), len(p)))
    return tuple(found[:limit])


def is_root(certificate: Certificate) -> bool:
    """Whether it names itself as its issuer, key identifiers included."""
    return certificate.self_issued and ids_agree(certificate, certificate)


def ids_agree(child: Certificate, issuer: Certificate) -> bool:
    """Whether key identifiers allow the issuer: where one is missing, they do."""
    wanted, offered = child.authority_key_id, issuer.subject_key_id
    return wanted is None or offered is None or wanted == offered


def _likeliest(
    leaf: Certificate,
    others: Sequence[Certificate],
    roots: Sequence[Certificate],
    *,
    partial_chain: bool,
) -> tuple[Certificate, ...]:
    """The path to explain: the first whose links hold, else the first of all.

    At most two checks for each certificate at hand: the names of a hostile bundle allow
    many more links than that, and explaining must not cost more than proving.
    """
    paths = candidate_paths(leaf, others, roots, partial_chain=partial_chain)
    anchors = set(roots)
    anchored = [p for p in paths if p[-1] in anchors]
    broken: dict[tuple[Certificate, Certificate], bool] = {}
    for path in anchored or paths:
        for link in pairwise(path):
            if link not in broken:
                if len(broken) > 2 * len({leaf, *others, *roots}):
                    return paths[0]
                broken[link] = any(against_links(link))
            if broken[link]:
                break
        else:
            return path
    return paths[0] if paths else (leaf,)


def verify(
    leaf: Certificate,
    others: Sequence[Certificate],
    roots: Sequence[Certificate],
    *,
    at: datetime | None,
    partial_chain: bool,
) -> tuple[Certificate, ...] | PathProblem:
    """OpenSSL's word: the path it proved, or its first error.

    It checks one signature for each certificate of its path but the last, at most.
    """
    try:
        subject = leaf.openssl
    except CertificateError as error:
        return as_problem(err.UNSPECIFIED, 0, leaf, error.message)
    try:
        store = crypto.X509Store()
        for anchor in map(_loaded, roots):
            if anchor is not None:
                store.add_cert(anchor)
        flags = crypto.X509StoreFlags.PARTIAL_CHAIN if partial_chain else 0
        if at is None:
            flags |= _NO_CHECK_TIME
        else:
            store.set_time(at.astimezone(UTC))
        if flags:
            store.set_flags(flags)
        chain = [c for c in map(_loaded, others) if c is not None]
        proved = crypto.X509StoreContext(store, subject, chain).get_verified_chain()
        return tuple(Certificate.from_openssl(c) for c in proved)
    except crypto.X509StoreContextError as error:
        code, depth, text = error.errors
        detail = err.error_text(code) if code in err.ERRORS else text
        return as_problem(code, depth, _culprit(error, leaf), detail)
    except crypto.Error:
        return as_problem(err.UNSPECIFIED, 0, leaf)
    finally:
        # A failed proof leaves its reasons in OpenSSL's queue, where the TLS connection
        # in whose verify callback we may stand would take them for its own.
        _lib.ERR_clear_error()


def _culprit(error: crypto.X509StoreContextError, leaf: Certificate) -> Certificate:
    """The certificate that OpenSSL stopped at; the leaf where it names none."""
    try:
        return Certificate.from_openssl(error.certificate)
    except CertificateError:
        return leaf


def _loaded(certificate: Certificate) -> crypto.X509 | None:
    """For OpenSSL; one that it cannot load cannot be part of a path."""
    try:
        return certificate.openssl
    except CertificateError:
        return None


def as_problem(
    code: int, depth: int, certificate: Certificate, detail: str = ""
) -> PathProblem:
    """One problem by its OpenSSL number, in the words of ``verify_errors``."""
    return PathProblem(
        code,
        err.error_name(code),
        depth,
        certificate,
        detail or err.error_text(code),
    )


def against_time(
    path: Sequence[Certificate], at: datetime | None
) -> Iterator[PathProblem]:
    """Every certificate outside its dates at this time; nothing for None."""
    if at is None:
        return
    moment = at.replace(microsecond=0)  # OpenSSL counts in seconds
    for depth, certificate in enumerate(path):
        if not certificate.strict_times:
            said = say("its dates are not written as RFC 5280 has it")
            yield as_problem(
                err.ERROR_IN_CERT_NOT_BEFORE_FIELD, depth, certificate, said
            )
        if not certificate.readable_times:
            continue
        if certificate.not_before > moment:
            day = f"{certificate.not_before:%Y-%m-%d %H:%M:%S} UTC"
            yield as_problem(
                err.CERT_NOT_YET_VALID,
                depth,
                certificate,
                say("it begins on %(day)s", day=day),
            )
        if certificate.not_after < moment:
            day = f"{certificate.not_after:%Y-%m-%d %H:%M:%S} UTC"
            yield as_problem(
                err.CERT_HAS_EXPIRED,
                depth,
                certificate,
                say("it ended on %(day)s", day=day),
            )


def against_links(path: Sequence[Certificate]) -> Iterator[PathProblem]:
    """What OpenSSL says of every child with its issuer, each pair by itself."""
    for depth, (child, issuer) in enumerate(pairwise(path)):
        said = verify(child, (), (issuer,), at=None, partial_chain=True)
        if not isinstance(said, PathProblem):
            continue
        yield replace(said, depth=depth + said.depth)
        if said.code == err.INVALID_CA and said.certificate == issuer:
            # OpenSSL stopped before the signature: ask again, as if it were one.
            said = verify(
                child, (), (as_authority(issuer),), at=None, partial_chain=True
            )
            if isinstance(said, PathProblem) and said.certificate == child:
                yield replace(said, depth=depth)


def as_authority(issuer: Certificate) -> Certificate:
    """A stand-in with the same name and key that says CA:TRUE; its signature is void.

    Only ever the one trusted certificate of a link, whose signature OpenSSL does not
    check; what is asked is whether its key signed the child.
    """
    extensions = [b"\x30\x0c\x06\x03\x55\x1d\x13\x04\x05\x30\x03\x01\x01\xff"]
    if issuer.subject_key_id is not None:
        value = asn1.write(asn1.OCTET_STRING, issuer.subject_key_id)
        extensions.append(
            asn1.write(
                asn1.SEQUENCE,
                asn1.write(asn1.OBJECT_IDENTIFIER, SUBJECT_KEY_ID),
                asn1.write(asn1.OCTET_STRING, value),
            )
        )
    algorithm = asn1.write(asn1.SEQUENCE, asn1.write_oid("1.2.840.113549.1.1.11"))
    tbs = asn1.write(
        asn1.SEQUENCE,
        asn1.write(0xA0, asn1.write_integer(2)),
        asn1.write_integer(1),
        algorithm,
        issuer.subject.der,
        asn1.write(
            asn1.SEQUENCE,
            asn1.write_time(issuer.not_before),
            asn1.write_time(issuer.not_after),
        ),
        issuer.subject.der,
        issuer.public_key_der,
        asn1.write(0xA3, asn1.write(asn1.SEQUENCE, *extensions)),
    )
    void = asn1.write(asn1.BIT_STRING, b"\x00\x00")
    return Certificate.from_der(asn1.write(asn1.SEQUENCE, tbs, algorithm, void))


def against_trust(
    path: Sequence[Certificate],
    others: Sequence[Certificate],
    roots: Sequence[Certificate],
    *,
    partial_chain: bool,
) -> Iterator[PathProblem]:
    """The path must end in a root; OpenSSL's number says how it fails to."""
    top = path[-1]
    trusted = top in set(roots)
    if trusted and (partial_chain or top.self_issued):
        return
    depth = len(path) - 1
    if is_root(top):
        code = (
            err.SELF_SIGNED_CERT_IN_CHAIN if depth else err.DEPTH_ZERO_SELF_SIGNED_CERT
        )
        yield as_problem(code, depth, top, _namesake(top, roots))
    elif trusted:
        yield as_problem(err.UNABLE_TO_GET_ISSUER_CERT, depth, top)
    else:
        code = err.UNABLE_TO_GET_ISSUER_CERT_LOCALLY
        yield as_problem(code, depth, top, _missing_issuer(top, (*roots, *others)))


def _namesake(top: Certificate, roots: Sequence[Certificate]) -> str:
    if any(root.subject.matches(top.subject) for root in roots):
        return say(
            "it is self-signed and not trusted; the trusted %(label)s has the same "
            "name and another key or serial number",
            label=top.label,
        )
    return say("the path ends in %(label)s, which is not trusted", label=top.label)


def _missing_issuer(top: Certificate, known: Sequence[Certificate]) -> str:
    if any(c.subject.matches(top.issuer) for c in known):
        return say(
            "its issuer %(issuer)s is known by name, but the certificate with that "
            "name has another key identifier: another key signed this one",
            issuer=top.issuer_label,
        )
    return say(
        "its issuer %(issuer)s is neither sent nor trusted",
        issuer=top.issuer_label,
    )


def against_lengths(path: Sequence[Certificate]) -> Iterator[PathProblem]:
    """PathLenConstraint of every authority (RFC 5280 §4.2.1.9), as OpenSSL counts."""
    below = 0
    for depth, certificate in enumerate(path):
        if depth == 0:
            continue
        allowed = certificate.path_length
        if certificate.is_ca and allowed is not None and below > allowed:
            yield as_problem(
                err.PATH_LENGTH_EXCEEDED,
                depth,
                certificate,
                say(
                    "it allows %(allowed)s authorities below it, and %(below)s stand "
                    "there",
                    allowed=allowed,
                    below=below,
                ),
            )
        if not certificate.self_issued:
            below += 1


def against_purpose(
    path: Sequence[Certificate], purpose: Purpose | None
) -> Iterator[PathProblem]:
    """OpenSSL's rules: check_purpose_ssl_server and check_purpose_ssl_client."""
    if purpose is None:
        return
    usage = "serverAuth" if purpose == "server" else "clientAuth"
    accepted = {usage}
    key_usages = {"digitalSignature", "keyAgreement"}
    if purpose == "server":
        key_usages.add("keyEncipherment")
        # Microsoft's and Netscape's old "server gated crypto", which OpenSSL takes.
        accepted |= {"1.3.6.1.4.1.311.10.3.3", "2.16.840.1.113730.4.1"}
    for depth, certificate in enumerate(path):
        extended = certificate.extended_key_usage
        if extended is not None and not accepted & set(extended):
            listed = ", ".join(extended) or "empty"
            yield as_problem(
                err.INVALID_PURPOSE,
                depth,
                certificate,
                say(
                    "its extendedKeyUsage is %(listed)s, not %(usage)s",
                    listed=listed,
                    usage=usage,
                ),
            )
        elif (
            depth == 0
            and certificate.key_usage is not None
            and not key_usages & certificate.key_usage
        ):
            listed = ", ".join(sorted(certificate.key_usage)) or "empty"
            yield as_problem(
                err.INVALID_PURPOSE,
                0,
                certificate,
                say("its keyUsage is %(listed)s", listed=listed),
            )
        elif not netscape_allows(certificate, depth, purpose):
            listed = ", ".join(sorted(certificate.netscape_cert_type or ()))
            yield as_problem(
                err.INVALID_PURPOSE,
                depth,
                certificate,
                say(
                    "its nsCertType is %(listed)s, not %(usage)s",
                    listed=listed or "empty",
                    usage=purpose if depth == 0 else "sslCA",
                ),
            )


def netscape_allows(certificate: Certificate, depth: int, purpose: Purpose) -> bool:
    """OpenSSL's ns_reject for the leaf, and check_ssl_ca for an authority.

    An authority's type counts only where nothing else says that it is one.
    """
    types = certificate.netscape_cert_type
    if types is None:
        return True
    if depth == 0:
        return purpose in types
    marked = certificate.is_ca is not None or certificate.key_usage is not None
    return marked or "sslCA" in types


def hidden(path: tuple[Certificate, ...]) -> Iterator[PathProblem]:
    """What OpenSSL still refuses with time ignored and the path's end trusted."""
    said = verify(path[0], path[1:-1], path[-1:], at=None, partial_chain=True)
    if isinstance(said, PathProblem):
        yield said
