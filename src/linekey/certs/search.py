"""Find a valid path among namesakes, at a price that the sender cannot raise.

Theory of operation. OpenSSL builds one path, from names and key identifiers, takes the
first namesake and never goes back. That is not enough where a CA was renewed and the
old certificate is still about, and it is too much where a stranger sends ten
certificates that could each have issued all others. So the path is searched from the
trusted end down:

1. by names and identifiers: what can stand above the leaf, and can lead to an anchor;
2. if that leaves one path, OpenSSL proves it: one signature check a certificate;
3. if not, each certificate is checked against those above it that were proved, the
   anchors first; so a stranger's key is never used to check anything;
4. the paths whose links hold are ranked (what ends last comes first) and OpenSSL
   proves one, by itself.

What counts is time ``now``: a certificate outside its dates is not looked at. Only if
nothing was found are the dates left aside, to tell an expired path from none.

Rules: no more than two signature checks for each certificate that can matter, those
sent and those trusted; what would cost more is not proved. The result does not depend
on the order of what was sent or of what is trusted. No clock is read.
"""

from collections.abc import Callable, Iterator, Sequence
from datetime import datetime
from functools import cached_property
from itertools import pairwise

from linekey.certs import path as proof
from linekey.certs import verify_errors as err
from linekey.certs.certificate import Certificate
from linekey.certs.path import PathProblem, PathResult
from linekey.errors import CertificateError
from linekey.said import say

MAX_PATHS = 16
"""Paths ranked, of those whose every link holds: all of them are the operator's own."""

Path = tuple[Certificate, ...]


def search(
    leaf: Certificate,
    sent: Sequence[Certificate],
    anchors: Sequence[Certificate],
    intermediates: Sequence[Certificate] = (),
    *,
    now: datetime | None,
    fits: Callable[[Path], bool] = lambda _: True,
) -> PathResult:
    """Prove that ``leaf`` leads to one of ``anchors`` now, or say one reason why not.

    ``sent`` is the peer's word, in any order; ``intermediates`` are known from
    elsewhere, and prove nothing by themselves either. Any anchor ends a path, self-
    signed or not. ``now`` (aware) is the time to prove for; None ignores validity.
    A path that the caller says ``fits`` goes before one that does not.

    Where a path holds but for its dates, ``path`` is the one that was or will be valid
    nearest, and the problems are about dates alone (``verify_errors.TIME_ERRORS``).
    Raises CertificateError for a naive ``now``, and nothing else.
    """
    if now is not None and now.tzinfo is None:
        raise CertificateError(f"a time without time zone: {now.isoformat()!r}")
    others = [c for c in dict.fromkeys((*intermediates, *sent)) if c != leaf]
    family = _Family(leaf, others, anchors, now, fits)
    path = family.prove(now)
    if path is None and now is not None:
        path = family.prove(None)
    if path is not None:
        problems = tuple(proof.against_time(path, now))
        return PathResult(not problems, path, problems)
    path, problem = family.explain()
    return PathResult(False, path, (problem,))


_Link = tuple[Certificate, bytes, bool]


def _link(child: Certificate, issuer: Certificate) -> _Link:
    """What a signature check depends on: a CA renewed with its key is one issuer."""
    return child, issuer.public_key_der, issuer.is_ca is True


class _Family:
    """A leaf and all that can stand above it, by names and key identifiers."""

    def __init__(
        self,
        leaf: Certificate,
        others: Sequence[Certificate],
        anchors: Sequence[Certificate],
        now: datetime | None,
        fits: Callable[[Path], bool],
    ) -> None:
        self.fits = fits
        self.leaf = leaf
        self.others = others
        self.anchors = dict.fromkeys(anchors)
        self.now = now
        self.issuers: dict[Certificate, list[Certificate]] = {}
        """Child → those that may have issued it, by name; anchors have none."""
        self._climb()
        self.leading = self._leading()
        """Those from which names lead to an anchor."""
        self.spent = 0
        """Signature checks so far, counted before each is made."""
        self._links: dict[_Link, bool] = {}
        self._signer: dict[Certificate, bytes] = {}
        """Child → the key that signed it, once known: then no other did."""
        self._failed: dict[Path, PathProblem] = {}
        self._problems: list[PathProblem] = []

    def _climb(self) -> None:
        by_subject: dict[object, list[Certificate]] = {}
        for known in dict.fromkeys((*self.anchors, *self.others)):
            by_subject.setdefault(known.subject.canonical, []).append(known)
        open_ones = [self.leaf]
        while open_ones:
            child = open_ones.pop()
            if child in self.issuers:
                continue
            found: list[Certificate] = []
            if child not in self.anchors and not proof.is_root(child):
                found = [
                    c
                    for c in by_subject.get(child.issuer.canonical, ())
                    if c not in (child, self.leaf) and proof.ids_agree(child, c)
                ]
                # One order, whatever order they came in.
                found.sort(key=lambda c: c.sha256)
            self.issuers[child] = found
            open_ones += found

    def _leading(self) -> set[Certificate]:
        below: dict[Certificate, list[Certificate]] = {}
        for child, issuers in self.issuers.items():
            for issuer in issuers:
                below.setdefault(issuer, []).append(child)
        found: set[Certificate] = set()
        open_ones = [c for c in self.issuers if c in self.anchors]
        while open_ones:
            certificate = open_ones.pop()
            if certificate not in found:
                found.add(certificate)
                open_ones += below.get(certificate, ())
        return found

    @property
    def limit(self) -> int:
        """Signature checks allowed in all."""
        return 2 * len(self.leading)

    @cached_property
    def _to_prove(self) -> int:
        """Checks that are kept back for OpenSSL's proof: one for each name above."""
        return len({c.subject.canonical for c in self.leading}) - 1

    # -- proving --------------------------------------------------------------

    def prove(self, at: datetime | None) -> Path | None:
        """Find a path that OpenSSL proves for this time; None: there is none."""
        good = {c for c in self.leading if not any(proof.against_time((c,), at))}
        if self.leaf not in good:
            return None
        only = self._only_path(good)
        paths = [only] if only else self._ranked(self._check_links(good))
        for path in paths:
            if path in self._failed:
                continue
            if self.spent + len(path) - 1 > self.limit:
                break
            self.spent += len(path) - 1
            outcome = proof.verify(
                self.leaf, path[1:-1], path[-1:], at=at, partial_chain=True
            )
            if isinstance(outcome, tuple):
                return outcome
            self._failed[path] = outcome
            lengths = (p for p in proof.against_lengths(path) if p.code == outcome.code)
            self._problems.append(next(lengths, outcome))
            self._learn(path, outcome)
        return None

    def _learn(self, path: Path, outcome: PathProblem) -> None:
        """Keep what OpenSSL's checks showed: it goes down the path from its end."""
        names = {c.subject.canonical for c in path[1:]}
        if outcome.code != err.CERT_SIGNATURE_FAILURE or len(names) < len(path) - 1:
            return  # with namesakes on one path OpenSSL may have taken another
        for depth, (child, issuer) in enumerate(pairwise(path)):
            if depth >= outcome.depth:
                self._note(child, issuer, depth > outcome.depth)

    def _note(self, child: Certificate, issuer: Certificate, held: bool) -> None:
        self._links[_link(child, issuer)] = held
        if held:
            self._signer[child] = issuer.public_key_der

    def _only_path(self, good: set[Certificate]) -> Path | None:
        """The path, where names leave one."""
        path = [self.leaf]
        while path[-1] not in self.anchors:
            issuers = [c for c in self.issuers[path[-1]] if c in good]
            if len(issuers) != 1 or issuers[0] in path:
                return None
            path += issuers
        return tuple(path)

    def _check_links(
        self, good: set[Certificate]
    ) -> dict[Certificate, list[Certificate]]:
        """Child → those that did issue it, and are proved themselves."""
        held: dict[Certificate, list[Certificate]] = {}
        below: dict[Certificate, list[Certificate]] = {}
        for child in sorted(good, key=lambda c: c.sha256):
            for issuer in self.issuers[child]:
                below.setdefault(issuer, []).append(child)
        open_ones = sorted(good & self.anchors.keys(), key=lambda c: c.sha256)
        proved = set(open_ones)
        for issuer in open_ones:  # grows while it is walked
            for child in below.get(issuer, ()):
                if not self._holds(child, issuer):
                    continue
                held.setdefault(child, []).append(issuer)
                if child not in proved:
                    proved.add(child)
                    open_ones.append(child)
        return held

    def _holds(self, child: Certificate, issuer: Certificate) -> bool:
        """Whether this issuer's key signed the child; no, where it cost too much."""
        held = self._links.get(_link(child, issuer))
        if held is not None:
            return held
        if issuer.is_ca is False:
            # OpenSSL says so before it looks at the signature.
            self._problems.append(proof.as_problem(err.INVALID_CA, 1, issuer))
            held = False
        elif child in self._signer:
            held = self._signer[child] == issuer.public_key_der
        else:
            if self.spent >= self.limit - self._to_prove:
                return False
            self.spent += 1
            said = proof.verify(child, (), (issuer,), at=None, partial_chain=True)
            held = isinstance(said, tuple)
            if isinstance(said, PathProblem):
                self._problems.append(said)
        self._note(child, issuer, held)
        return held

    def _ranked(self, held: dict[Certificate, list[Certificate]]) -> list[Path]:
        found: list[Path] = []
        open_ones: list[Path] = [(self.leaf,)]
        while open_ones and len(found) < MAX_PATHS:
            path = open_ones.pop()
            if path[-1] in self.anchors:
                found.append(path)
                continue
            open_ones += [(*path, c) for c in held.get(path[-1], ()) if c not in path]
        return sorted(found, key=self._rank)

    def _rank(self, path: Path) -> tuple[object, ...]:
        """Best first: fitting, valid now, all authorities, ending last, short."""
        return (
            not self.fits(path),
            sum(1 for _ in proof.against_time(path, self.now)),
            sum(c.is_ca is not True for c in path[1:]),
            -min(c.not_after for c in path).timestamp(),
            len(path),
            [c.sha256 for c in path],
        )

    # -- explaining: from what is known by now, without another check ----------

    def explain(self) -> tuple[Path, PathProblem]:
        """A path as far as names lead, and what stands against it."""
        path = self._likeliest()
        for codes in ({err.INVALID_CA}, None):
            for problem in self._problems:
                if codes is None or problem.code in codes:
                    return path, problem
        if path[-1] in self.anchors:
            detail = say("too many certificates of the same name to try them all")
            return path, proof.as_problem(err.UNSPECIFIED, 0, self.leaf, detail)
        told: Iterator[PathProblem] = proof.against_trust(
            path, self.others, tuple(self.anchors), partial_chain=True
        )
        return path, next(told)

    def _likeliest(self) -> Path:
        path = [self.leaf]
        while path[-1] not in self.anchors:
            issuers = [c for c in self.issuers[path[-1]] if c not in path]
            leading = [c for c in issuers if c in self.leading]
            if not issuers:
                break
            path.append((leading or issuers)[0])
        return tuple(path)
