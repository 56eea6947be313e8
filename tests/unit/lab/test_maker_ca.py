"""Lab certificates are shaped like each maker's, and read by the right rule."""

from datetime import UTC, datetime

import pytest
from tests.certificates import certificate, key

from linekey.catalog.models import find_model
from linekey.catalog.profile import newest_firmware, profile
from linekey.catalog.vendors import LAB_PREFIX, rule_for, vendor_of_authority
from linekey.certs.build import Issuer
from linekey.certs.certificate import Certificate
from linekey.certs.path import prove
from linekey.errors import StorageError
from linekey.lab.authority import LabAuthority
from linekey.lab.maker_ca import (
    SHAPES,
    MakerShape,
    issue_authority,
    issue_leaf,
    new_leaf_key,
    shape_of,
)
from linekey.mac import Mac
from linekey.provisioning.decision import Reason
from linekey.provisioning.identity import VendorTrust, identify

MAC = Mac("805EC0AABBCC")
NOW = datetime(2026, 6, 1, tzinfo=UTC)
ALL = SHAPES.values()


def chain_of(
    shape: MakerShape, mac: Mac | None = MAC
) -> tuple[Certificate, tuple[Certificate, ...], Certificate]:
    """Leaf, intermediates from the leaf's issuer up, root; with keys that are at hand.

    Their size is 2048 here, whatever the shape says: 4096 takes seconds.
    """
    issuers: list[Issuer] = []
    for place, authority in enumerate(shape.authorities):
        kind, size = authority.key
        own = key(f"{shape.id} {place}", kind, 2048 if size == 4096 else size)
        above = issuers[-1] if issuers else None
        issuers.append(Issuer(issue_authority(shape, place, own, above), own))
    kind, size = shape.leaf_key
    own = None if shape.shared_value else mac
    leaf = issue_leaf(shape, key(f"{shape.id} leaf", kind, size), issuers[-1], mac=own)
    above_leaf = tuple(issuer.certificate for issuer in issuers[1:][::-1])
    return leaf, above_leaf, issuers[0].certificate


@pytest.mark.parametrize("shape", ALL, ids=lambda shape: shape.id)
def test_a_chain_is_proved_and_says_that_it_is_the_labs(shape: MakerShape) -> None:
    leaf, above, root = chain_of(shape)
    assert prove(leaf, above, [root], at=NOW, purpose="client").ok
    for one in (leaf, *above, root):
        text = str(one.subject)
        assert "LAB" in text
        for maker in ("yealink", "poly", "grandstream", "cisco"):
            assert maker not in text.lower().replace("ciscogeneric", "")
    for authority in (*above, root):
        assert vendor_of_authority(authority.subject) == f"{LAB_PREFIX}{shape.maker}"
        assert authority.is_ca
    assert not leaf.is_ca


@pytest.mark.parametrize("shape", ALL, ids=lambda shape: shape.id)
def test_the_server_reads_it_by_the_makers_rule(shape: MakerShape) -> None:
    leaf, above, root = chain_of(shape)
    trust = VendorTrust.from_certificates([root, *above])
    found = identify([leaf, *above], trust, NOW)
    assert found.problem is None
    assert found.vendor == f"{LAB_PREFIX}{shape.maker}"
    assert found.shared is bool(shape.shared_value)
    assert found.mac == (None if shape.shared_value else MAC)
    rule = rule_for(leaf.issuer)
    assert rule is not None
    assert rule.lab


def test_ends_and_keys_are_those_of_the_real_authorities() -> None:
    ends = {
        shape.id: [a.ends.date().isoformat() for a in shape.authorities]
        for shape in ALL
    }
    assert ends["yealink"] == ["2049-12-12"] * 2
    assert ends["yealink-old"] == ["2033-11-07"]
    assert ends["poly"] == ["2044-03-09", "2039-03-09", "2039-03-09"]
    assert ends["grandstream"] == ["2065-09-12", "2055-09-16"]
    for name in ("yealink", "yealink-old", "poly"):
        assert {a.key for a in SHAPES[name].authorities} == {("rsa", 4096)}
    assert {a.key for a in SHAPES["grandstream"].authorities} == {("ec", "secp384r1")}


def test_ciscos_mac_is_in_the_st_and_its_model_in_the_ou() -> None:
    leaf, above, root = chain_of(SHAPES["cisco"])
    assert leaf.subject.values("ST") == (str(MAC),)
    found = identify([leaf, *above], VendorTrust.from_certificates([root]), NOW)
    assert (found.mac, found.model) == (MAC, "LAB-3PCC")


def test_grandstreams_first_generation_is_refused_for_its_md5() -> None:
    """Only here: nothing that linekey makes signs with MD5."""
    own = key("grandstream 1", "rsa", 1024)
    first = {"not_before": datetime(2007, 6, 16, tzinfo=UTC),
             "not_after": datetime(2027, 6, 11, tzinfo=UTC), "hash": "md5"}  # fmt: skip
    names = [("O", "LAB G Networks, Inc."), ("CN", "LAB G Networks CA")]
    root = certificate(names, own, None, ca=True, **first)
    leaf = certificate(
        [("O", "LAB G Networks, Inc."), ("CN", str(MAC))],
        key("leaf", "rsa", 1024),
        Issuer(root, own),
        **first,
    )
    found = identify([leaf], VendorTrust.from_certificates([root]), NOW)
    assert found.generation is None  # which authorize refuses
    late = identify([leaf], VendorTrust.from_certificates([root]), first["not_after"])
    assert late.not_after == datetime(2027, 6, 11, tzinfo=UTC)
    assert all(a.hash != "md5" for shape in ALL for a in shape.authorities)


def test_a_makers_authority_vouches_for_no_other_makers_phone() -> None:
    leaf, above, _ = chain_of(SHAPES["grandstream"])
    _, _, root = chain_of(SHAPES["cisco"])
    found = identify([leaf, *above], VendorTrust.from_certificates([root]), NOW)
    assert found.problem is Reason.ISSUER_NOT_TRUSTED


@pytest.mark.parametrize(
    ("model", "shape"),
    [("T46U", "yealink"), ("T38G", "yealink-old"), ("VVX450", "poly"),
     ("GRP2614", "grandstream")],
)  # fmt: skip
def test_a_model_has_its_makers_shape(model: str, shape: str) -> None:
    row = profile(model, newest_firmware(find_model(model)))
    found = shape_of(row.model.maker, shared=row.shared_certificate)
    assert found is SHAPES[shape]


def test_no_shape_is_a_snoms() -> None:
    assert shape_of("snom") is None
    assert shape_of("poly", shared=True) is None


def test_the_lab_keeps_another_makers_identity(tmp_path) -> None:
    lab = LabAuthority.open(tmp_path / "lab")
    shape = SHAPES["grandstream"]
    chain, own = lab.maker_identity(shape, MAC)
    again, same = LabAuthority.open(tmp_path / "lab").maker_identity(shape, MAC)
    assert chain == again
    assert own.private_numbers() == same.private_numbers()  # type: ignore[union-attr]
    assert (MAC, "grandstream") in lab.devices()
    row = profile("GRP2614", "1.0.5.48")
    assert lab.makers_authorities(row)[1:] == chain[1:]
    assert lab.phone_identity(row, MAC)[0] == chain


def test_a_makers_folder_that_does_not_fit_is_an_error(tmp_path) -> None:
    lab = LabAuthority.open(tmp_path / "lab")
    shape = SHAPES["grandstream"]
    lab.maker_identity(shape, MAC)
    other = LabAuthority.open(tmp_path / "other")
    other.open_maker(shape)
    for place in ("0.pem", "0.key"):
        source = tmp_path / "other" / "lab"
        source = other.folder / "makers" / shape.id / place
        (lab.folder / "makers" / shape.id / place).write_bytes(source.read_bytes())
    with pytest.raises(StorageError, match="the lab is damaged"):
        lab.maker_identity(shape, MAC)


def test_a_phones_key_is_of_its_makers_kind() -> None:
    assert new_leaf_key(SHAPES["grandstream"]).curve.name == "secp384r1"  # type: ignore[union-attr]


def test_what_was_made_here_is_told(tmp_path) -> None:
    lab = LabAuthority.open(tmp_path / "lab")
    assert lab.made_makers() == []
    lab.open_maker(SHAPES["grandstream"])
    assert lab.made_makers() == [SHAPES["grandstream"]]
