"""What a certificate chain proves: this very phone, a vendor only, or nothing.

The chain a phone sent is proved first (``certs.search``), against the vendors'
authorities that the operator trusts. Only the proved path counts after that: the rule
that says where the MAC is belongs to the authorities of that path (``ca_rules``), and
what else the phone sent is ignored.

    leaf <- issuing authority <- … <- trust anchor
    |       |
    |       its rule: the MAC is the CN, or the ST, or nowhere
    exactly 12 hex digits there, read from the RDNs of the DER

Every certificate above the leaf must say that it is an authority (basicConstraints
CA:TRUE), also where OpenSSL lets a self-signed version 1 certificate pass, and what
the path was issued for is looked at (``purpose``).

Rule: an identity is a function of the chain, the trust and ``now``, and of nothing that
was seen before. A path that is valid now is taken wherever there is one; ``not_before``
and ``not_after`` are the narrowest of it, and until then the identity may be kept. Of a
path that holds but for its dates they tell that, and ``authorize`` holds them against
its own ``now``.

Sources: ``catalog.vendors`` for the rules, each with its confidence; OpenSSL's
check_ca for what it would let pass.
"""

import re
import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Self

from linekey.catalog.models import Generation
from linekey.catalog.vendors import IdentityRule, MacPlace
from linekey.certs import verify_errors as err
from linekey.certs.certificate import Certificate
from linekey.certs.key_bounds import first_problem
from linekey.certs.path import PathResult
from linekey.certs.search import search
from linekey.errors import CertificateError
from linekey.mac import Mac
from linekey.provisioning.ca_rules import Rules, rule_of_path
from linekey.provisioning.decision import Reason
from linekey.provisioning.purpose import (
    key_usage_problem,
    purpose_notes,
    purpose_problem,
    unreadable,
)
from linekey.said import joined, say

MAX_CHAIN = 10
"""Certificates a phone may send; the longest chain known has four. More cost time."""


@dataclass(frozen=True, slots=True)
class VendorTrust:
    """The vendors' authorities that the operator trusts.

    ``anchors`` end a path, self-signed or not. ``intermediates`` are kept because some
    phones send only their leaf (SNOM-CA). ``rules`` is what the operator says
    of the phones of some of them (``ca_rules``).
    """

    anchors: tuple[Certificate, ...]
    intermediates: tuple[Certificate, ...] = ()
    rules: Rules = field(default_factory=dict)

    @classmethod
    def from_certificates(
        cls,
        certificates: Sequence[Certificate],
        rules: Rules | None = None,
    ) -> Self:
        """Sort what was imported into anchors and intermediates.

        A self-signed certificate is an anchor. So is one whose issuer is not among the
        others: the operator imported it to be trusted, and there is nothing above it.
        """
        names = {c.subject.canonical for c in certificates}
        anchors = dict.fromkeys(
            c for c in certificates if c.self_issued or c.issuer.canonical not in names
        )
        others = dict.fromkeys(c for c in certificates if c not in anchors)
        return cls(tuple(anchors), tuple(others), dict(rules or {}))


@dataclass(frozen=True, slots=True)
class Identity:
    """What a chain proves. With a ``problem`` it proves nothing, whatever else is set.

    ``mac`` is the phone; None with ``shared``: one of many phones of ``vendor``.
    """

    vendor: str | None = None
    mac: Mac | None = None
    shared: bool = False
    generation: Generation | None = None
    """By the leaf's signature; None for one that is neither SHA-1 nor SHA-2."""
    key_bits: int | None = None
    issuer: str = ""
    """Name of the authority that signed the leaf, as ``Name`` prints it."""
    leaf_sha256: str | None = None
    not_before: datetime | None = None
    not_after: datetime | None = None
    """The narrowest validity of the proved path, aware UTC."""
    authorities: tuple[str, ...] = field(default=(), repr=False)
    """SHA-256 of the key of each CA of the proved path, from the leaf's issuer up."""
    inner: tuple[Certificate, ...] = field(default=(), repr=False)
    """The proved path between the leaf and its anchor: what else the phone sent is not
    in it."""
    problem: Reason | None = None
    detail: str = ""
    """What is wrong, in words; may quote names from the certificate, escaped. Without a
    ``problem`` it says which certificates of the path are outside their dates."""
    rule: str = ""
    """Id of the rule in ``catalog.vendors`` that was used."""
    own: bool = False
    """By an authority of the operator's own, so no built-in certificate: what the
    catalogue says of those does not count."""
    model: str | None = None
    """As the certificate says, if its issuer puts it there (``IdentityRule.model_in``).
    """
    notes: tuple[str, ...] = ()
    """What the operator should know of a certificate that was accepted, in clauses."""

    @property
    def begins(self) -> str:
        """Of a path that holds but for its dates: what begins when, in words."""
        return self.detail or say(
            "valid from %(not_before)s", not_before=f"{self.not_before:%Y-%m-%d %H:%M}"
        )

    @property
    def ends(self) -> str:
        """Of a path that holds but for its dates: what ended when, in words."""
        return self.detail or say(
            "valid until %(not_after)s", not_after=f"{self.not_after:%Y-%m-%d %H:%M}"
        )

    def has_ended(self, now: datetime) -> bool:
        """Whether the path's dates are over at ``now``."""
        return self.not_after is not None and now > self.not_after

    def is_valid(self, now: datetime) -> bool:
        """Whether it proves something, and its path's dates hold at ``now``."""
        return (
            self.problem is None
            and self.not_before is not None
            and self.not_after is not None
            and self.not_before <= now <= self.not_after
        )


NO_IDENTITY = Identity(problem=Reason.NO_CERTIFICATE)
"""Of a phone that sent no certificate."""


def identify(
    chain: Sequence[Certificate], trust: VendorTrust, now: datetime | None = None
) -> Identity:
    """Read what ``chain``, leaf first as the phone sent it, proves. Never raises.

    ``now`` (aware) is the time to prove for; None takes any path, whatever its dates.
    The result depends on the arguments alone, and not on the order of what was sent or
    is trusted; while it ``is_valid`` it may be kept for them.
    """
    if not chain:
        return NO_IDENTITY
    leaf = chain[0]
    try:
        return _identify(leaf, chain[1:], trust, now)
    except CertificateError as error:
        return _problem(leaf, Reason.CHAIN_NOT_PROVED, error.message)


def _identify(
    leaf: Certificate,
    sent: Sequence[Certificate],
    trust: VendorTrust,
    now: datetime | None,
) -> Identity:
    if len(sent) >= MAX_CHAIN:
        return _problem(
            leaf,
            Reason.CHAIN_NOT_PROVED,
            say("more than %(limit)s certificates", limit=MAX_CHAIN),
        )
    # What the operator trusts was looked at when it was imported.
    known = {*trust.anchors, *trust.intermediates}
    if problem := first_problem(c for c in (leaf, *sent) if c not in known):
        return _problem(leaf, Reason.KEY_OUT_OF_BOUNDS, problem)
    result = search(
        leaf,
        sent,
        trust.anchors,
        trust.intermediates,
        now=now,
        fits=lambda path: isinstance(_read(path, trust), Identity),
    )
    if result.codes - err.TIME_ERRORS:
        return _problem(leaf, *_path_problem(leaf, result))
    path = result.path
    if path[0] != leaf:
        return _problem(
            leaf, Reason.CHAIN_NOT_PROVED, say("the path is another leaf's")
        )
    found = _read(path, trust)
    if not isinstance(found, Identity):
        return _problem(leaf, *found)
    dates = [
        say("%(label)s: %(problem)s", label=p.certificate.label, problem=p.detail)
        for p in result.problems
    ]
    return replace(found, detail=_shortened(joined(dates) if dates else ""))


def _read(
    path: tuple[Certificate, ...], trust: VendorTrust
) -> Identity | tuple[Reason, str]:
    """What a path from a leaf to an anchor says, once it is proved."""
    leaf = path[0]
    if len(path) < 2 or leaf.is_ca:
        return Reason.AUTHORITY_CERTIFICATE, leaf.label
    for above in path[1:]:
        if above.is_ca is not True:
            return Reason.ISSUER_NOT_AN_AUTHORITY, say(
                "signed with %(label)s", label=above.label
            )
    if refusal := purpose_problem(path):
        return refusal
    read = rule_of_path(path, trust.rules)
    if isinstance(read, str):
        return Reason.NO_IDENTITY_RULE, read
    found = _read_mac(leaf, read.rule)
    if isinstance(found, tuple):
        return found
    return Identity(
        vendor=read.vendor,
        mac=found,
        shared=found is None,
        generation=generation_of(leaf),
        key_bits=leaf.key.bits,
        issuer=str(path[1].subject),
        leaf_sha256=leaf.sha256,
        not_before=max(c.not_before for c in path),
        not_after=min(c.not_after for c in path),
        authorities=tuple(c.public_key_sha256 for c in path[1:]),
        inner=path[1:-1],
        rule=read.rule.id,
        own=read.own,
        model=_model_in(leaf, read.rule),
        notes=purpose_notes(path),
    )


_MAX_MODEL = 64


def _model_in(leaf: Certificate, rule: IdentityRule) -> str | None:
    """The one printable value there; None where there is none, or it is odd."""
    values = leaf.subject.values(rule.model_in) if rule.model_in else ()
    if len(values) != 1 or not values[0].strip():
        return None
    text = values[0].strip()
    return text if text.isprintable() and len(text) <= _MAX_MODEL else None


def _read_mac(leaf: Certificate, rule: IdentityRule) -> Mac | tuple[Reason, str] | None:
    """The MAC; None where the certificate is a shared one; else what is wrong."""
    place = rule.mac_in
    if place is MacPlace.NONE:
        return None
    values = leaf.subject.values(place.value)
    if not values and rule.absent_is_shared:
        return None
    if not values:
        return Reason.NO_MAC, say("the subject has no %(value)s", value=place.value)
    if len(values) > 1:
        # Also where they agree: which of them others would read is anybody's guess.
        return Reason.SEVERAL_NAMES, say(
            "%(count)s values of %(value)s", count=len(values), value=place.value
        )
    value = values[0]
    if mac := Mac.from_bare(value):
        return mac
    if value.lower() in rule.shared_values:
        return None
    if rule.without_mac == "shared" and not _is_like_a_mac(value):
        return None
    return Reason.NO_MAC, f"{place.value}={value[:64]!a}"


_TWELVE = re.compile(r"[0-9a-f]{12}", re.IGNORECASE)


def _is_like_a_mac(value: str) -> bool:
    """Whether somebody means a MAC by this: then it is a bad one, not a shared name.

    Separators, spaces, NULs and other scripts' digits around or within 12 hex digits;
    and what is empty or no printable ASCII, which no vendor's shared name is.
    """
    if not value.strip() or not value.isascii() or not value.isprintable():
        return True
    letters = re.sub(r"[^0-9A-Za-z]", "", unicodedata.normalize("NFKC", value))
    return _TWELVE.search(letters) is not None


def generation_of(certificate: Certificate) -> Generation | None:
    """Return the generation of a certificate by its signature.

    None for one that is neither SHA-1 nor SHA-2: MD5, in the certificates known.
    """
    if certificate.signature_hash == "sha1":
        return Generation.SHA1
    # SNOM-TLS speaks of SHA-2; 256 bits are what was built, more is no less.
    if certificate.signature_hash in {"sha256", "sha384", "sha512"}:
        return Generation.SHA256
    return None


def _path_problem(leaf: Certificate, result: PathResult) -> tuple[Reason, str]:
    codes = result.codes
    detail = joined(dict.fromkeys(p.detail for p in result.problems[:3]) or ("",))
    if err.DEPTH_ZERO_SELF_SIGNED_CERT in codes:
        return Reason.SELF_SIGNED, leaf.label
    for certificate in result.path or (leaf,):
        if name := unreadable(certificate):
            return Reason.CHAIN_NOT_PROVED, say(
                "%(label)s: unreadable %(name)s", label=certificate.label, name=name
            )
    if leaf.key_usage == frozenset() and (refusal := key_usage_problem(leaf)):
        return refusal  # OpenSSL takes no issuer for it, and would blame the issuer
    if err.INVALID_CA in codes:
        return Reason.ISSUER_NOT_AN_AUTHORITY, detail
    if codes & err.TRUST_ERRORS or err.CERT_SIGNATURE_FAILURE in codes:
        return Reason.ISSUER_NOT_TRUSTED, detail
    return Reason.CHAIN_NOT_PROVED, detail


_MAX_DETAIL = 300


def _shortened(detail: str) -> str:
    return detail if len(detail) <= _MAX_DETAIL else detail[:_MAX_DETAIL] + "…"


def _problem(leaf: Certificate, problem: Reason, detail: str) -> Identity:
    return Identity(
        generation=generation_of(leaf),
        key_bits=leaf.key.bits,
        issuer=str(leaf.issuer),
        leaf_sha256=leaf.sha256,
        problem=problem,
        detail=_shortened(detail),
    )
