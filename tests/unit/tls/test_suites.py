"""The registry: held against OpenSSL itself and against SNOM-TLS's matrix."""

import pytest
from OpenSSL import SSL

from linekey.tls.suites import SUITES, by_name, name_of
from linekey.tls.versions import Version


def test_the_registry_knows_everything_the_engine_can_speak_and_says_so():
    context = SSL.Context(SSL.TLS_METHOD)
    context.set_min_proto_version(Version.TLS1_0)
    context.set_cipher_list(b"ALL:COMPLEMENTOFALL:@SECLEVEL=0")
    ours = {s.openssl_name for s in SUITES.values() if s.known_by_engine}
    new = sorted(
        s.openssl_name for s in SUITES.values() if s.known_by_engine and s.tls13
    )
    context.set_tls13_ciphersuites(":".join(new).encode())
    assert set(SSL.Connection(context).get_cipher_list()) == ours
    assert len(ours) > 160


def test_numbers_and_both_names_are_unique():
    assert len({s.name for s in SUITES.values()}) == len(SUITES)
    named = [s.openssl_name for s in SUITES.values() if s.openssl_name]
    assert len(set(named)) == len(named)


@pytest.mark.parametrize(
    ("number", "parts"),
    [
        # IANA: TLS_RSA_WITH_AES_128_CBC_SHA and so on; the columns are the matrix's
        (0x002F, ("RSA", "RSA", "AES", 128, "CBC", "SHA1")),
        (0x000A, ("RSA", "RSA", "3DES", 168, "CBC", "SHA1")),
        (0x0009, ("RSA", "RSA", "DES", 56, "CBC", "SHA1")),
        (0x0004, ("RSA", "RSA", "RC4", 128, "STREAM", "MD5")),
        (0x0001, ("RSA", "RSA", "NULL", 0, "NULL", "MD5")),
        (0x0003, ("RSA", "RSA", "RC4", 40, "STREAM", "MD5")),
        (0x0018, ("DHE", "anon", "RC4", 128, "STREAM", "MD5")),
        (0x0016, ("DHE", "RSA", "3DES", 168, "CBC", "SHA1")),
        (0x0013, ("DHE", "DSS", "3DES", 168, "CBC", "SHA1")),
        (0x0088, ("DHE", "RSA", "CAMELLIA", 256, "CBC", "SHA1")),
        (0xC01B, ("SRP", "RSA", "3DES", 168, "CBC", "SHA1")),
        (0xC022, ("SRP", "DSS", "AES", 256, "CBC", "SHA1")),
        (0xC00F, ("ECDH", "RSA", "AES", 256, "CBC", "SHA1")),
        (0xC028, ("ECDHE", "RSA", "AES", 256, "CBC", "SHA384")),
        (0xC02B, ("ECDHE", "ECDSA", "AES", 128, "GCM", "AEAD")),
        (0xC0A9, ("PSK", "PSK", "AES", 256, "CCM_8", "AEAD")),
        (0xCCA8, ("ECDHE", "RSA", "CHACHA20", 256, "POLY1305", "AEAD")),
        (0x1301, ("ANY", "ANY", "AES", 128, "GCM", "AEAD")),
        (0xC0B4, ("ANY", "ANY", "NULL", 0, "NULL", "SHA256")),
    ],
)
def test_the_parts_of_a_suite_are_read_from_its_name(number, parts):
    s = SUITES[number]
    assert (
        s.key_exchange, s.authentication, s.cipher, s.bits, s.mode, s.mac,
    ) == parts  # fmt: skip


def test_what_can_be_told_of_a_suite():
    assert SUITES[0x009C].aead
    assert SUITES[0x0003].export
    assert not SUITES[0x0005].export
    assert str(SUITES[0x2F]) == "TLS_RSA_WITH_AES_128_CBC_SHA"


def test_the_old_suites_are_here_and_beyond_the_engine():
    for number in (0x03, 0x04, 0x05, 0x09, 0x0A, 0x16, 0xC01A):
        assert not SUITES[number].known_by_engine
    for number in (0x02, 0x2F, 0x41, 0xC01D, 0x96):
        assert SUITES[number].known_by_engine


def test_suites_are_found_by_either_name_or_by_number():
    suite = SUITES[0xC02F]
    for text in ("ecdhe-rsa-aes128-gcm-sha256", suite.name.lower(), " 0xC02F "):
        assert by_name(text) is suite


@pytest.mark.parametrize("text", ["", "0x", "0xffff", "AES", "TLS_NONE"])
def test_other_names_are_key_errors(text):
    with pytest.raises(KeyError):
        by_name(text)


def test_any_number_has_a_name_to_print():
    assert name_of(0x00FF) == "TLS_EMPTY_RENEGOTIATION_INFO_SCSV"
    assert name_of(0x5600) == "TLS_FALLBACK_SCSV"
    assert name_of(0x1A1A) == "GREASE (0x1a1a)"
    assert name_of(0x7777) == "unknown (0x7777)"
