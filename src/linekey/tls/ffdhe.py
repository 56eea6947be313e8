"""Diffie-Hellman parameters for servers that bring none: ffdhe2048 (RFC 7919 §A.1).

The prime is computed by the RFC's own formula, so that nobody need trust a copied
number: p = 2^2048 − 2^1984 + (⌊2^1918 · e⌋ + 560316) · 2^64 − 1.
"""

from functools import cache

from linekey.certs import der
from linekey.certs.pem import pem_block

GENERATOR = 2


@cache
def ffdhe2048_pem() -> str:
    """The parameters, PEM ("DH PARAMETERS": prime and generator, PKCS #3)."""
    prime, generator = map(der.write_integer, (ffdhe2048_prime(), GENERATOR))
    return pem_block("DH PARAMETERS", der.write(der.SEQUENCE, prime, generator))


def ffdhe2048_prime() -> int:
    """The prime."""
    result: int = 2**2048 - 2**1984 + (_e_times(1918) + 560316) * 2**64 - 1
    return result


def _e_times(bits: int) -> int:
    """⌊2^bits · e⌋, from the series of 1/n! with 64 bits to spare."""
    guard = 64
    term = total = 1 << (bits + guard)
    n = 1
    while term:
        term //= n
        total += term
        n += 1
    return total >> guard
