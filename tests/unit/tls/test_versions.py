"""Versions: numbers, spellings, labels."""

import pytest

from linekey.tls.versions import Version, is_grease, label_of, parse_version


def test_versions_are_their_numbers_and_ordered():
    assert [v.value for v in Version] == [0x300, 0x301, 0x302, 0x303, 0x304]
    assert Version.SSL3 < Version.TLS1_0 < Version.TLS1_3
    assert Version.TLS1_2.label == "TLSv1.2"
    assert Version.TLS1_0.label == "TLSv1"


@pytest.mark.parametrize(
    ("text", "version"),
    [
        ("TLS 1.2", Version.TLS1_2), ("TLSv1.2", Version.TLS1_2),
        ("tls1", Version.TLS1_0), ("TLS 1.0", Version.TLS1_0),
        ("SSL 3", Version.SSL3), ("SSLv3", Version.SSL3), ("SSL 3.0", Version.SSL3),
        ("tlsV1.3", Version.TLS1_3),
    ],
)  # fmt: skip
def test_versions_are_read_in_any_spelling(text, version):
    assert parse_version(text) is version


@pytest.mark.parametrize("text", ["", "TLS", "TLS 1.4", "SSL 2", "1.2", "TLS 1.2.3"])
def test_other_texts_are_no_versions(text):
    with pytest.raises(ValueError, match="no TLS version"):
        parse_version(text)


def test_unknown_numbers_are_shown_as_numbers():
    assert label_of(0x0303) == "TLSv1.2"
    assert label_of(0x0305) == "version 0x0305"


def test_grease_is_the_sixteen_numbers_of_rfc_8701():
    found = [n for n in range(0x10000) if is_grease(n)]
    assert found == [0x0A0A + i * 0x1010 for i in range(16)]
