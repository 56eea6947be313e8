"""Which rule the phones of an authority follow: by its name, or as the operator says.

The rule says where a certificate holds the MAC (``catalog.vendors``). Of a proved path,
leaf first,

    leaf <- issuing authority <- … <- trust anchor

the operator's word on the authority **nearest to the leaf** counts, whole; where he
said nothing of any, the catalogue's rule for the issuing authority's name, and the
anchor must be of the same vendor. Below the authority that gives the rule none may name
itself after another vendor, so that no trusted authority can make another vendor's
phones by what it calls the next.

The operator's word is on an authority, which is a name with a key: it holds for its
renewed certificate too, and a phone that sends another one of them escapes nothing.

``prospect`` says the same before any phone has come, of one authority among those that
are trusted: what ``trust list`` shows, and whether its phones can be identified at all.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Literal

from linekey.catalog.authorities import known_ca
from linekey.catalog.vendors import (
    KNOWN_VENDORS,
    OWN_VENDOR,
    IdentityRule,
    MacPlace,
    OperatorRule,
    TrustRule,
    issues_to_authorities,
    operator_rule,
    rule_for,
    rules_for,
    vendor_of_authority,
    vendor_rule,
)
from linekey.certs.certificate import Certificate
from linekey.said import say

RULE_CURE = (
    "say which vendor's phones it issues for: linekey trust set {} --vendor VENDOR; "
    "or, for your own CA, --rule cn-mac (the MAC is the CN), st-mac or shared"
)
"""The way out of a CA without a rule; its fingerprint is to be filled in."""

Authority = tuple[object, bytes]
"""A name, as it is compared, and a key's DER: what renewed certificates share."""
Rules = Mapping[Authority, OperatorRule]
"""What the operator said, for each authority that he spoke of."""


def authority_of(certificate: Certificate) -> Authority:
    """Return the authority whose certificate this is."""
    return certificate.subject.canonical, certificate.public_key_der


def rules_of(said: Iterable[tuple[Certificate, OperatorRule | None]]) -> Rules:
    """Return the operator's word for each authority, from that on its certificates."""
    return {authority_of(c): rule for c, rule in said if rule is not None}


@dataclass(frozen=True, slots=True)
class PathRule:
    """How the leaf of a path is read, and what that proves."""

    rule: IdentityRule
    vendor: str
    own: bool
    """Whether the authority is the operator's own: what the catalogue says of built-in
    certificates does not count for these."""


def rule_of_path(path: Sequence[Certificate], rules: Rules) -> PathRule | str:
    """Return the rule for the leaf of a proved ``path``, or why there is none.

    ``path`` is leaf first, two certificates at least.
    """
    for depth, certificate in enumerate(path[1:], 1):
        said = rules.get(authority_of(certificate))
        if said is not None:
            return _as_said(said, path[1:depth], path[depth:], rules)
    leaf, issuing, anchor = path[0], path[1], path[-1]
    vendor = catalogued_vendor(anchor)
    rule = rule_for(issuing.subject, leaf.subject)
    if rule is None:
        return say("issuer %(issuer)s", issuer=leaf.issuer_label)
    if vendor != rule.vendor and (vendor is not None or issuing != anchor):
        return _misnamed(leaf.issuer_label, rule.vendor, _whose(anchor, vendor))
    if rule.mac_in is MacPlace.UNKNOWN:
        return _not_known(rule.vendor)
    return PathRule(rule, rule.vendor, own=False)


def _as_said(
    said: OperatorRule,
    below: Sequence[Certificate],
    up: Sequence[Certificate],
    rules: Rules,
) -> PathRule | str:
    """By the operator's word on ``up[0]``; ``below`` stand between it and the leaf."""
    spoken_of = up[0]
    vendor = said.vendor or _vendor_from(up, rules)
    for certificate in below:
        named = catalogued_vendor(certificate)
        if named is not None and not _may_be_named(named, vendor):
            return _misnamed(certificate.label, named, _whose(spoken_of, vendor))
    rule = operator_rule(said.rule, vendor)
    if rule is None:
        return _not_known(vendor)
    own = said.rule is not TrustRule.VENDOR and catalogued_vendor(spoken_of) is None
    return PathRule(rule, vendor, own)


def _vendor_from(up: Sequence[Certificate], rules: Rules) -> str:
    """Whose ``up[0]`` is: by its name, the operator's word, or what is above."""
    for certificate in up:
        if vendor := catalogued_vendor(certificate):
            return vendor
        said = rules.get(authority_of(certificate))
        if said is not None and said.vendor is not None:
            return said.vendor
    return OWN_VENDOR


def _may_be_named(named: str, vendor: str) -> bool:
    # Gigaset's desk phones carry certificates as Snom's (GIGASET-WIKI, M).
    return named == vendor or (named, vendor) == ("snom", "gigaset")


def _whose(certificate: Certificate, vendor: str | None) -> str:
    return say(
        "%(certificate)s, of %(vendor)s",
        certificate=certificate.label,
        vendor=vendor or say("a vendor that linekey does not know"),
    )


def _misnamed(issuer: str, vendor: str, whose: str) -> str:
    return say(
        "issuer %(issuer)s has a name of '%(vendor)s', but was issued by %(whose)s",
        issuer=issuer,
        vendor=vendor,
        whose=whose,
    )


def _not_known(vendor: str) -> str:
    return say("where %(vendor)s puts the MAC is not known", vendor=vendor)


@lru_cache(maxsize=256)
def catalogued_vendor(certificate: Certificate) -> str | None:
    """Whose authority this is for the catalogue: by fingerprint, else by name."""
    known = known_ca(certificate)
    return known.vendor if known else vendor_of_authority(certificate.subject)


@dataclass(frozen=True, slots=True)
class Prospect:
    """What becomes of the phones of one trusted authority.

    ``rule`` is None where they will be refused, and ``problem`` says why.
    """

    rule: IdentityRule | None
    by: Literal["operator", "catalogue", ""]
    vendor: str | None
    problem: str = ""

    @property
    def text(self) -> str:
        """In words: where the MAC is and whose phones they are, or why none."""
        if self.rule is None:
            return say("refused: %(why)s", why=self.problem)
        whose = (
            say("of %(vendor)s", vendor=self.vendor)
            if self.vendor in KNOWN_VENDORS
            else say("registered for any vendor")
        )
        return say(
            "%(whose)s, %(place)s, as you said"
            if self.by == "operator"
            else "%(whose)s, %(place)s",
            whose=whose,
            place=_PLACES[self.rule.mac_in],
        )

    @property
    def name(self) -> str | None:
        """``cn-mac``, ``st-mac`` or ``shared``; None where they are refused."""
        return None if self.rule is None else _NAMES[self.rule.mac_in].value


_PLACES = {
    MacPlace.CN: say("MAC in the CN"),
    MacPlace.ST: say("MAC in the ST"),
    MacPlace.NONE: say("no MAC: a shared certificate, so with a second factor only"),
}
_NAMES = {
    MacPlace.CN: TrustRule.CN_MAC,
    MacPlace.ST: TrustRule.ST_MAC,
    MacPlace.NONE: TrustRule.SHARED,
}


def prospect(
    certificate: Certificate, trusted: Sequence[Certificate], rules: Rules
) -> Prospect:
    """Say which rule the phones of ``certificate``, one of ``trusted``, will follow.

    An authority that can give no phone a rule itself is none to worry about if one of
    ``trusted`` that stands under it can; so is a root whose issuing authorities the
    catalogue knows, though none of them is in the list: phones send them.
    """
    up = upwards(certificate, trusted)
    if found := _said_of(up, rules):
        return found
    vendor, anchor = catalogued_vendor(certificate), up[-1]
    if named := rules_for(certificate.subject):
        return _by_name(named[0], certificate, anchor)
    if vendor is not None and issues_to_authorities(certificate.subject):
        return Prospect(vendor_rule(vendor), "catalogue", vendor)
    for other in trusted:
        below = upwards(other, trusted)
        if certificate in below[1:]:
            found = _said_of(below[: below.index(certificate)], rules)
            if found is not None and found.rule is not None:
                return found
    return Prospect(
        None,
        "",
        vendor,
        say("nothing says where its phones' certificates hold the MAC"),
    )


def _said_of(up: Sequence[Certificate], rules: Rules) -> Prospect | None:
    """By the operator's word on the first of ``up`` that he spoke of, if any."""
    for depth, above in enumerate(up):
        said = rules.get(authority_of(above))
        if said is not None:
            vendor = said.vendor or _vendor_from(up[depth:], rules)
            found = _as_said(said, up[:depth], up[depth:], rules)
            if isinstance(found, str):
                return Prospect(None, "operator", vendor, found)
            return Prospect(found.rule, "operator", vendor)
    return None


def _by_name(
    rule: IdentityRule, certificate: Certificate, anchor: Certificate
) -> Prospect:
    over = catalogued_vendor(anchor)
    if over != rule.vendor and (over is not None or certificate != anchor):
        why = say(
            "named like '%(vendor)s', it stands under %(whose)s",
            vendor=rule.vendor,
            whose=_whose(anchor, over),
        )
        return Prospect(None, "catalogue", rule.vendor, why)
    if rule.mac_in is MacPlace.UNKNOWN:
        return Prospect(None, "catalogue", rule.vendor, _not_known(rule.vendor))
    return Prospect(rule, "catalogue", rule.vendor)


def upwards(
    certificate: Certificate, trusted: Sequence[Certificate]
) -> list[Certificate]:
    """``certificate`` and what stands above it in ``trusted``, as far as names lead."""
    up = [certificate]
    while not up[-1].self_issued:
        above = [c for c in trusted if c.subject.matches(up[-1].issuer) and c not in up]
        if not above:
            break
        up.append(above[0])
    return up
