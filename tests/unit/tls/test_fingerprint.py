"""JA4 with the examples of its specification (FoxIO, technical_details/JA4.md)."""

import pytest

from linekey.tls import wire
from linekey.tls.fingerprint import ja4
from linekey.tls.hello import ClientHello

SUITES = "1301 1302 1303 c02b c02f c02c c030 cca9 cca8 c013 c014 009c 009d 002f 0035"
EXTENSIONS = (
    "001b 0000 0033 0010 4469 0017 002d 000d 0005 0023 0012 002b ff01 000b 000a 0015"
)
SIGNATURES = "0403 0804 0401 0503 0805 0501 0806 0601"


def numbers(text: str) -> tuple[int, ...]:
    return tuple(int(n, 16) for n in text.split())


def hello(
    suites=SUITES,
    extensions=EXTENSIONS,
    signatures=SIGNATURES,
    alpn=b"h2",
    version=0x0303,
):
    bodies = {
        0x0000: bytes.fromhex("000e00000b6578616d706c652e636f6d"),
        0x0010: wire.vector(2, wire.vector(1, alpn)),
        0x000D: wire.numbers(2, numbers(signatures)),
        0x002B: wire.numbers(1, (0x0A0A, 0x0304, 0x0303)),
        0x000B: wire.numbers(1, (0,), 1),
        0x000A: wire.numbers(2, (29, 23)),
    }
    return ClientHello(
        legacy_version=version,
        random=bytes(32),
        suites=numbers(suites),
        extensions=tuple((n, bodies.get(n, b"")) for n in numbers(extensions)),
    )


def test_the_example_of_the_specification():
    assert ja4(hello()) == "t13d1516h2_8daaf6152771_e5627efa2ab1"


def test_grease_counts_nowhere():
    greased = hello("0a0a " + SUITES, "1a1a " + EXTENSIONS + " 2a2a", SIGNATURES)
    assert ja4(greased) == ja4(hello())


def test_without_signature_algorithms_no_underscore_is_hashed():
    assert ja4(hello(signatures="")) == "t13d1516h2_8daaf6152771_6d807ffa2a79"


@pytest.mark.parametrize(
    ("alpn", "two"),
    [
        (b"h2", "h2"), (b"http/1.1", "h1"), (b"h", "hh"),
        (b"\xab", "ab"), (b"\xab\xcd", "ad"), (b"\x30\xab", "3b"),
        (b"\x30\x31\xab\xcd", "3d"), (b"\x30\xab\xcd\x31", "01"), (b"", "00"),
    ],
)  # fmt: skip
def test_alpn_gives_its_ends(alpn, two):
    assert ja4(hello(alpn=alpn))[8:10] == two


def test_an_old_phone_has_no_extensions_at_all():
    old = ClientHello(legacy_version=0x0300, random=bytes(32), suites=(0x0A, 0xFF))
    assert ja4(old).startswith("ts3i020000_")
    assert ja4(old).endswith("_000000000000")


@pytest.mark.parametrize(
    ("version", "two"), [(0x0301, "10"), (0x0302, "11"), (0x0303, "12"), (0x0399, "00")]
)
def test_the_version_is_the_hellos_own_without_supported_versions(version, two):
    assert ja4(hello(extensions="000a", version=version))[1:3] == two


def test_more_than_99_suites_are_99():
    many = ClientHello(
        legacy_version=0x0303, random=bytes(32), suites=tuple(range(1, 150))
    )
    assert ja4(many)[4:6] == "99"
