"""What is issued verifies, old hashes and version 1 included, and holds what was asked."""

import warnings
from datetime import datetime

import pytest
from OpenSSL import crypto
from tests.unit.certs.conftest import BEGIN, END, Family, named

from linekey.certs.build import Issuer, issue, key_id, new_key
from linekey.certs.dn import Name
from linekey.errors import CertificateError

KINDS = [("rsa", 1024), ("ec", "secp256r1"), ("dsa", 1024), ("ed25519", 0)]


@pytest.fixture(scope="module")
def signers():
    return {kind: new_key(kind, size) for kind, size in KINDS}


@pytest.mark.parametrize("version", [1, 3])
@pytest.mark.parametrize("hash_name", ["md5", "sha1", "sha256", "sha512"])
@pytest.mark.parametrize("kind", [kind for kind, _ in KINDS])
def test_every_signature_verifies(signers, kind, hash_name, version) -> None:
    def make():
        return issue(
            named("x"), signers[kind], None, serial=1, not_before=BEGIN, not_after=END,
            hash=hash_name, version=version,
        )  # fmt: skip

    if (kind, hash_name) in {("ec", "md5"), ("dsa", "md5"), ("dsa", "sha512")}:
        with pytest.raises(CertificateError, match="no signature of"):
            make()
        return
    certificate = make()
    assert certificate.version == version
    assert certificate.signature_hash == (None if kind == "ed25519" else hash_name)
    store = crypto.X509Store()
    store.add_cert(certificate.openssl)
    # The root's own signature is checked too; any time.
    store.set_flags(crypto.X509StoreFlags.CHECK_SS_SIGNATURE | 0x200000)
    crypto.X509StoreContext(store, certificate.openssl).verify_certificate()
    certificate.x509.public_key()


def test_vendor_shaped_authorities_have_no_key_usage(family: Family) -> None:
    """SNOM-CA: CA:TRUE, not critical, no pathlen, no keyUsage; SKI, AKI."""
    ca = family.intermediate
    assert list(ca.extensions) == ["2.5.29.14", "2.5.29.35", "2.5.29.19"]
    assert not any(extension.critical for extension in ca.extensions.values())
    assert ca.path_length is None
    assert (
        ca.authority_key_id
        == family.root.subject_key_id
        == key_id(family.root.public_key_der)
    )
    assert family.root.authority_key_id == family.root.subject_key_id


def test_the_issuers_name_is_copied_byte_for_byte(family: Family) -> None:
    assert family.leaf.issuer.der == family.intermediate.subject.der


def test_the_emails_and_countrys_string_types_are_rfc_5280s() -> None:
    name = Name.build([("emailAddress", "a@b.invalid"), ("C", "DE"), ("CN", "x")])
    der = name.der
    assert b"\x16\x0ba@b.invalid" in der
    assert b"\x13\x02DE" in der
    assert b"\x0c\x01x" in der


def test_no_warning_is_given_and_no_key_shown(signers) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        certificate = issue(
            named("x"), signers["rsa"], None, serial=1, not_before=BEGIN,
            not_after=END, hash="sha1",
        )  # fmt: skip
    assert "RSAPrivateKey" not in repr(Issuer(certificate, signers["rsa"]))


@pytest.mark.parametrize(
    ("options", "reason"),
    [
        ({"version": 2}, "version 2"),
        ({"version": 1, "ca": True}, "no extensions"),
        ({"not_before": datetime(2020, 1, 1)}, "time zone"),
        ({"dns_names": ["ünï€.example"]}, "not a name"),
        ({"key_usage": ["signing"]}, "unknown key usage: 'signing'"),
        ({"hash": "sha3"}, "no signature of rsa"),
        ({"extensions": [("x", False, b"")]}, "object identifier"),
    ],
)
def test_what_cannot_be_issued_is_an_error(signers, options, reason) -> None:
    arguments = {"serial": 1, "not_before": BEGIN, "not_after": END} | options
    with pytest.raises(CertificateError, match=reason):
        issue(named("x"), signers["rsa"], None, **arguments)


def test_a_public_key_cannot_sign_itself(signers) -> None:
    with pytest.raises(CertificateError, match="private key"):
        issue(
            named("x"), signers["rsa"].public_key(), None, serial=1, not_before=BEGIN,
            not_after=END,
        )  # fmt: skip


@pytest.mark.parametrize(
    ("kind", "size"), [("rsa", 100), ("rsa", "big"), ("ec", "secp112r1"), ("dh", 1024)]
)
def test_keys_that_cannot_be_made_are_an_error(kind, size) -> None:
    with pytest.raises(CertificateError, match="no "):
        new_key(kind, size)
