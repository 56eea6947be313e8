"""Which roots a phone must know to accept a server: its chain's, found without asking.

A server sends its chain without the root (RFC 8446 §4.4.2 lets it be left out), so the
root is looked for in the file with the chain, among the certificates that the operator
names, and in Mozilla's newest list. The nearest root counts: one that a cross-signed
certificate leads beyond is passed over.

Rules: a root issues by name, key identifiers and signature, as OpenSSL says. Of several
with one name and key the one that ends last counts. No clock, and no file is read.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Final

from linekey.catalog.roots import releases, roots_at
from linekey.certs.certificate import Certificate
from linekey.certs.lines import issues
from linekey.certs.path import is_root, verify

_MAX_DEPTH: Final = 16
"""Certificates of a path; real ones have five at most."""
_MAX_PATHS: Final = 200
"""Beginnings of paths that are looked at, where many certificates share a name."""


@dataclass(frozen=True, slots=True)
class Anchors:
    """The roots of a server's chains."""

    private: tuple[Certificate, ...] = ()
    """Those that no public list has: no phone knows them by itself."""
    public: tuple[Certificate, ...] = ()
    """Those in Mozilla's newest list, which a phone may have built in."""
    missing: tuple[Certificate, ...] = ()
    """Of each chain without a root the certificate whose issuer nobody has."""
    unused: tuple[Certificate, ...] = ()
    """What was named and has part in no chain."""

    @property
    def roots(self) -> tuple[Certificate, ...]:
        """All of them."""
        return (*self.private, *self.public)


NO_ANCHORS: Final = Anchors()
"""None that anybody knows of, or that phones are to be given."""


def anchors_of(
    chains: Iterable[Sequence[Certificate]], named: Sequence[Certificate] = ()
) -> Anchors:
    """Find the root of each chain; ``named`` are certificates that the operator names.

    A chain begins with the server's own certificate.
    """
    roots: dict[Certificate, None] = {}
    missing: dict[Certificate, None] = {}
    used: set[Certificate] = set()
    for chain in chains:
        path = _climb(chain, named)
        used.update(path)
        (roots if is_root(path[-1]) else missing)[path[-1]] = None
    public = {root for root in roots if root in _public()}
    return Anchors(
        tuple(root for root in roots if root not in public),
        tuple(root for root in roots if root in public),
        tuple(missing),
        tuple(c for c in named if c not in used),
    )


def lacking(anchors: Anchors, also: Sequence[Certificate]) -> tuple[Certificate, ...]:
    """Of each chain without a root what stands topmost, unless ``also`` has its issuer.

    ``also`` is what phones are given besides, such as the CAs of a layer.
    """
    return tuple(top for top in anchors.missing if not _issuers(top, also))


def _public() -> tuple[Certificate, ...]:
    return roots_at(releases()[-1].date)


def _climb(
    chain: Sequence[Certificate], named: Sequence[Certificate]
) -> list[Certificate]:
    """The path to the nearest root, or as far as issuers are there."""
    there = dict.fromkeys((*named, *chain[1:]))
    own = [c for c in there if is_root(c)]
    between = [c for c in there if not is_root(c)]
    longest = [chain[0]]
    paths = [[chain[0]]]
    for path in paths:  # which grows, so that the shortest come first
        top = path[-1]
        if is_root(top):
            return path
        root = _newest(_issuers(top, own)) or _newest(_issuers(top, _public()))
        if root is not None:
            return [*path, root]
        if len(path) > len(longest):
            longest = path
        if len(path) < _MAX_DEPTH and len(paths) < _MAX_PATHS:
            above = [c for c in _issuers(top, between) if c not in path]
            paths += [[*path, issuer] for issuer in above]
    return longest


def _issuers(child: Certificate, pool: Iterable[Certificate]) -> list[Certificate]:
    return [c for c in pool if issues(c, child) and _signed(child, c)]


def _newest(found: Iterable[Certificate]) -> Certificate | None:
    return max(found, key=lambda c: c.not_after, default=None)


def _signed(child: Certificate, issuer: Certificate) -> bool:
    proved = verify(child, (), (issuer,), at=None, partial_chain=True)
    return isinstance(proved, tuple)
