"""Certificates in another form are named, with the command that makes PEM of them."""

import base64

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import serialization as ser
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import pkcs7, pkcs12
from tests.unit.certs.conftest import Family

from linekey.certs.pem import (
    parse_bundle,
    parse_private_key,
    private_key_to_pem,
    to_pem,
)
from linekey.errors import CertificateError
from linekey.trust.store import read_upload

_SIGNED_DATA = bytes.fromhex("06092a864886f70d010702")
_BER_P7 = bytes.fromhex("3080") + _SIGNED_DATA + bytes.fromhex("a0803080020101")
_BER_P12 = bytes.fromhex("30800201033080") + bytes.fromhex("06092a864886f70d010701")


def pem_of(label: str, der: bytes) -> bytes:
    body = base64.encodebytes(der).decode()
    return f"-----BEGIN {label}-----\n{body}-----END {label}-----\n".encode()


@pytest.fixture(scope="module")
def files(family: Family) -> dict[str, bytes]:
    chain = [family.leaf.x509, family.intermediate.x509]
    key = family.keys[2]
    p7 = pkcs7.serialize_certificates(chain, ser.Encoding.DER)
    p12 = pkcs12.serialize_key_and_certificates(
        b"phone", key, chain[0], chain[1:], ser.BestAvailableEncryption(b"x")
    )
    request = x509.CertificateSigningRequestBuilder().subject_name(x509.Name([]))
    csr = request.sign(key, SHA256()).public_bytes(ser.Encoding.DER)
    return {
        "PKCS#7 DER": p7,
        "PKCS#7 BER": _BER_P7,
        "PKCS#7 base64": base64.encodebytes(p7),
        "PKCS#7 PEM": pem_of("PKCS7", p7),
        "PKCS#7 CMS PEM": pem_of("CMS", p7),
        "PKCS#12 DER": p12,
        "PKCS#12 BER": _BER_P12,
        "PKCS#12 base64": base64.b64encode(p12),
        "PKCS#12 PEM": pem_of("PKCS12", p12),
        "PKCS#10 DER": csr,
        "PKCS#10 PEM": pem_of("CERTIFICATE REQUEST", csr),
        "Java key store": bytes.fromhex("feedfeed00000002") + bytes(40),
    }


KINDS = (
    "PKCS#7 DER", "PKCS#7 BER", "PKCS#7 base64", "PKCS#7 PEM", "PKCS#7 CMS PEM",
    "PKCS#12 DER", "PKCS#12 BER", "PKCS#12 base64", "PKCS#12 PEM",
    "PKCS#10 DER", "PKCS#10 PEM", "Java key store",
)  # fmt: skip


@pytest.mark.parametrize("kind", KINDS)
def test_each_kind_is_named_with_its_cure(kind: str, files: dict[str, bytes]) -> None:
    name = "Java key store" if kind.startswith("Java") else kind.split()[0]
    with pytest.raises(CertificateError) as caught:
        parse_bundle(files[kind])
    assert name in caught.value.message
    assert caught.value.hint


@pytest.mark.parametrize("kind", [k for k in KINDS if "base64" not in k])
def test_the_phones_upload_names_it_too(kind: str, files: dict[str, bytes]) -> None:
    name = "Java key store" if kind.startswith("Java") else kind.split()[0]
    with pytest.raises(CertificateError, match=name):
        read_upload(files[kind])


def test_a_pkcs12_file_as_a_key_is_named(files: dict[str, bytes]) -> None:
    with pytest.raises(CertificateError, match="PKCS#12") as caught:
        parse_private_key(files["PKCS#12 DER"])
    assert "openssl pkcs12" in caught.value.hint


def test_what_is_read_is_called_by_no_such_name(family: Family) -> None:
    for certificate in (family.root, family.intermediate, family.leaf):
        assert parse_bundle(certificate.der).certificates == (certificate,)
    key = family.keys[2]
    der = key.private_bytes(
        ser.Encoding.DER, ser.PrivateFormat.PKCS8, ser.NoEncryption()
    )
    assert parse_private_key(der).public_key() == key.public_key()
    pem = to_pem(family.leaf).encode()
    mixed = private_key_to_pem(key) + pem_of("CERTIFICATE REQUEST", b"0") + pem
    assert parse_bundle(mixed).certificates == (family.leaf,)


def test_a_version_1_certificate_with_serial_0_is_no_request(family: Family) -> None:
    odd = family.make("old", 0, None, version=1, serial=0, ca=None)
    assert parse_bundle(odd.der).certificates == (odd,)
