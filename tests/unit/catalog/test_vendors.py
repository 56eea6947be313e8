"""Where the makers' certificates carry the MAC; names are built as DER."""

import pytest

from linekey.catalog.models import Generation
from linekey.catalog.vendors import (
    IDENTITY_RULES,
    KNOWN_VENDORS,
    LAB_PREFIX,
    LAB_VENDOR,
    OWN_VENDOR,
    IdentityRule,
    MacPlace,
    rule_for,
    vendor_of_authority,
    vendor_rule,
)
from linekey.certs.dn import Name

SNOM_SHA1 = [("O", "Snom Technology AG")]
SNOM_SHA2 = [
    ("emailAddress", "security@snom.com"), ("O", "snom technology AG"), ("C", "DE"),
]  # fmt: skip
CISCO = [("O", "Cisco Systems"), ("CN", "Cisco Manufacturing CA")]
SPA_LEAF = [
    ("ST", "708105B37234"), ("L", "CBT1"), ("O", "Cisco Systems, Inc."),
    ("CN", "SPA-525G2, MAC: 708105B37234, Serial: CBT1"),
]  # fmt: skip
MPP_LEAF = [("OU", "CP-8841-3PCC"), ("L", "1"), ("ST", "000e08abcdef")]
GRANDSTREAM_LEAF = [("O", "Grandstream Networks, Inc."), ("CN", "C074AD5C4E9E")]

# Issuer, leaf, rule, vendor, where the MAC is, generation, confidence
CASES = [
    ([*SNOM_SHA1, ("CN", "Snom Phone 1")], None, "snom-sha1", "snom", "CN", "sha1", "H"),
    ([("CN", "Snom Phone 1 SHA-256"), *SNOM_SHA2], None, "snom-sha256", "snom", "CN",
     "sha256", "H"),
    ([("CN", "Snom Phone 2 SHA-256"), *SNOM_SHA2], None, "snom-sha256", "snom", "CN",
     "sha256", "H"),
    ([*SNOM_SHA1, ("CN", "Snom Technology AG CA")], None, "snom-other", "snom", "CN",
     None, "M"),
    ([("O", "LAB technology AG"), ("CN", "LAB Phone 1 SHA-256")], None, "lab-sha256",
     "lab-snom", "CN", "sha256", "H"),
    ([("O", "LAB technology AG"), ("CN", "LAB Phone 1")], None, "lab-sha1", "lab-snom",
     "CN", "sha1", "H"),
    ([("CN", "Yealink Equipment Issuing CA")], None, "yealink", "yealink", "CN", None,
     "M"),
    ([("CN", "Yealink Manufacturing CA")], None, "yealink", "yealink", "CN", None, "M"),
    ([("CN", "Polycom Equipment Issuing CA 1")], None, "poly", "poly", "CN", "sha256",
     "M"),
    ([("CN", "Polycom Equipment Issuing CA 2")], None, "poly", "poly", "CN", "sha256",
     "M"),
    ([("CN", "VPN")], GRANDSTREAM_LEAF, "grandstream-1", "grandstream", "CN", None, "H"),
    ([("O", "Grandstream Networks"), ("CN", "VPN")], [("CN", "GXE50XX")],
     "grandstream-1-named", "grandstream", "CN", None, "H"),
    ([("CN", "VPN")], [("O", "Grandstream Networks"), ("CN", "GXE50XX")],
     "grandstream-1", "grandstream", "CN", None, "H"),
    ([("O", "Grandstream Networks, Inc."), ("CN", "Grandstream Networks CA")], None,
     "grandstream-2", "grandstream", "CN", None, "H"),
    ([("CN", "Grandstream Networks CA")], GRANDSTREAM_LEAF, "grandstream-2",
     "grandstream", "CN", None, "H"),
    (CISCO, SPA_LEAF, "cisco-spa", "cisco", "ST", None, "H"),
    (CISCO, MPP_LEAF, "cisco-mpp", "cisco", "ST", None, "H"),
    ([("CN", "SIP Phone Client Authentication Self CA Certificate")], None, "panasonic",
     "panasonic", "none", None, "M"),
    ([("O", " Panasonic System Networks Co., Ltd."),
      ("CN", "SIP Phone Client Authentication Self CA Certificate V2")], None,
     "panasonic", "panasonic", "none", None, "M"),
    ([("CN", "AudioCodes Root CA")], None, "audiocodes", "audiocodes", "unknown", None,
     "L"),
]  # fmt: skip


@pytest.mark.parametrize(
    ("issuer", "leaf", "rule", "vendor", "place", "generation", "confidence"), CASES
)
def test_an_issuer_has_the_rule_of_the_facts(  # type: ignore[no-untyped-def]
    issuer, leaf, rule, vendor, place, generation, confidence
) -> None:
    found = rule_for(Name.build(issuer), Name.build(leaf or [("CN", "000413AABBCC")]))
    assert found is not None
    assert (found.id, found.vendor, found.confidence) == (rule, vendor, confidence)
    assert found.mac_in == MacPlace(place)
    assert found.generation == (generation and Generation(generation))
    if vendor != "grandstream" or issuer != [("CN", "VPN")]:
        assert vendor_of_authority(Name.build(issuer)) == vendor


def test_every_vendor_of_the_facts_is_there_even_without_a_known_issuer() -> None:
    assert {rule.vendor for rule in IDENTITY_RULES} == {
        "snom", "gigaset", "yealink", "poly", "grandstream", "cisco", "panasonic",
        "audiocodes", LAB_VENDOR, "lab-yealink", "lab-poly", "lab-grandstream",
        "lab-cisco",
    }  # fmt: skip
    (gigaset,) = [rule for rule in IDENTITY_RULES if rule.vendor == "gigaset"]
    assert (gigaset.issuers, gigaset.mac_in) == ((), MacPlace.CN)


@pytest.mark.parametrize(
    "issuer",
    [
        [("CN", "Snom Phone 1")],  # no organization
        [("O", "Snom Technology AG Fans"), ("CN", "Snom Phone 1")],
        [("OU", "Snom Technology AG"), ("CN", "Snom Phone 1")],
        [("O", "ſnom technology ag"), ("CN", "Snom Phone 1")],  # long s folds to s
        [("CN", "O=Snom Technology AG,CN=Snom Phone 1")],
        [("CN", "My Yealink Manufacturing CA")],
        [("CN", "Yealink Manufacturing CA\n")],
        [("CN", "Polycom Equipment Issuing CA 3")],
        [("O", "LAB technology AG"), ("CN", "Phone 1")],
        [("O", "Example"), ("CN", "Cisco Manufacturing CA")],
        [("CN", "SIP Phone Client Authentication Self CA Certificate for all")],
        [("CN", "SIP Phone Client Authentication Self CA Certificate V2 V2")],
        [("O", "Grandstream Networks Fans"), ("CN", "VPN")],
    ],
)
def test_a_name_that_only_looks_alike_has_no_rule(issuer: list) -> None:
    assert rule_for(Name.build(issuer), Name.build([("CN", "000413AABBCC")])) is None


@pytest.mark.parametrize("vendor", sorted(KNOWN_VENDORS))
def test_all_rules_of_a_vendor_read_a_certificate_alike(vendor: str) -> None:
    """So that ``trust add --vendor`` has one meaning."""
    rules = [rule for rule in IDENTITY_RULES if rule.vendor == vendor]
    read = {
        (rule.mac_in, rule.shared_values, rule.without_mac, rule.absent_is_shared)
        for rule in rules
    }
    assert len(read) == 1
    expected = None if rules[0].mac_in is MacPlace.UNKNOWN else rules[-1]
    assert vendor_rule(vendor) == expected


def test_an_operators_name_is_no_vendors() -> None:
    assert OWN_VENDOR not in KNOWN_VENDORS
    assert vendor_rule(OWN_VENDOR) is None


def test_an_authority_called_vpn_needs_a_leaf_of_grandstream() -> None:
    vpn = Name.build([("CN", "VPN")])
    assert rule_for(vpn) is None
    assert rule_for(vpn, Name.build([("CN", "000B82000001")])) is None
    assert vendor_of_authority(vpn) is None


def test_ciscos_generic_certificate_is_shared() -> None:
    rule = rule_for(Name.build(CISCO), Name.build([("ST", "ciscogeneric")]))
    assert rule is not None
    assert "ciscogeneric" in rule.shared_values


def test_only_lab_rules_are_marked_as_lab() -> None:
    for rule in IDENTITY_RULES:
        of_lab = rule.vendor.startswith(LAB_PREFIX)
        assert rule.lab == of_lab == rule.id.startswith("lab")


@pytest.mark.parametrize("rule", IDENTITY_RULES, ids=lambda rule: rule.id)
def test_every_rule_has_source_and_confidence(rule: IdentityRule) -> None:
    assert rule.source
    assert rule.confidence in ("H", "M", "L")
    assert rule.without_mac in ("shared", "malformed")
    assert len({other.id for other in IDENTITY_RULES}) == len(IDENTITY_RULES)


@pytest.mark.parametrize(
    ("subject", "vendor"),
    [
        ([("CN", "Yealink Root CA")], "yealink"),
        ([("CN", "Polycom Root CA")], "poly"),
        ([("CN", "Polycom Equipment Policy CA")], "poly"),
        ([("CN", "AudioCodes Root CA")], "audiocodes"),
        ([("O", "Grandstream Networks, Inc."), ("CN", "Root CA")], "grandstream"),
        ([("O", "Grandstream Networks"), ("CN", "VPN")], "grandstream"),
        (
            [("CN", "SIP Phone Client Authentication Self CA Certificate V2")],
            "panasonic",
        ),
        ([("O", "LAB technology AG"), ("CN", "LAB technology AG CA")], "lab-snom"),
        ([("CN", "Example Root CA")], None),
    ],
)
def test_a_roots_name_tells_its_vendor(subject: list, vendor: str | None) -> None:
    assert vendor_of_authority(Name.build(subject)) == vendor
