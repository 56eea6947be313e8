"""Certificates come as PEM, DER and base64; keys in between are kept apart, unseen."""

import base64

import pytest
from cryptography.hazmat.primitives import serialization as ser
from hypothesis import given
from hypothesis import strategies as st
from tests.unit.certs.conftest import Family

from linekey.certs.build import new_key
from linekey.certs.pem import (
    parse_bundle,
    parse_certificates,
    parse_private_key,
    private_key_to_pem,
    to_base64,
    to_pem,
)
from linekey.errors import CertificateError


@pytest.fixture
def leaf(family: Family):
    return family.leaf


def test_der_pem_and_base64_are_one_certificate(leaf) -> None:
    pem = to_pem(leaf)
    forms = [
        leaf.der,
        pem.encode(),
        pem.replace("\n", "\r\n").encode(),
        b"\xef\xbb\xbf" + pem.encode(),
        b"\xff\xfe" + pem.encode("utf-16-le"),
        b"\xfe\xff" + pem.encode("utf-16-be"),
        pem.encode("utf-16-le"),
        pem.encode("utf-16-be"),
        pem.encode("utf-32"),
        pem.replace("\n", "\\n").encode(),
        pem.replace("\n", "\\r\\n").encode(),
        pem.replace("\n", "\u00a0\n").encode(),
        to_base64(leaf).encode(),
        base64.b64encode(leaf.der),
        base64.b64encode(leaf.der).rstrip(b"="),
        f"\n\t {to_base64(leaf)} \n ".encode(),
        pem.replace("CERTIFICATE", "X509 CERTIFICATE").encode(),
    ]
    for form in forms:
        assert parse_certificates(form) == [leaf], form[:60]


def test_openssls_trusted_form_is_read(leaf) -> None:
    body = base64.b64encode(leaf.der + bytes.fromhex("3003020105")).decode()
    data = f"-----BEGIN TRUSTED CERTIFICATE-----\n{body}\n-----END TRUSTED CERTIFICATE-----"
    assert parse_certificates(data.encode()) == [leaf]


@given(st.lists(st.sampled_from([" ", "\n", "\r\n", "\t"]), min_size=5, max_size=5))
def test_white_space_anywhere_in_base64_is_harmless(family, spaces) -> None:
    text = base64.b64encode(family.leaf.der).decode()
    for number, space in enumerate(spaces):
        at = number * 97
        text = text[:at] + space + text[at:]
    assert parse_certificates(text.encode()) == [family.leaf]


def test_a_bundle_keeps_its_order_and_tells_the_rest(family: Family) -> None:
    key = private_key_to_pem(family.keys[0]).decode()
    text = (
        "subject=/CN=whatever\n" + to_pem(family.leaf) + key + to_pem(family.root)
        + "garbage" + to_pem(family.leaf)
        + "-----BEGIN DH PARAMETERS-----\nAAAA\n-----END DH PARAMETERS-----\n"
    )  # fmt: skip
    bundle = parse_bundle(text.encode())
    assert bundle.certificates == (family.leaf, family.root)
    assert len(bundle.keys) == 1
    assert parse_private_key(bundle.keys[0]).key_size == 1024
    notes = " / ".join(bundle.notes)
    assert "a private key (private key)" in notes
    assert "certificate 3 is the same as certificate 1" in notes
    assert "dh parameters" in notes
    assert "bytes of other text" in notes
    assert key.splitlines()[2] not in repr(bundle) + notes
    assert parse_certificates(text.encode()) == [family.leaf, family.root]


@pytest.mark.parametrize("form", ["pem", "der", "ec", "encrypted"])
def test_a_private_key_alone_is_refused_and_never_shown(form, family) -> None:
    key = family.keys[0]
    secret = str(key.private_numbers().p)
    data = {
        "pem": private_key_to_pem(key),
        "der": key.private_bytes(
            ser.Encoding.DER, ser.PrivateFormat.PKCS8, ser.NoEncryption()
        ),
        "ec": private_key_to_pem(new_key("ec", "secp256r1")),
        "encrypted": key.private_bytes(
            ser.Encoding.DER, ser.PrivateFormat.PKCS8, ser.BestAvailableEncryption(b"x")
        ),
    }[form]
    with pytest.raises(CertificateError, match="private key") as caught:
        parse_certificates(data)
    told = str(caught.value) + caught.value.hint
    assert secret not in told
    assert base64.b64encode(data)[:40].decode() not in told


def test_base64_of_a_private_key_is_known_for_one(family: Family) -> None:
    pem = private_key_to_pem(family.keys[0]).decode().splitlines()
    with pytest.raises(CertificateError, match="private key"):
        parse_certificates("\n".join(pem[1:-1]).encode())


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (b"", "empty"),
        (b" \r\n\t", "empty"),
        (bytes(2_000_000), "limit"),
        (bytes(1_000_000), "zeros"),
        (b"<html>", "byte 0x3c in line 1, column 1"),
        (b"AAAA\nBB*B", "byte 0x2a in line 2, column 3"),
        (b"AAAAA", "broken base64"),
        (b"hello", "broken base64"),
        (b"aGVsbG8=", "8 bytes of other text"),
        (b"A=AA", "byte 0x3d in line 1, column 2"),
        (b"-----BEGIN CERTIFICATE-----\nAAAA\n", "without its END line"),
        (
            b"-----BEGIN CERTIFICATE-----\nAA*A\n-----END CERTIFICATE-----",
            "certificate 1",
        ),
        (b"-----BEGIN CERTIFICATE-----\n-----END CERTIFICATE-----", "certificate 1"),
        (b"-----BEGIN X-----\nAAAA\n-----END X-----", "another kind"),
    ],
)
def test_what_holds_no_certificate_is_an_error_that_says_why(data, reason) -> None:
    with pytest.raises(CertificateError, match=reason):
        parse_certificates(data)


def test_a_broken_certificate_in_a_bundle_is_named_by_its_number(family) -> None:
    text = to_pem(family.leaf) + to_pem(family.root).replace("MII", "AAA", 1)
    with pytest.raises(CertificateError, match="certificate 2 of the file"):
        parse_certificates(text.encode())


def test_too_many_certificates_are_refused(family: Family) -> None:
    block = "-----BEGIN CERTIFICATE-----\n{}\n-----END CERTIFICATE-----\n"
    small = issue_small(family)
    with pytest.raises(CertificateError, match="more than 1,000"):
        parse_certificates((block.format(small) * 1001).encode())


def issue_small(family: Family) -> str:
    from tests.unit.certs.conftest import BEGIN, END

    from linekey.certs.build import issue
    from linekey.certs.dn import Name

    return to_base64(
        issue(Name.build([]), new_key("ed25519"), None, serial=1, not_before=BEGIN,
              not_after=END, key_ids=False)
    )  # fmt: skip


def test_what_is_written_is_64_columns_wide_without_markers(leaf) -> None:
    lines = to_base64(leaf).split("\n")
    assert {len(line) for line in lines[:-1]} == {64}
    assert base64.b64decode("".join(lines)) == leaf.der
    assert "-" not in to_base64(leaf)
    assert to_pem(leaf).endswith("-----END CERTIFICATE-----\n")


def test_keys_are_read_in_every_form(family: Family) -> None:
    key = family.keys[0]
    for encoding in (ser.Encoding.PEM, ser.Encoding.DER):
        for form in (ser.PrivateFormat.PKCS8, ser.PrivateFormat.TraditionalOpenSSL):
            data = key.private_bytes(encoding, form, ser.NoEncryption())
            read = parse_private_key(data)
            assert read.private_numbers() == key.private_numbers()
    behind = to_pem(family.leaf).encode() + private_key_to_pem(key)
    assert parse_private_key(behind).private_numbers() == key.private_numbers()


def test_an_encrypted_key_is_refused_with_its_cure(family: Family) -> None:
    data = family.keys[0].private_bytes(
        ser.Encoding.PEM, ser.PrivateFormat.PKCS8, ser.BestAvailableEncryption(b"right")
    )
    with pytest.raises(CertificateError, match="is encrypted") as raised:
        parse_private_key(data)
    assert "openssl pkey" in raised.value.hint


@pytest.mark.parametrize(
    "data", [b"", b"garbage", b"\x30\x03\x02\x01\x05", bytes(2_000_000)]
)
def test_what_is_no_key_is_an_error(data: bytes) -> None:
    with pytest.raises(CertificateError):
        parse_private_key(data)


def test_a_key_for_no_signature_is_refused() -> None:
    from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey

    data = X25519PrivateKey.generate().private_bytes(
        ser.Encoding.PEM, ser.PrivateFormat.PKCS8, ser.NoEncryption()
    )
    with pytest.raises(CertificateError, match="X25519"):
        parse_private_key(data)
