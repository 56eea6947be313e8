"""Which rule a phone's certificate follows: the catalogue's, or what the operator said.

Each authority is a name with a key; certificates are issued as a case needs them.
"""

from datetime import UTC, datetime

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests import certificates
from tests.certificates import certificate, ec, key, named

from linekey.catalog.models import Generation
from linekey.catalog.vendors import OperatorRule, TrustRule
from linekey.certs.build import Issuer
from linekey.certs.certificate import Certificate
from linekey.mac import Mac
from linekey.provisioning.authorize import ConnectionFacts, Rules, authorize
from linekey.provisioning.ca_rules import prospect, rules_of
from linekey.provisioning.decision import Reason
from linekey.provisioning.device import Device
from linekey.provisioning.identity import Identity, VendorTrust, identify
from linekey.provisioning.resource import parse_target

MAC = Mac("000413AABBCC")
NOW = datetime(2026, 5, 1, tzinfo=UTC)
CN, ST, SHARED = (OperatorRule(r) for r in (TrustRule.CN_MAC, TrustRule.ST_MAC, TrustRule.SHARED))  # fmt: skip
NO_RULE = Reason.NO_IDENTITY_RULE


def ca(
    cn: str, over: Issuer | None = None, *, o: str = "ACME", **how: object
) -> Issuer:
    """An authority; the same name has the same key, so a second one is its renewal."""
    return certificates.ca(named(cn, o=o), over, own=ec(f"{o}/{cn}"), **how)


def leaf(over: Issuer, *rdns: tuple[str, str], **how: object) -> Certificate:
    subject = rdns or (("CN", str(MAC)), ("ST", "000413AABBCD"))
    return certificate(subject, ec("leaf"), over, ca=False, **how)


def of(vendor: str, rule: TrustRule = TrustRule.VENDOR) -> OperatorRule:
    return OperatorRule(rule, vendor)


def found(
    chain: list[Certificate | Issuer], *trusted: tuple[Issuer, OperatorRule | None]
) -> Identity:
    """What the chain proves where these are trusted, as the server sorts them."""
    certificates = [issuer.certificate for issuer, _ in trusted]
    trust = VendorTrust(
        tuple(c for c in certificates if c.self_issued),
        tuple(c for c in certificates if not c.self_issued),
        rules_of((issuer.certificate, said) for issuer, said in trusted),
    )
    sent = [c.certificate if isinstance(c, Issuer) else c for c in chain]
    return identify(sent, trust)


ROOT = ca("Our Root")
MIDDLE = ca("Our Phones", ROOT)


@pytest.mark.parametrize(
    ("said", "mac", "rule"),
    [
        (CN, MAC, "operator-cn-mac"),
        (ST, Mac("000413AABBCD"), "operator-st-mac"),
        (SHARED, None, "operator-shared"),
    ],
)
def test_an_authority_of_ones_own_follows_the_rule_that_was_said(
    said: OperatorRule, mac: Mac | None, rule: str
) -> None:
    for chain in ([leaf(ROOT)], [leaf(MIDDLE), MIDDLE]):
        identity = found(chain, (ROOT, said))
        assert identity.problem is None, identity.detail
        assert (identity.mac, identity.shared) == (mac, mac is None)
        assert (identity.vendor, identity.own, identity.rule) == ("own", True, rule)


def test_without_a_word_nobody_is_known() -> None:
    for chain in ([leaf(ROOT)], [leaf(MIDDLE), MIDDLE]):
        assert found(chain, (ROOT, None)).problem is NO_RULE
        assert found(chain, (ROOT, None), (MIDDLE, None)).problem is NO_RULE


def test_one_that_is_no_mac_is_refused_under_ones_own_authority() -> None:
    nameless = leaf(ROOT, ("CN", "phones of the second floor"))
    assert found([nameless], (ROOT, CN)).problem is Reason.NO_MAC
    assert found([leaf(ROOT, ("OU", "x"))], (ROOT, CN)).problem is Reason.NO_MAC


@pytest.mark.parametrize("listed_first", [True, False])
def test_the_word_nearest_to_the_phone_counts(listed_first: bool) -> None:
    both = [(ROOT, CN), (MIDDLE, SHARED)]
    trusted = both if listed_first else both[::-1]
    assert found([leaf(MIDDLE), MIDDLE], *trusted).shared
    assert found([leaf(MIDDLE)], *trusted).shared
    assert found([leaf(ROOT)], *trusted).mac == MAC


def test_another_certificate_of_the_same_authority_escapes_nothing() -> None:
    renewed = ca("Our Phones", ROOT, not_after=datetime(2040, 1, 1, tzinfo=UTC))
    assert renewed.certificate != MIDDLE.certificate
    identity = found([leaf(MIDDLE), renewed], (ROOT, CN), (MIDDLE, SHARED))
    assert identity.problem is None
    assert identity.shared


def test_a_renewed_root_has_the_rule_of_the_old_one() -> None:
    renewed = ca("Our Root", not_after=datetime(2040, 1, 1, tzinfo=UTC))
    assert found([leaf(ROOT)], (ROOT, CN), (renewed, None)).mac == MAC
    assert found([leaf(renewed)], (renewed, CN)).mac == MAC


def test_another_authority_of_the_same_name_has_not() -> None:
    other = certificates.ca(named("Our Phones", o="ACME"), ROOT, own=ec("another"))
    said = (ROOT, None), (MIDDLE, CN)
    assert found([leaf(other), other], *said).problem is NO_RULE
    assert found([leaf(MIDDLE), MIDDLE], *said).mac == MAC


@pytest.mark.parametrize("said", [CN, of("yealink", TrustRule.CN_MAC), of("yealink")])
def test_below_it_none_may_name_itself_after_another_vendor(said: OperatorRule) -> None:
    posing = ca("Snom Phone 1 SHA-256", ROOT, o="snom technology AG")
    identity = found([leaf(posing), posing], (ROOT, said))
    assert identity.problem is NO_RULE
    assert "'snom'" in identity.detail


def test_a_name_under_a_root_of_nobody_proves_nothing() -> None:
    named = ca("Yealink Manufacturing CA", ROOT, o="Yealink")
    chain = [leaf(named), named]
    assert found(chain, (ROOT, None)).problem is NO_RULE
    # Whether it is in the list must not matter: phones send intermediates, too.
    assert found(chain, (ROOT, None), (named, None)).problem is NO_RULE
    assert found(chain, (ROOT, of("yealink"))).vendor == "yealink"
    assert found(chain, (ROOT, None), (named, of("yealink"))).vendor == "yealink"


@pytest.mark.parametrize(
    ("vendor", "mac", "rule"),
    [
        ("snom", MAC, "snom-other"),
        ("yealink", MAC, "yealink"),
        ("poly", MAC, "poly"),
        ("grandstream", MAC, "grandstream-2"),
        ("cisco", Mac("000413AABBCD"), "cisco-mpp"),
        ("panasonic", None, "panasonic"),
        ("gigaset", MAC, "gigaset"),
    ],
)
def test_an_unknown_authority_follows_the_vendors_rule_that_was_named(
    vendor: str, mac: Mac | None, rule: str
) -> None:
    identity = found([leaf(MIDDLE), MIDDLE], (ROOT, of(vendor)))
    assert identity.problem is None, identity.detail
    assert (identity.vendor, identity.mac, identity.rule) == (vendor, mac, rule)
    assert not identity.own
    assert found([leaf(ROOT)], (ROOT, None)).problem is NO_RULE


def test_where_a_vendor_puts_the_mac_is_not_guessed_and_can_be_said() -> None:
    codes = ca("AudioCodes Root CA", o="AudioCodes")
    assert found([leaf(codes)], (codes, None)).problem is NO_RULE
    assert found([leaf(codes)], (codes, of("audiocodes"))).problem is NO_RULE
    identity = found([leaf(codes)], (codes, CN))
    assert (identity.mac, identity.vendor, identity.own) == (MAC, "audiocodes", False)


def test_a_word_without_a_vendor_takes_it_from_above() -> None:
    for said, vendor in ((of("poly", TrustRule.CN_MAC), "poly"), (None, "own")):
        identity = found([leaf(MIDDLE), MIDDLE], (ROOT, said), (MIDDLE, CN))
        assert (identity.mac, identity.vendor) == (MAC, vendor)


# The vendors' own names: MTLS-PROTECT


def generation_1() -> Issuer:
    """Grandstream's first authority: RSA-1024, signed with MD5."""
    own = key("generation 1", "rsa", 1024)
    return certificates.ca(named("VPN", o="Grandstream Networks"), own=own, hash="md5")


GEN1 = generation_1()


@pytest.mark.parametrize(
    ("over", "rdns", "mac"),
    [
        (GEN1, (("O", "Grandstream Networks, Inc."), ("CN", "000B82AABBCC")), "000B82AABBCC"),
        (GEN1, (("O", "Grandstream Networks"), ("CN", "000b82aabbcc")), "000B82AABBCC"),
        (GEN1, (("CN", "000B82AABBCC"),), "000B82AABBCC"),
        (GEN1, (("CN", "GXE50XX"),), None),
        (GEN1, (("O", "Grandstream Networks"), ("CN", "GXE50XX")), None),
        (GEN1, (("O", "Grandstream Networks"),), None),
        (ca("VPN", o="x"), (("O", "Grandstream Networks"), ("CN", "GXE50XX")), None),
        (ca("Grandstream Networks CA", o="Grandstream Networks, Inc."), (("OU", "x"),), None),
        (ca("SIP Phone Client Authentication Self CA Certificate V2", o=" Panasonic"),
         (("CN", "TGP600"),), None),
    ],
)  # fmt: skip
def test_generations_and_variants_of_vendors_are_read(
    over: Issuer, rdns: tuple[tuple[str, str], ...], mac: str | None
) -> None:
    identity = found([leaf(over, *rdns)], (over, None))
    assert identity.problem is None, identity.detail
    assert identity.mac == (mac and Mac(mac))
    assert identity.shared is (mac is None)


def test_a_bad_mac_is_no_shared_certificate() -> None:
    bad = leaf(GEN1, ("O", "Grandstream Networks"), ("CN", "00:0B:82:AA:BB:CC"))
    assert found([bad], (GEN1, None)).problem is Reason.NO_MAC


def test_grandstreams_second_root_is_told_by_its_organization() -> None:
    root = ca("Root CA", o="Grandstream Networks, Inc.", hash="sha384")
    issuing = ca("Grandstream Networks CA", root, o="Grandstream Networks, Inc.")
    chain = [leaf(issuing, ("CN", "C074AD5C4E9E")), issuing]
    assert found(chain, (root, None)).mac == Mac("C074AD5C4E9E")


# What such an identity may have


OWN = found([leaf(ROOT)], (ROOT, CN))
LABELLED = found([leaf(ROOT)], (ROOT, of("acme", TrustRule.CN_MAC)))
SNOMS = found([leaf(ROOT)], (ROOT, of("snom", TrustRule.CN_MAC)))
OLD_HASH = found([leaf(ROOT, hash="sha1")], (ROOT, CN))
COMMON = found([leaf(ROOT)], (ROOT, SHARED))


@pytest.mark.parametrize(
    ("identity", "device", "reason"),
    [
        (OWN, Device(MAC, "snom", "D785"), Reason.OWN_FILE),
        (OWN, Device(MAC, "lab-snom", "D785"), Reason.OWN_FILE),
        (OWN, Device(MAC, "", "D785"), Reason.OWN_FILE),
        (LABELLED, Device(MAC, "snom", "D785"), Reason.OWN_FILE),
        (SNOMS, Device(MAC, "snom", "D785"), Reason.OWN_FILE),
        (SNOMS, Device(MAC, "lab-snom", "D785"), Reason.VENDOR_MISMATCH),
        # What the catalogue knows of a model is its built-in certificate.
        (OWN, Device(MAC, "snom", "320"), Reason.OWN_FILE),
        (OLD_HASH, Device(MAC, "snom", "D785"), Reason.OWN_FILE),
        (
            OLD_HASH,
            Device(MAC, "snom", "D785", generations=frozenset({Generation.SHA256})),
            Reason.GENERATION_NOT_ALLOWED,
        ),
        (COMMON, Device(MAC, "snom", "D785"), Reason.SHARED_CERTIFICATE),
        (OWN, Device(MAC, "snom", "D785", state="revoked"), Reason.REVOKED),
        (OWN, None, Reason.UNKNOWN_PHONE),
    ],
)
def test_ones_own_authority_vouches_for_registered_phones(
    identity: Identity, device: Device | None, reason: Reason
) -> None:
    assert decided(identity, device, f"/snomD785-{MAC}.htm") is reason


def test_it_vouches_for_no_other_phone_and_for_common_files() -> None:
    device = Device(MAC, "snom", "D785")
    other = "/snomD785-000413AABBCD.htm"
    assert decided(OWN, device, other) is Reason.OTHER_PHONES_FILE
    assert decided(OWN, device, "/snomD785.htm") is Reason.COMMON_FILE
    assert decided(COMMON, None, "/snomD785.htm") is Reason.COMMON_FILE


def decided(identity: Identity, device: Device | None, target: str) -> Reason:
    return authorize(
        identity, parse_target(target.encode()), device, ConnectionFacts(0x0303), None,
        Rules(), NOW,
    ).reason  # fmt: skip


# Told beforehand

NAMES = (
    ("ACME", "Our CA"), ("snom technology AG", "Snom Phone 1 SHA-256"),
    ("Yealink", "Yealink Root CA"), ("Yealink", "Yealink Manufacturing CA"),
    ("Grandstream Networks", "VPN"), ("AudioCodes", "AudioCodes Root CA"),
    ("P", "SIP Phone Client Authentication Self CA Certificate V2"),
)  # fmt: skip
SAID = (None, None, CN, SHARED, of("snom"), of("yealink"), of("acme", TrustRule.CN_MAC))


@settings(max_examples=150, deadline=None)
@given(st.lists(st.tuples(st.sampled_from(NAMES), st.sampled_from(SAID), st.booleans()),
                min_size=1, max_size=4))  # fmt: skip
def test_what_is_told_beforehand_is_what_phones_meet(entries: list) -> None:  # type: ignore[type-arg]
    """An authority without a prospect has no phone; one that has it reads as told."""
    issuers: list[tuple[Issuer, OperatorRule | None]] = []
    for number, ((o, cn), said, under) in enumerate(entries):
        over = issuers[-1][0] if under and issuers else None
        name = [("O", o), ("OU", str(number)), ("CN", cn)]
        issuers.append((certificates.ca(name, over, own=ec(f"{number}")), said))
    trusted = [issuer.certificate for issuer, _ in issuers]
    rules = rules_of((issuer.certificate, said) for issuer, said in issuers)
    for issuer, _ in issuers:
        told = prospect(issuer.certificate, trusted, rules)
        identity = found([leaf(issuer)], *issuers)
        assert told.text
        if told.rule is None:
            assert told.problem
            assert identity.problem is NO_RULE
        elif identity.problem is None:
            assert (identity.vendor, identity.rule) == (told.vendor, told.rule.id)
            assert told.name == {"CN": "cn-mac", "none": "shared"}[told.rule.mac_in]
        else:
            # It issues to authorities, or one below it has the operator's word.
            assert identity.problem is NO_RULE


def test_a_chain_of_three_authorities_is_told_by_the_nearest_word() -> None:
    lowest = ca("Our Lowest", MIDDLE)
    trusted = [i.certificate for i in (ROOT, MIDDLE, lowest)]
    rules = rules_of([(ROOT.certificate, CN), (MIDDLE.certificate, SHARED)])
    names = [prospect(c, trusted, rules).name for c in trusted]
    assert names == ["cn-mac", "shared", "shared"]
    only = rules_of([(lowest.certificate, ST)])
    assert [prospect(c, trusted, only).name for c in trusted] == ["st-mac"] * 3
