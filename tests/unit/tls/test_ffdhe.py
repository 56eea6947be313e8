"""The Diffie-Hellman group of RFC 7919: computed, and known to OpenSSL by its name."""

import subprocess
from decimal import Decimal, getcontext

import pytest

from linekey.tls.ffdhe import ffdhe2048_pem, ffdhe2048_prime


def test_the_prime_is_rfc_7919s() -> None:
    prime = ffdhe2048_prime()
    digits = f"{prime:X}"
    # First and last words as printed in RFC 7919 §A.1.
    assert digits.startswith("FFFFFFFFFFFFFFFFADF85458A2BB4A9AAFDC5620273D3CF1")
    assert digits.endswith("886B423861285C97FFFFFFFFFFFFFFFF")
    assert pow(2, prime - 1, prime) == 1
    half = (prime - 1) // 2
    assert pow(2, half - 1, half) == 1


@pytest.mark.peer("openssl")
def test_openssl_knows_the_group_of_the_file() -> None:
    ran = subprocess.run(
        ["openssl", "dhparam", "-check", "-text", "-noout"],
        input=ffdhe2048_pem().encode(), capture_output=True, timeout=30,
    )  # fmt: skip
    assert ran.returncode == 0
    assert b"ffdhe2048" in ran.stdout + ran.stderr


def test_the_prime_is_the_formulas() -> None:
    getcontext().prec = 800
    e = Decimal(1).exp()
    p = 2**2048 - 2**1984 + (int(Decimal(2) ** 1918 * e) + 560316) * 2**64 - 1
    assert ffdhe2048_prime() == p
