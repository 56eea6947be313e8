"""The one path that a line of OpenSSL builds, and what it says of that path.

Theory of operation. OpenSSL never searches among paths: it builds one, by names, key
identifiers and keyUsage, and judges that. Which one, its line decides (X509_verify_cert
and get_issuer in crypto/x509/x509_vfy.c, check_issued in crypto/x509v3/v3_purp.c):

- up to 1.0.2 what was sent is followed first, as far as it goes, and then the own list;
  so a cross-signed root that was sent leads past the own copy of that root, and a path
  that ends at an expired root refuses (the outage of 2021-09-30);
- where that ends at no root, 1.0.1n and later 1.0.1, and 1.0.2, take what was sent away
  again, from the top, until the own list has an issuer; 0.9.8 and 1.0.0 give up;
- from 1.1.0 on the own list is asked first, for every certificate, and among namesakes
  one that is valid today goes before one that is not.

The order of both lists decides among namesakes. Up to 1.0.2 nobody asks whether a
certificate of the own list is a CA, for servers, or may have so many below it.

The OpenSSL of our own Python cannot be told to build as an old line does (its binding
cannot clear X509_V_FLAG_TRUSTED_FIRST); so the path is built here, and OpenSSL proves
it: each link's signature and the whole (docs/decisions/0016-a-phones-own-path.md).

The lines themselves are the referees of this file (tests/live/test_line_paths.py). No
clock is read: ``at`` is an argument.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Final, Literal

from linekey.certs import path as proof
from linekey.certs import restate as again
from linekey.certs import verify_errors as err
from linekey.certs.certificate import Certificate
from linekey.certs.path import PathProblem, PathResult, Purpose
from linekey.errors import CertificateError

Line = Literal["0.9.8", "1.0.0", "1.0.1", "1.0.2", "1.1.1"]
"""A line of OpenSSL, named by its version: 1.0.1 as of 1.0.1u, 1.0.2 as of 1.0.2s."""

_DEPTH: Final = 100  # X509_VERIFY_PARAM's default depth
_OF_EXTENSIONS: Final = frozenset(
    {
        err.INVALID_CA,
        err.PATH_LENGTH_EXCEEDED,
        err.INVALID_PURPOSE,
        err.UNHANDLED_CRITICAL_EXTENSION,
    }
)
_OF_CONSTRAINTS: Final = frozenset(range(47, 55))  # X509_V_ERR_PERMITTED_VIOLATION …
_OF_TIMES: Final = frozenset({13, 14})  # X509_V_ERR_ERROR_IN_CERT_NOT_BEFORE_FIELD …
_NO_ALTERNATIVE: Final = frozenset({"0.9.8", "1.0.0"})
_OWN_LIST_FIRST: Final = frozenset({"1.1.1"})
_MORE_DATES: Final = frozenset({"0.9.8", "1.0.0", "1.0.1"})  # as 1.0.2o; 1.0.2s not
_BRAINPOOL: Final = frozenset({"1.0.2", "1.1.1"})
_KEY_AGREEMENT_SERVES: Final = frozenset({"1.0.2", "1.1.1"})


@dataclass(frozen=True, slots=True)
class BuiltPath:
    """What a line builds, leaf first; ``trusted`` where it ends as it should."""

    path: tuple[Certificate, ...]
    trusted: bool
    sent: int
    """How many of them were sent; the others are of the own list."""


def is_likely(issuer: Certificate, child: Certificate) -> bool:
    """OpenSSL's x509_likely_issued: the name, and all that the key identifier says."""
    if not issuer.subject.matches(child.issuer):
        return False
    if not proof.ids_agree(child, issuer):
        return False
    name, serial = child.authority_serial
    if serial is not None and serial != issuer.serial:
        return False
    return name is None or name.matches(issuer.issuer)


def issues(issuer: Certificate, child: Certificate) -> bool:
    """OpenSSL's X509_check_issued: likely, and keyUsage lets it sign certificates."""
    usage = issuer.key_usage
    return is_likely(issuer, child) and (usage is None or "keyCertSign" in usage)


def is_over(certificate: Certificate, at: datetime) -> bool:
    """Whether a phone's line takes it for expired: from the second of notAfter on.

    X509_cmp_time calls equal times "earlier", from 1.0.1u to 3.x (H: tests/live/
    test_forecast_replay.py). OpenSSL 4 counts that second in, as RFC 5280 §4.1.2.5.
    """
    return certificate.not_after <= at


def reads_dates(line: Line, certificate: Certificate) -> bool:
    """Whether the line finds dates in its two fields, whatever they are."""
    if line in _MORE_DATES:
        return certificate.readable_times
    return certificate.strict_times


def reads(line: Line, certificate: Certificate) -> bool:
    """Whether the line can take the certificate apart; else no handshake goes on."""
    return again.reads(certificate, old=line not in _OWN_LIST_FIRST)


def build(
    line: Line,
    leaf: Certificate,
    sent: Sequence[Certificate],
    anchors: Sequence[Certificate],
    *,
    at: datetime,
    partial_chain: bool,
) -> BuiltPath:
    """The path that ``line`` builds; both lists in the order in which they stand.

    ``partial_chain``: an anchor that is no root may end the path, too
    (X509_V_FLAG_PARTIAL_CHAIN).
    """
    builder = _Builder(
        line, leaf, tuple(dict.fromkeys(sent)), anchors, at, partial_chain
    )
    if line in _OWN_LIST_FIRST:
        return builder.own_list_first()
    return builder.sent_first()


def prove_as(
    line: Line,
    leaf: Certificate,
    sent: Sequence[Certificate],
    anchors: Sequence[Certificate],
    *,
    at: datetime,
    purpose: Purpose | None = None,
    partial_chain: bool = False,
) -> PathResult:
    """Prove the path that ``line`` builds, or tell all that stands against it.

    As ``path.prove``, for that one path. Raises CertificateError for a naive ``at``.
    """
    if at.tzinfo is None:
        raise CertificateError(f"a time without time zone: {at.isoformat()!r}")
    built = build(line, leaf, sent, anchors, at=at, partial_chain=partial_chain)
    others = [c for c in dict.fromkeys(sent) if c != leaf]
    found: dict[tuple[int, Certificate], PathProblem] = {}
    for problem in (
        *_against(line, built, others, anchors, at),
        *proof.against_purpose(built.path, purpose),
        *(_against_key_agreement(line, leaf) if purpose == "server" else ()),
        *_against_curves(line, built.path),
    ):
        if not _excused(line, built, problem):
            found.setdefault((problem.code, problem.certificate), problem)
    ordered = tuple(sorted(found.values(), key=lambda p: (p.depth, p.code)))
    return PathResult(not ordered, built.path, ordered)


def _excused(line: Line, built: BuiltPath, problem: PathProblem) -> bool:
    """Up to 1.0.2 only what was sent is looked at by check_chain_extensions."""
    if line in _OWN_LIST_FIRST or not built.trusted:
        return False
    # Today's OpenSSL may have reached the certificate by a shorter way.
    path = built.path
    known = problem.certificate in path
    depth = path.index(problem.certificate) if known else problem.depth
    return depth >= built.sent and problem.code in _OF_EXTENSIONS


def _against_curves(line: Line, path: Sequence[Certificate]) -> Iterator[PathProblem]:
    """Up to 1.0.1 OpenSSL has no Brainpool curves (RFC 5639; measured with 1.0.1u)."""
    if line in _BRAINPOOL:
        return
    for depth, issuer in enumerate(path[1:]):
        if (issuer.key.curve or "").startswith("brainpool"):
            said = f"its issuer's key is on {issuer.key.curve}"
            code = err.UNABLE_TO_DECODE_ISSUER_PUBLIC_KEY
            yield proof.as_problem(code, depth, path[depth], said)


def _against_key_agreement(line: Line, leaf: Certificate) -> Iterator[PathProblem]:
    """KU_TLS, which check_purpose_ssl_server asks for, has keyAgreement since 1.0.2."""
    usage = leaf.key_usage
    if line in _KEY_AGREEMENT_SERVES or usage is None:
        return
    if "keyAgreement" in usage and not usage & {"digitalSignature", "keyEncipherment"}:
        said = "its keyUsage has keyAgreement, no digitalSignature or keyEncipherment"
        yield proof.as_problem(err.INVALID_PURPOSE, 0, leaf, said)


def _against(
    line: Line,
    built: BuiltPath,
    others: Sequence[Certificate],
    anchors: Sequence[Certificate],
    at: datetime,
) -> Iterator[PathProblem]:
    path = built.path
    old = line not in _OWN_LIST_FIRST
    if any(again.differs(c, old=old) for c in path):
        yield from _against_restated(line, built, others, anchors, at)
        return
    said = proof.verify(path[0], path[1:-1], path[-1:], at=at, partial_chain=True)
    ends = [c for c in path if c.not_after == at.replace(microsecond=0)]
    if built.trusted and said == path and not ends:
        return
    found = [
        *proof.against_time(path, at),
        *(
            proof.as_problem(err.CERT_HAS_EXPIRED, path.index(c), c, "it ends now")
            for c in ends
        ),
        *proof.against_links(path),
        *proof.against_lengths(path),
        *_against_constraints(path),
        *proof.hidden(path),
    ]
    if not built.trusted:
        roots = [a for a in anchors if a not in path]
        found += proof.against_trust(path, others, roots, partial_chain=False)
    if not found and isinstance(said, PathProblem):
        found.append(said)
    yield from (
        problem
        for problem in found
        if problem.code not in _OF_TIMES or not reads_dates(line, problem.certificate)
    )
    if any(_excused(line, built, problem) for problem in found):
        # OpenSSL stopped at the anchor: ask again, as if nothing were wrong with it.
        place = max(built.sent, 1)
        if place < len(path):
            above = proof.as_authority(path[place])
            yield from proof.hidden((*path[:place], above))


def _against_restated(
    line: Line,
    built: BuiltPath,
    others: Sequence[Certificate],
    anchors: Sequence[Certificate],
    at: datetime,
) -> Iterator[PathProblem]:
    """As ``_against``, where today's OpenSSL reads otherwise than the line does."""
    path = again.restate(built.path, old=line not in _OWN_LIST_FIRST)
    if not all(map(again.loads, path)):
        for depth, certificate in enumerate(path):
            if not again.loads(certificate):
                own = built.path[depth]
                yield proof.as_problem(err.UNSPECIFIED, depth, own, "it cannot be read")
        return
    own_of = dict(zip(path, built.path, strict=True))
    for problem in _against(line, replace(built, path=path), others, anchors, at):
        found = own_of.get(problem.certificate, problem.certificate)
        yield replace(problem, certificate=found)
    yield from again.against_signatures(built.path)
    for problem in proof.against_time(built.path, at):
        if problem.code in _OF_TIMES and not reads_dates(line, problem.certificate):
            yield problem


def _against_constraints(path: Sequence[Certificate]) -> Iterator[PathProblem]:
    """Each name constraint of the path, whatever shorter way OpenSSL would go today."""
    for place, certificate in enumerate(path):
        if place and "2.5.29.30" in certificate.extensions:
            said = proof.verify(
                path[0], path[1:place], (certificate,), at=None, partial_chain=True
            )
            if isinstance(said, PathProblem) and said.code in _OF_CONSTRAINTS:
                yield said


class _Builder:
    def __init__(
        self,
        line: Line,
        leaf: Certificate,
        sent: tuple[Certificate, ...],
        anchors: Sequence[Certificate],
        at: datetime,
        partial_chain: bool,
    ) -> None:
        self.line = line
        self.newer = line in _OWN_LIST_FIRST
        self.path = [leaf]
        self.sent = list(sent)
        self.anchors = anchors
        self.at = at
        self.partial_chain = partial_chain

    def _valid(self, certificate: Certificate) -> bool:
        return certificate.not_before <= self.at and not is_over(certificate, self.at)

    def _first(
        self, candidates: Sequence[Certificate], child: Certificate
    ) -> Certificate | None:
        """The first that issues ``child``; from 1.1.0 the first that is valid, too."""
        found = None
        for candidate in candidates:
            if self.newer and candidate in self.path and candidate != child:
                continue  # X509_V_ERR_PATH_LOOP; older lines run to their depth limit
            # 1.1.1 takes an issuer that may not sign, and refuses it afterwards.
            if not (is_likely if self.newer else issues)(candidate, child):
                continue
            found = candidate
            if not self.newer or self._valid(candidate):
                break
        return found

    def _trusted(self, own: int) -> bool:
        """check_trust: a root among those that came from the own list."""
        from_list = self.path[own:]
        if self.partial_chain and from_list:
            return True
        return any(issues(c, c) for c in from_list)

    def sent_first(self) -> BuiltPath:
        """0.9.8 to 1.0.2."""
        path = self.path
        pool = self.sent
        while not issues(path[-1], path[-1]) and len(path) < _DEPTH:
            issuer = self._first(pool, path[-1])
            if issuer is None:
                break
            pool.remove(issuer)
            path.append(issuer)
        stray = None
        if issues(path[-1], path[-1]):
            if len(path) == 1:
                trusted = self._first(self.anchors, path[0]) == path[0]
                return BuiltPath(tuple(path), trusted, 0 if trusted else 1)
            stray = path.pop()
        own = left = len(path)
        while True:
            while not issues(path[-1], path[-1]) and len(path) < _DEPTH:
                issuer = self._first(self.anchors, path[-1])
                if issuer is None:
                    break
                path.append(issuer)
            if self._trusted(own):
                return BuiltPath(tuple(path), True, own)
            if self.line in _NO_ALTERNATIVE or (
                self.line == "1.0.1" and len(path) > own
            ):
                break
            while left > 1:
                left -= 1
                if self._first(self.anchors, path[left - 1]) is not None:
                    break
            else:
                break
            del path[left:]
            own = left
        if stray is not None and issues(stray, path[-1]):
            path.append(stray)
        return BuiltPath(tuple(path), False, own)

    def own_list_first(self) -> BuiltPath:
        """1.1.0 and later: build_chain with X509_V_FLAG_TRUSTED_FIRST."""
        path = self.path
        pool = self.sent
        own = 1
        from_sent = True
        while len(path) < _DEPTH:
            top = path[-1]
            root = issues(top, top)
            found = self._first(self.anchors, top)
            if found is not None and root:
                if found == top and len(path) == own:
                    path[-1] = found
                    return BuiltPath(tuple(path), True, own)
                if len(path) == own:
                    return BuiltPath(tuple(path), False, own)
            if found is not None and not root:
                path.append(found)
                from_sent = False
                if self._trusted(own):
                    return BuiltPath(tuple(path), True, own)
                continue
            if not from_sent or root:
                break
            issuer = self._first(pool, top)
            if issuer is None:
                break
            pool.remove(issuer)
            path.append(issuer)
            own += 1
        return BuiltPath(tuple(path), False, own)
