"""A certificate is read once, unless it is larger than any phone's."""

import pytest
from tests.pair.tls_world import device

from linekey.certs.certificate import Certificate
from linekey.certs.read_before import MAX_KEPT_BYTES, _kept, certificate_of
from linekey.errors import CertificateError


def test_the_same_bytes_are_one_certificate() -> None:
    der = device().leaf.der
    first = certificate_of(der)
    assert first == Certificate.from_der(der)
    assert certificate_of(bytes(bytearray(der))) is first


def test_what_cannot_be_read_or_is_too_large_is_not_kept() -> None:
    before = _kept.cache_info().currsize
    for der in (b"", b"no certificate", device().leaf.der[:-1]):
        with pytest.raises(CertificateError):
            certificate_of(der)
    with pytest.raises(CertificateError):
        certificate_of(b"\x30" * (MAX_KEPT_BYTES + 1))
    assert _kept.cache_info().currsize == before
