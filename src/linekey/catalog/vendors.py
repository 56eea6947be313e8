"""Where a built-in certificate carries the MAC: one rule for each issuing authority.

A rule belongs to an **issuer**, never to an OUI, a User-Agent or what the leaf says of
itself: the operator trusts a vendor's authority, and it alone stands for what its
certificates mean. ``rule_for`` looks at the issuer's name once the path to a trusted
authority has been proved; before that, a name proves nothing.

Names are compared attribute by attribute, as values of RDNs, without regard to case;
no printed name is ever split. Sources: see each row, with the
confidence given there. Rows of vendors whose issuer is not known are kept, match
nothing, and say so.
"""

import re
from dataclasses import dataclass
from enum import StrEnum

from linekey.catalog.evidence import Confidence
from linekey.catalog.models import Generation
from linekey.certs.dn import Name

LAB_PREFIX = "lab-"
"""Before the maker's name in the vendor of the lab's own device certificates, so that
nobody takes them for real."""
LAB_VENDOR = f"{LAB_PREFIX}snom"


def maker_id(vendor: str) -> str:
    """Return the maker of a vendor's phones: ``yealink`` also of ``lab-yealink``."""
    return vendor.removeprefix(LAB_PREFIX)


class MacPlace(StrEnum):
    """Which attribute of the leaf's subject holds the MAC."""

    CN = "CN"
    ST = "ST"
    NONE = "none"
    """Nowhere: the vendor is proved, the device is not."""
    UNKNOWN = "unknown"
    """The layout is not known: nothing about the device may be concluded."""


@dataclass(frozen=True, slots=True)
class NamePattern:
    """Values that a name must hold: each pattern matches a whole value, any case.

    A name fits when for every pair at least one of its values of that attribute fits.
    """

    parts: tuple[tuple[str, str], ...]
    """Pairs of attribute short name and regular expression."""

    def fits(self, name: Name) -> bool:
        """Say whether every part is found in ``name``."""
        return all(
            any(
                re.fullmatch(pattern, value, re.IGNORECASE | re.ASCII)
                for value in name.values(attribute)
            )
            for attribute, pattern in self.parts
        )


@dataclass(frozen=True, slots=True)
class IdentityRule:
    """What certificates of one issuing authority prove."""

    id: str
    vendor: str
    """Short name, lower case: ``snom``."""
    vendor_name: str
    issuers: tuple[NamePattern, ...]
    """The issuing authorities; a name that fits one of them is meant. Empty: the
    issuer is not known, the rule matches nothing."""
    leaf: NamePattern | None
    """What the leaf's subject must hold besides; None: nothing."""
    mac_in: MacPlace
    shared_values: frozenset[str]
    """Values in the MAC's place, lower case, that mean "a certificate for all"."""
    without_mac: str
    """What a value there means that is no MAC: ``shared`` or ``malformed``."""
    generation: Generation | None
    """The generation that the authority issues; None: several, or another kind."""
    key: str
    """Key and signature as the source tells it, for people."""
    source: str
    confidence: Confidence
    note: str = ""
    lab: bool = False
    absent_is_shared: bool = False
    """Whether a certificate without any such attribute is a shared one, too."""
    model_in: str = ""
    """Which attribute of the leaf's subject holds the model; empty: none does."""


class TrustRule(StrEnum):
    """Where the phones of one trusted CA have their MAC, as the operator says."""

    VENDOR = "vendor"
    """As the catalogue has it for the vendor that is named with it."""
    CN_MAC = "cn-mac"
    ST_MAC = "st-mac"
    SHARED = "shared"
    """Nowhere: each of its certificates is a shared one."""


@dataclass(frozen=True, slots=True)
class OperatorRule:
    """What the operator says of the phones of one trusted authority."""

    rule: TrustRule
    vendor: str | None = None
    """Whose phones they are. A name that is no vendor's of the catalogue is the
    operator's own, for phones of any vendor; None: what the authority's name tells."""


def _cn(pattern: str) -> NamePattern:
    return NamePattern((("CN", pattern),))


_SNOM_O = r"snom technology ag"
_GRANDSTREAM_O = r"grandstream networks(?:,? inc\.?)?"
"""Generation 1 of its authorities has no ", Inc." (MTLS-PROTECT, H)."""
_PANASONIC_CN = r"sip phone client authentication self ca certificate(?: v\d{1,2})?"
"""TGP600's is "… V2" (MTLS-PROTECT, H)."""
_CISCO_ISSUERS = (
    NamePattern((("O", r"cisco(?: systems)?(?:,? inc\.?)?"), ("CN", r"cisco .+"))),
    NamePattern((("O", r"cisco small business"),)),
)
_NO_VALUES: frozenset[str] = frozenset()


def _snom(
    rule_id: str,
    cn: str,
    generation: Generation | None,
    confidence: Confidence,
    note: str,
    *,
    key: str,
    lab: bool = False,
) -> IdentityRule:
    organization = r"lab technology ag" if lab else _SNOM_O
    return IdentityRule(
        rule_id,
        LAB_VENDOR if lab else "snom",
        "LAB (shaped like Snom)" if lab else "Snom",
        (NamePattern((("O", organization), ("CN", cn))),),
        None,
        MacPlace.CN,
        _NO_VALUES,
        "shared",
        generation,
        key,
        "linekey's own lab authority"
        if lab
        else "SNOM-TLS, The built-in certificate; SNOM-CA",
        confidence,
        note,
        lab,
    )


def _lab(
    maker: str,
    organization: str,
    cn: str,
    key: str,
    *,
    mac_in: MacPlace = MacPlace.CN,
    shared: frozenset[str] = _NO_VALUES,
    model_in: str = "",
) -> IdentityRule:
    """The rule for a lab authority that is shaped like another maker's."""
    return IdentityRule(
        f"{LAB_PREFIX}{maker}",
        f"{LAB_PREFIX}{maker}",
        f"LAB (shaped like {maker.title()})",
        (NamePattern((("O", organization), ("CN", cn))),),
        None,
        mac_in,
        shared,
        "malformed" if shared else "shared",
        None,
        key,
        "linekey's own lab authority",
        "H",
        "the lab's device authority; not a real vendor",
        lab=True,
        model_in=model_in,
    )


_LAB_YEALINK = r"lab network technology co\.,ltd\."
_LAB_POLY = r"lab p inc\."
_LAB_GRANDSTREAM = r"lab g networks, inc\."
_LAB_CISCO = r"lab c systems"
_SHA1_KEY = "RSA-1024 / SHA-1"
_SHA256_KEY = "RSA-2048 / SHA-256"
_NO_MAC = (
    "a CN that is no MAC is one of the common certificates of the 300, 320, 370, PA1"
    " and MP (SNOM-TLS, Authentication of the devices): vendor proved, device not"
)

IDENTITY_RULES: tuple[IdentityRule, ...] = (
    _snom(
        "snom-sha256", r"snom phone \d+ sha-256", Generation.SHA256, "H", _NO_MAC,
        key=_SHA256_KEY,
    ),
    _snom("snom-sha1", r"snom phone \d+", Generation.SHA1, "H", _NO_MAC, key=_SHA1_KEY),
    _snom(
        "snom-other", r".+", None, "M",
        "any other authority of the same organization, also the roots: an operator"
        " may trust the roots and accept any intermediate under them",
        key="by the leaf",
    ),
    _snom(
        "lab-sha256", r"lab phone \d+ sha-256", Generation.SHA256, "H",
        "the lab's device authority, SHA-2 generation; not a real vendor",
        key=_SHA256_KEY, lab=True,
    ),
    _snom(
        "lab-sha1", r"lab phone \d+", Generation.SHA1, "H",
        "the lab's device authority, SHA-1 generation; not a real vendor",
        key=_SHA1_KEY, lab=True,
    ),
    _snom(
        "lab-other", r"lab .+", None, "H",
        "any other authority of the lab's vendor; not a real vendor",
        key="by the leaf", lab=True,
    ),
    _lab("yealink", _LAB_YEALINK,
         r"lab y (?:manufacturing|equipment issuing) ca", "RSA-4096"),
    _lab("poly", _LAB_POLY, r"lab p equipment issuing ca [12]", "RSA-4096 / SHA-256"),
    _lab("grandstream", _LAB_GRANDSTREAM, r"lab g networks ca", "EC P-384"),
    _lab("cisco", _LAB_CISCO, r"lab c (?:manufacturing|small business root) ca",
         "RSA-2048", mac_in=MacPlace.ST, shared=frozenset({"ciscogeneric"}),
         model_in="OU"),
    IdentityRule(
        "gigaset", "gigaset", "Gigaset (desk, Snom-derived)", (), None, MacPlace.CN,
        _NO_VALUES, "malformed", None, "not known", "GIGASET-WIKI", "M",
        "the issuer is not known, so nothing matches; if Snom issues them, they are"
        " proved as Snom's and cannot be told apart",
    ),
    IdentityRule(
        "yealink", "yealink", "Yealink",
        (
            _cn(r"yealink equipment issuing ca"),
            _cn(r"yealink manufacturing ca"),
        ),
        None, MacPlace.CN, _NO_VALUES, "shared", None, "RSA",
        "MTLS-PROTECT; YEALINK-CERT", "M",
        "some units send one generic certificate: shared. The Equipment Issuing CA is"
        " self-signed with SHA-1, to 2033; the Manufacturing CA is under Yealink Root"
        " CA, to 2049",
    ),
    IdentityRule(
        "poly", "poly", "Poly (Polycom)", (_cn(r"polycom equipment issuing ca [12]"),),
        None, MacPlace.CN, _NO_VALUES, "malformed", Generation.SHA256, "RSA / SHA-256",
        "MTLS-PROTECT; POLY-UCS", "M",
        "Polycom Equipment Issuing CA 1/2, under Polycom Equipment Policy CA, both to"
        " 2039-03-09, under Polycom Root CA, to 2044-03-09",
    ),
    IdentityRule(
        "grandstream-1-named", "grandstream", "Grandstream (generation 1)",
        (NamePattern((("CN", r"vpn"), ("O", _GRANDSTREAM_O))),),
        None, MacPlace.CN, _NO_VALUES, "shared", None, "RSA-1024 / MD5",
        "MTLS-PROTECT", "H",
        "the authority ends 2027-06-11; some old units carry no MAC, and a leaf that"
        " names a model only is known (CN=GXE50XX): shared. Leaves signed with MD5 are"
        " of no generation, and refused",
        absent_is_shared=True,
    ),
    IdentityRule(
        "grandstream-1", "grandstream", "Grandstream (generation 1)", (_cn(r"vpn"),),
        NamePattern((("O", _GRANDSTREAM_O),)),
        MacPlace.CN, _NO_VALUES, "shared", None, "RSA-1024 / MD5",
        "MTLS-PROTECT", "H",
        "where the authority names no organization: VPN is anybody's name, so the leaf"
        " must name Grandstream",
        absent_is_shared=True,
    ),
    IdentityRule(
        "grandstream-2", "grandstream", "Grandstream (generation 2)",
        (_cn(r"grandstream networks ca"),),
        None, MacPlace.CN, _NO_VALUES, "shared", None, "EC P-384",
        "MTLS-PROTECT", "H",
        "under a root with a P-384 key; some old units carry no MAC",
        absent_is_shared=True,
    ),
    IdentityRule(
        "cisco-spa", "cisco", "Cisco SPA", _CISCO_ISSUERS,
        NamePattern((("O", r"cisco systems, inc\."),)),
        MacPlace.ST, frozenset({"ciscogeneric"}), "malformed", None, "RSA",
        "CISCO-SPA", "H",
        "ST, not CN: the CN holds model, MAC and serial with commas; old firmware sends"
        " ST=ciscogeneric, which is shared. The issuers' names are not known:"
        " told by organization (L)",
    ),
    IdentityRule(
        "cisco-mpp", "cisco", "Cisco MPP / 3PCC", _CISCO_ISSUERS, None, MacPlace.ST,
        frozenset({"ciscogeneric"}), "malformed", None, "RSA",
        "CISCO-MPP", "H",
        "ST, not CN: OU is the model, L the serial number. The issuers' names are not"
        " known: told by organization (L)",
        model_in="OU",
    ),
    IdentityRule(
        "panasonic", "panasonic", "Panasonic",
        (_cn(_PANASONIC_CN),),
        None, MacPlace.NONE, _NO_VALUES, "shared", None,
        "RSA-1024 / SHA-1; V2: RSA-2048 / SHA-256",
        "MTLS-PROTECT", "M",
        "the CN does not carry the MAC: vendor proved, device not. TGP500's authority"
        " to 2041-08-31; TGP600's, \"… V2\", to 2046-01-28",
    ),
    IdentityRule(
        "audiocodes", "audiocodes", "AudioCodes", (_cn(r"audiocodes root ca"),), None,
        MacPlace.UNKNOWN, _NO_VALUES, "malformed", None, "not known", "inference", "L",
        "unique for each MAC, but the layout is not known: nothing is concluded",
    ),
)  # fmt: skip
"""Every rule; the first that fits counts, so narrower ones come first."""

_AUTHORITIES: tuple[tuple[NamePattern, str], ...] = (
    (NamePattern((("O", _SNOM_O),)), "snom"),
    (NamePattern((("O", r"lab technology ag"), ("CN", r"lab .+"))), LAB_VENDOR),
    (NamePattern((("O", _LAB_YEALINK),)), f"{LAB_PREFIX}yealink"),
    (NamePattern((("O", _LAB_POLY),)), f"{LAB_PREFIX}poly"),
    (NamePattern((("O", _LAB_GRANDSTREAM),)), f"{LAB_PREFIX}grandstream"),
    (NamePattern((("O", _LAB_CISCO),)), f"{LAB_PREFIX}cisco"),
    (_cn(r"yealink .+"), "yealink"),
    (_cn(r"polycom .+"), "poly"),
    (_cn(r"grandstream networks .+"), "grandstream"),
    (NamePattern((("O", _GRANDSTREAM_O),)), "grandstream"),
    (_CISCO_ISSUERS[0], "cisco"),
    (_CISCO_ISSUERS[1], "cisco"),
    (_cn(_PANASONIC_CN), "panasonic"),
    (_cn(r"audiocodes .+"), "audiocodes"),
)
_UPPER = (
    _cn(r"yealink root ca"),
    _cn(r"polycom root ca"),
    _cn(r"polycom equipment policy ca"),
    NamePattern((("O", _GRANDSTREAM_O),)),
    _cn(r"lab [ypgc] root ca"),
    _cn(r"lab p equipment policy ca"),
)
"""Authorities that issue to authorities (MTLS-PROTECT). The name of Grandstream's
root is not known, so its organization has to do."""

KNOWN_VENDORS = frozenset(rule.vendor for rule in IDENTITY_RULES)
"""Short names of the vendors that have a rule."""
OWN_VENDOR = "own"
"""Vendor of phones by an authority of the operator's own that names no vendor."""


def _own(rule: TrustRule, place: MacPlace, without_mac: str) -> IdentityRule:
    return IdentityRule(
        f"operator-{rule}", OWN_VENDOR, "the operator's own", (), None, place,
        _NO_VALUES, without_mac, None, "by the leaf", "the operator's word", "H",
    )  # fmt: skip


_OWN_RULES = {
    TrustRule.CN_MAC: _own(TrustRule.CN_MAC, MacPlace.CN, "malformed"),
    TrustRule.ST_MAC: _own(TrustRule.ST_MAC, MacPlace.ST, "malformed"),
    TrustRule.SHARED: _own(TrustRule.SHARED, MacPlace.NONE, "shared"),
}


def operator_rule(said: TrustRule, vendor: str) -> IdentityRule | None:
    """Return what the operator's word means for phones of ``vendor``.

    None where it is ``vendor`` and nothing is known of where that one puts the MAC.
    """
    return vendor_rule(vendor) if said is TrustRule.VENDOR else _OWN_RULES[said]


def vendor_rule(vendor: str) -> IdentityRule | None:
    """Return the rule by which all phones of a vendor are read, or None.

    A vendor's rules differ in the authority's name and in the generation only, never
    in where the MAC is (a test holds them to it), so the widest stands for all.
    """
    found = [
        rule
        for rule in IDENTITY_RULES
        if rule.vendor == vendor and rule.mac_in is not MacPlace.UNKNOWN
    ]
    return found[-1] if found else None


def issues_to_authorities(subject: Name) -> bool:
    """Whether a vendor's authority of this name is known to stand above others."""
    return any(pattern.fits(subject) for pattern in _UPPER)


def rule_for(issuer: Name, subject: Name | None = None) -> IdentityRule | None:
    """Return the rule for certificates of ``issuer``, or None where there is none.

    ``subject`` is the leaf's; a rule that also looks at the leaf never fits without
    it. The caller has proved the path first.
    """
    for rule in rules_for(issuer):
        if rule.leaf is None or (subject is not None and rule.leaf.fits(subject)):
            return rule
    return None


def rules_for(issuer: Name) -> list[IdentityRule]:
    """Return every rule for certificates of ``issuer``, whatever the leaf must hold."""
    return [
        rule
        for rule in IDENTITY_RULES
        if any(pattern.fits(issuer) for pattern in rule.issuers)
    ]


def vendor_of_authority(subject: Name) -> str | None:
    """Return the vendor whose authorities bear such a name, or None.

    By name alone: a hint for an operator who imports it ("this calls itself
    Yealink's"), and a fence between trusted vendors; a fingerprint
    (``authorities.known_ca``) is better where there is one.
    """
    for pattern, vendor in _AUTHORITIES:
        if pattern.fits(subject):
            return vendor
    return None
