"""Any bytes are a certificate or the one documented error; then nothing raises."""

import dataclasses
from contextlib import suppress

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from tests.certificates import ca, certificate, ec
from tests.unit.certs.conftest import BEGIN

from linekey.certs.certificate import Certificate
from linekey.certs.dn import Name
from linekey.certs.host_names import match_host
from linekey.certs.path import prove
from linekey.certs.pem import (
    parse_bundle,
    parse_certificates,
    parse_private_key,
    to_pem,
)
from linekey.errors import CertificateError

KEY = ec("fuzz")
OVER = ca([("emailAddress", "a@b.invalid"), ("CN", "root")], own=KEY, path_length=3)
ROOT = OVER.certificate
LEAF = certificate(
    Name.build([("CN", "000413AABBCC"), [("O", "x"), ("OU", "y")]]), KEY, OVER, ca=False,
    dns_names=["a.example"], key_usage=["digitalSignature"],
    extended_key_usage=["serverAuth"], uris=["sip:x"],
)  # fmt: skip
SETTINGS = settings(
    max_examples=1_500, deadline=None, suppress_health_check=[HealthCheck.too_slow]
)


@st.composite
def mutated(draw) -> bytes:
    """A good certificate with a few bytes changed, cut out, doubled or put in."""
    der = bytearray(LEAF.der)
    for _ in range(draw(st.integers(1, 4))):
        at = draw(st.integers(0, max(len(der) - 1, 0)))
        match draw(st.sampled_from(["set", "cut", "insert", "double"])):
            case "set":
                der[at : at + 1] = bytes([draw(st.integers(0, 255))])
            case "cut":
                del der[at : at + draw(st.integers(1, 40))]
            case "insert":
                der[at:at] = draw(st.binary(min_size=1, max_size=8))
            case "double":
                der[at:at] = der[at : at + draw(st.integers(1, 40))]
    return bytes(der)


def use(certificate: Certificate) -> None:
    """Everything that a page, a rule or a log would ask of it."""
    for name in dir(Certificate):
        if name.startswith("_") or name in {
            "x509",
            "openssl",
            "from_der",
            "from_openssl",
        }:
            continue
        str(getattr(certificate, name))
    assert str(certificate.subject).isprintable()
    assert repr(certificate)
    assert certificate.key.text
    assert dataclasses.asdict(certificate.key)
    certificate.subject.matches(certificate.issuer)
    assert Name.from_der(certificate.subject.der) == certificate.subject
    match_host(certificate, "a.example", 31)
    for load in ("x509", "openssl"):
        with suppress(CertificateError):
            getattr(certificate, load)
    result = prove(certificate, [LEAF], [ROOT], at=BEGIN, purpose="server")
    # Another signature algorithm's void parameters aside, only the leaf itself passes.
    assert result.ok == (not result.problems)
    if result.ok:
        assert certificate.tbs == LEAF.tbs


@SETTINGS
@given(mutated())
def test_a_mutated_certificate_reads_or_is_the_one_error(der: bytes) -> None:
    try:
        certificate = Certificate.from_der(der)
    except CertificateError:
        return
    assert certificate.der == der
    use(certificate)


@SETTINGS
@given(st.binary(max_size=200))
@example(b"\x30\x84\xff\xff\xff\xff")
@example(b"\x30" * 5000)
def test_any_bytes_read_or_are_the_one_error(data: bytes) -> None:
    for read in (Certificate.from_der, Name.from_der, parse_bundle, parse_private_key):
        with suppress(CertificateError):
            read(data)


@SETTINGS
@given(
    st.lists(
        st.one_of(
            st.just(to_pem(LEAF).encode()),
            st.sampled_from(
                [b"-----BEGIN CERTIFICATE-----", b"-----END CERTIFICATE-----"]
            ),
            st.sampled_from(
                [b"-----BEGIN PRIVATE KEY-----", b"-----END PRIVATE KEY-----"]
            ),
            st.binary(max_size=20),
            st.sampled_from([b"\n", b"MIIB", b"=", b"\x00"]),
        ),
        max_size=8,
    )
)
def test_any_text_of_blocks_reads_or_is_the_one_error(pieces: list[bytes]) -> None:
    data = b"".join(pieces)
    with suppress(CertificateError):
        assert parse_certificates(data) == [LEAF]


def test_the_good_one_is_used_without_a_fault() -> None:
    use(LEAF)
    assert prove(LEAF, [], [ROOT], at=BEGIN, purpose="server").ok


@pytest.mark.parametrize("size", [100, 10_000])
def test_deep_nesting_and_many_parts_take_no_time(size: int) -> None:
    nested = b""
    for _ in range(size):
        nested = b"\x30\x83" + len(nested).to_bytes(3, "big") + nested
    with pytest.raises(CertificateError):
        Certificate.from_der(nested)
    # RDNs without an attribute are passed over, as by OpenSSL.
    empty = b"\x30\x83" + (size * 2).to_bytes(3, "big") + b"\x31\x00" * size
    assert Name.from_der(empty).rdns == ()
