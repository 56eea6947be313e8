"""Keys that cost too much to check a signature with, told before anything is checked.

What a check costs is up to whoever made the key. OpenSSL bounds an RSA key's public
exponent only where the modulus has more than 3,072 bits (its rsa.h:
OPENSSL_RSA_SMALL_MODULUS_BITS, OPENSSL_RSA_MAX_PUBEXP_BITS), so that one check can cost
more than 200 usual ones (``bench.hostile``: 13 ms with 3,072 bits, 0.06 with 65537). It
takes moduli of 16,384 bits, curves spelled out by their parameters, DSA of 10,000 bits
and the newest kinds of signatures as well. Phones and their CAs have RSA keys of 1,024
to 4,096 bits with the exponent 65537, and some a named curve. Within the bounds here no
check takes a millisecond.

Rule: what is not known to be cheap is out of bounds. Only the DER is read; no key is
loaded for it, and nothing is computed with one.
"""

from collections.abc import Iterable

from linekey.certs.certificate import Certificate
from linekey.said import say

MAX_MODULUS_BITS = 8_192
"""Of RSA and DSA; twice what any phone's CA has."""
MAX_EXPONENT_BITS = 64
"""OpenSSL's own limit for moduli of more than 3,072 bits."""
MAX_DSA_BITS = 3_072
"""FIPS 186-4's largest; no phone's certificate with DSA is known."""


def key_problem(certificate: Certificate) -> str | None:
    """Why this certificate's key is out of bounds, a clause; None: it is not."""
    key = certificate.key
    if key.kind == "rsa":
        if key.bits > MAX_MODULUS_BITS:
            return say("an RSA modulus of %(bits)s bits", bits=key.bits)
        exponent = key.exponent or 0
        if exponent.bit_length() > MAX_EXPONENT_BITS:
            return say(
                "an RSA public exponent of %(bit_length)s bits",
                bit_length=exponent.bit_length(),
            )
        return None
    if key.kind == "ec":
        return (
            None if key.bits else say("the elliptic curve %(curve)s", curve=key.curve)
        )
    if key.kind == "dsa":
        return (
            None
            if 0 < key.bits <= MAX_DSA_BITS
            else say("DSA of %(bits)s bits", bits=key.bits)
        )
    if key.kind in {"ed25519", "ed448"}:
        return None
    if key.kind == "unreadable":
        return say("a key that cannot be read, or is larger than any in use")
    return say("a key of the kind %(kind)s", kind=key.kind)


def first_problem(certificates: Iterable[Certificate]) -> str | None:
    """The first key out of bounds, and whose it is."""
    for certificate in certificates:
        if problem := key_problem(certificate):
            return say(
                "%(label)s has %(problem)s", label=certificate.label, problem=problem
            )
    return None
