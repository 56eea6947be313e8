"""DER is written in its one form and read back the same."""

from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from linekey.certs import der as asn1
from linekey.errors import CertificateError


@given(st.integers(-(1 << 300), 1 << 300))
def test_integers_come_back_in_the_fewest_bytes(value: int) -> None:
    encoded = asn1.write_integer(value)
    content = encoded[2:]
    assert asn1.read_integer(content, "x") == value
    assert (
        len(content) == 1
        or content[0] not in {0, 255}
        or (content[0] ^ content[1]) & 0x80
    )


@given(
    st.lists(st.integers(0, 1 << 70), max_size=4), st.integers(0, 2), st.integers(0, 39)
)
def test_object_identifiers_come_back(rest: list[int], first: int, second: int) -> None:
    text = ".".join(map(str, [first, second, *rest]))
    encoded = asn1.write_oid(text)
    assert asn1.dotted(encoded[2:]) == text


@given(st.binary(max_size=300))
def test_lengths_come_back(content: bytes) -> None:
    encoded = asn1.write(asn1.OCTET_STRING, content)
    tag, start, stop = asn1.read_span(encoded, 0, len(encoded))
    assert (tag, encoded[start:stop]) == (asn1.OCTET_STRING, content)


def test_dates_change_form_in_2050() -> None:
    assert asn1.write_time(datetime(2049, 1, 1, tzinfo=UTC))[0] == asn1.UTC_TIME
    assert asn1.write_time(datetime(2050, 1, 1, tzinfo=UTC))[0] == asn1.GENERALIZED_TIME
    assert asn1.write_time(datetime(1949, 1, 1, tzinfo=UTC))[0] == asn1.GENERALIZED_TIME
    with pytest.raises(CertificateError):
        asn1.write_time(datetime(2049, 1, 1))


@pytest.mark.parametrize("text", ["", "1", "3.1", "1.40", "1.x", "2.5.4.", "-1.2"])
def test_what_is_no_object_identifier_is_an_error(text: str) -> None:
    with pytest.raises(CertificateError):
        asn1.write_oid(text)


def test_the_second_arc_may_be_large_under_2() -> None:
    assert asn1.dotted(bytes.fromhex("8837")) == "2.999"
    assert asn1.write_oid("2.999")[2:].hex() == "8837"
