"""What chains prove, good and hostile."""

import pytest

from linekey.catalog.models import Generation
from linekey.mac import Mac
from linekey.provisioning.decision import Reason
from linekey.provisioning.identity import NO_IDENTITY, Identity, VendorTrust, identify

MAC_A, MAC_B, MAC_C, MAC_D, MAC_E, MAC_F = (Mac(f"000413AABBC{n}") for n in "012345")

OWN = {
    "a": (MAC_A, "snom", Generation.SHA256),
    "b": (MAC_B, "snom", Generation.SHA256),
    "c sha1": (MAC_C, "snom", Generation.SHA1),
    "a lower case, leaf only": (MAC_A, "snom", Generation.SHA256),
    "a version 1": (MAC_A, "snom", Generation.SHA256),
    "b under its root": (MAC_B, "snom", Generation.SHA256),
    "a as a server": (MAC_A, "snom", Generation.SHA256),
    "lab a": (MAC_A, "lab-snom", Generation.SHA256),
    "yealink d": (MAC_D, "yealink", Generation.SHA256),
    "poly e": (MAC_E, "poly", Generation.SHA256),
    "grandstream f": (MAC_F, "grandstream", Generation.SHA256),
    "cisco d": (MAC_D, "cisco", Generation.SHA256),
    "cisco spa d": (MAC_D, "cisco", Generation.SHA256),
    "operator's own a": (MAC_A, "snom", Generation.SHA256),
    "operator's own b": (MAC_B, "own", Generation.SHA256),
    # Validity is not the identity's: authorize judges it, each time.
    "a expired": (MAC_A, "snom", Generation.SHA256),
    "a not yet": (MAC_A, "snom", Generation.SHA256),
    "a, its authority expired": (MAC_A, "snom", Generation.SHA256),
}
SHARED = {
    "snom common": "snom",
    "yealink generic": "yealink",
    "cisco generic": "cisco",
    "panasonic": "panasonic",
    "operator's common": "own",
}
PROBLEMS = {
    "no certificate": Reason.NO_CERTIFICATE,
    "subject: colons": Reason.NO_MAC,
    "subject: dashes": Reason.NO_MAC,
    "subject: trailing NUL": Reason.NO_MAC,
    "subject: NUL and more": Reason.NO_MAC,
    "subject: leading space": Reason.NO_MAC,
    "subject: trailing newline": Reason.NO_MAC,
    "subject: full-width digits": Reason.NO_MAC,
    "subject: arabic digits": Reason.NO_MAC,
    "subject: zero width": Reason.NO_MAC,
    "subject: right to left": Reason.NO_MAC,
    "subject: too long": Reason.NO_MAC,
    "subject: two macs in one": Reason.NO_MAC,
    "subject: dn inside": Reason.NO_MAC,
    "subject: two CNs": Reason.SEVERAL_NAMES,
    "subject: the same CN twice": Reason.SEVERAL_NAMES,
    "subject: two CNs in one RDN": Reason.SEVERAL_NAMES,
    "subject: no CN": Reason.NO_MAC,
    "subject: empty CN": Reason.NO_MAC,
    "subject: mac in a comment": Reason.NO_MAC,
    "cisco: the MAC as CN": Reason.NO_MAC,
    "cisco: two STs": Reason.SEVERAL_NAMES,
    "self-signed": Reason.SELF_SIGNED,
    "self-signed, with the true chain": Reason.SELF_SIGNED,
    "other issuer, same names": Reason.ISSUER_NOT_TRUSTED,
    "other issuer, leaf only": Reason.ISSUER_NOT_TRUSTED,
    "other issuer, leaf only, no key ids": Reason.ISSUER_NOT_TRUSTED,
    "other issuer, true chain": Reason.ISSUER_NOT_TRUSTED,
    "leaf as issuer": Reason.ISSUER_NOT_AN_AUTHORITY,
    "leaf with keyCertSign as issuer": Reason.ISSUER_NOT_AN_AUTHORITY,
    "version 1 leaf as issuer": Reason.ISSUER_NOT_AN_AUTHORITY,
    "leaf named like an issuer": Reason.ISSUER_NOT_AN_AUTHORITY,
    "keyCertSign, named like an issuer": Reason.ISSUER_NOT_AN_AUTHORITY,
    "a costly key": Reason.KEY_OUT_OF_BOUNDS,
    "a, and a costly key besides": Reason.KEY_OUT_OF_BOUNDS,
    "a for signing code": Reason.PURPOSE_NOT_ALLOWED,
    "a for enciphering keys": Reason.KEY_USAGE_NOT_ALLOWED,
    "the issuer itself": Reason.AUTHORITY_CERTIFICATE,
    "the root itself": Reason.AUTHORITY_CERTIFICATE,
    "a leaf that is an authority": Reason.AUTHORITY_CERTIFICATE,
    "under another vendor's root": Reason.NO_IDENTITY_RULE,
    "issuer without a rule": Reason.NO_IDENTITY_RULE,
    "audiocodes": Reason.NO_IDENTITY_RULE,
    "a behind a stranger": Reason.SELF_SIGNED,
    "eleven certificates": Reason.CHAIN_NOT_PROVED,
}


def test_every_certificate_is_in_one_table(lab) -> None:
    assert set(lab.made) == OWN.keys() | SHARED.keys() | PROBLEMS.keys()


@pytest.mark.parametrize("name", OWN)
def test_a_phones_own_certificate_names_it(lab, name: str) -> None:
    made = lab.made[name]
    found = identify(made.chain, lab.trust)
    mac, vendor, generation = OWN[name]
    assert found.problem is None, found.detail
    assert (found.mac, found.vendor, found.shared) == (mac, vendor, False)
    assert found.generation is generation
    assert (found.not_before, found.not_after) == (made.since, made.until)
    assert found.leaf_sha256 == made.chain[0].sha256
    assert found.key_bits == 256
    assert found.rule


@pytest.mark.parametrize("name", SHARED)
def test_a_shared_certificate_proves_the_vendor_only(lab, name: str) -> None:
    found = identify(lab.made[name].chain, lab.trust)
    assert found.problem is None, found.detail
    assert (found.mac, found.vendor, found.shared) == (None, SHARED[name], True)


@pytest.mark.parametrize("name", PROBLEMS)
def test_all_else_proves_nothing_and_says_why(lab, name: str) -> None:
    found = identify(lab.made[name].chain, lab.trust)
    assert found.problem is PROBLEMS[name], found.detail
    assert (found.mac, found.vendor, found.shared) == (None, None, False)
    if found.problem is not Reason.NO_CERTIFICATE:
        assert found.detail
        assert found.detail.isprintable()
        assert len(found.detail) <= 301


def test_without_authorities_nobody_is_known(lab) -> None:
    for made in lab.made.values():
        found = identify(made.chain, VendorTrust(()))
        assert found.problem is not None
        assert found.mac is None


def test_no_chain_is_no_identity() -> None:
    assert identify((), VendorTrust(())) is NO_IDENTITY
    assert Identity(problem=Reason.NO_CERTIFICATE) == NO_IDENTITY


def test_what_was_imported_is_sorted_into_anchors_and_intermediates(lab) -> None:
    phone2 = lab.authorities["phone2"].certificate
    assert phone2 in lab.trust.intermediates
    alone = VendorTrust.from_certificates([phone2])
    assert alone.anchors == (phone2,)
    # An intermediate that stands alone is trusted as it is: the operator said so.
    assert identify(lab.made["a"].chain, alone).mac == MAC_A
    assert identify(lab.made["c sha1"].chain, alone).problem is not None


def test_an_authority_of_the_operators_own_needs_its_vendor(lab) -> None:
    bare = VendorTrust(lab.trust.anchors, lab.trust.intermediates)
    found = identify(lab.made["operator's own a"].chain, bare)
    assert found.problem is Reason.NO_IDENTITY_RULE


def test_a_version_1_root_is_no_authority_even_if_trusted(make_leaf) -> None:
    # OpenSSL takes a self-signed version 1 certificate for one; the path is proved.
    root, chain = make_leaf("Snom Phone 3", version=1, ca=None)
    found = identify(chain, VendorTrust.from_certificates([root]))
    assert found.problem is Reason.ISSUER_NOT_AN_AUTHORITY
    root, chain = make_leaf("Snom Phone 3", version=3, ca=True)
    assert identify(chain, VendorTrust.from_certificates([root])).mac == MAC_A
