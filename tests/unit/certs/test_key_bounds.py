"""Which keys are out of bounds; what real phones and their CAs have is not."""

import random

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa, x25519
from tests.hostile import costly_dsa, costly_rsa, crossing

from linekey.certs import der as asn1
from linekey.certs.build import new_key
from linekey.certs.certificate import Certificate
from linekey.certs.key_bounds import first_problem, key_problem


def with_key(spki: bytes) -> Certificate:
    """A certificate whose SubjectPublicKeyInfo is this, whatever it is."""
    made = crossing([new_key("rsa", 1024).public_key()])[1]
    tbs = made.tbs.replace(made.public_key_der, spki)
    start = tbs.index(asn1.write(0xA0, asn1.write_integer(2)))
    rest = made.der[made.der.index(made.tbs) + len(made.tbs) :]
    return Certificate.from_der(
        asn1.write(asn1.SEQUENCE, asn1.write(asn1.SEQUENCE, tbs[start:]), rest)
    )


def spki(oid: str, parameters: bytes, key: bytes) -> bytes:
    return asn1.write(
        asn1.SEQUENCE,
        asn1.write(asn1.SEQUENCE, asn1.write_oid(oid), parameters),
        asn1.write(asn1.BIT_STRING, b"\0" + key),
    )


def rsa_key(bits: int, exponent: int) -> rsa.RSAPublicKey:
    modulus = random.Random(bits).getrandbits(bits) | 1 << (bits - 1) | 1
    return rsa.RSAPublicNumbers(exponent, modulus).public_key()


@pytest.mark.parametrize(
    "key",
    [
        *(rsa_key(bits, e) for bits in (1024, 2048, 3072, 4096, 8192)
          for e in (3, 65537, 2**64 - 1)),
        new_key("ec", "secp256r1").public_key(),
        new_key("ec", "secp521r1").public_key(),
        ec.generate_private_key(ec.BrainpoolP256R1()).public_key(),
        new_key("ed25519", 0).public_key(),
        new_key("dsa", 1024).public_key(),
    ],
    ids=lambda key: f"{type(key).__name__} {getattr(key, 'key_size', '')}",
)  # fmt: skip
def test_what_is_in_use_is_within_bounds(key) -> None:
    assert key_problem(crossing([key])[1]) is None


@pytest.mark.parametrize(
    ("key", "said"),
    [
        (costly_rsa(), "exponent of 3,071 bits"),
        (costly_rsa(2048, 65), "exponent of 65 bits"),
        (costly_rsa(4096, 4095), "exponent of 4,095 bits"),
        (costly_rsa(4608, 4600), "cannot be read"),
        (costly_rsa(8193, 64), "modulus of 8,193 bits"),
        (costly_rsa(16384, 17), "modulus of 16,384 bits"),
        (costly_rsa(20000, 17), "cannot be read"),
        (costly_dsa(4096), "DSA of 4,096 bits"),
        (x25519.X25519PrivateKey.generate().public_key(), "1.3.101.110"),
    ],
)  # fmt: skip
def test_what_costs_too_much_is_said(key, said) -> None:
    der = key.public_bytes(
        serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo
    )
    assert said in (key_problem(with_key(der)) or "")


@pytest.mark.parametrize(
    ("info", "said"),
    [
        # RFC 3279 §2.3.5: the curve written out, instead of its name.
        (spki("1.2.840.10045.2.1", asn1.write(asn1.SEQUENCE, asn1.write_integer(1)),
              b"\4" + bytes(64)), "explicit parameters"),
        (spki("1.2.840.10045.2.1", asn1.write_oid("1.3.132.0.39"), b"\4" + bytes(144)),
         "1.3.132.0.39"),
        (spki("1.2.840.10040.4.1", b"", b"\2\1\5"), "DSA of 0 bits"),
        (spki("2.16.840.1.101.3.4.3.31", b"", bytes(64)), "2.16.840.1.101.3.4.3.31"),
        (spki("1.2.840.113549.1.1.1", b"", b"nonsense"), "cannot be read"),
    ],
    ids=["explicit curve", "binary curve", "inherited DSA", "SLH-DSA", "no key"],
)  # fmt: skip
def test_what_is_not_known_to_be_cheap_is_out_of_bounds(info, said) -> None:
    assert said in (key_problem(with_key(info)) or "")


def test_the_first_problem_says_whose_it_is() -> None:
    leaf, above = crossing([costly_rsa()], cn="Some CA")
    assert first_problem([leaf]) is None
    assert "Some CA" in (first_problem([leaf, above]) or "")
