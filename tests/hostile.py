"""Chains that a stranger can make to keep a server busy; the bench measures them too."""

import random
from collections.abc import Sequence
from datetime import UTC, datetime
from functools import cache

from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import dsa, rsa

from linekey.certs import der as asn1
from linekey.certs.build import Issuer, PublicKey, issue, key_id, new_key
from linekey.certs.certificate import Certificate
from linekey.certs.name import Name

BEGIN, END = datetime(2016, 1, 1, tzinfo=UTC), datetime(2037, 1, 1, tzinfo=UTC)


@cache
def costly_rsa(bits: int = 3072, exponent_bits: int = 3071) -> rsa.RSAPublicKey:
    """An odd modulus and a random odd exponent; whose key it is does not matter."""
    rng = random.Random(bits * exponent_bits)
    modulus = rng.getrandbits(bits) | (1 << (bits - 1)) | 1
    exponent = rng.getrandbits(exponent_bits) | (1 << (exponent_bits - 1)) | 1
    return rsa.RSAPublicNumbers(exponent, modulus).public_key()


def costly_dsa(bits: int) -> dsa.DSAPublicKey:
    rng = random.Random(bits)
    p = rng.getrandbits(bits) | (1 << (bits - 1)) | 1
    q = rng.getrandbits(256) | (1 << 255) | 1
    numbers = dsa.DSAParameterNumbers(p, q, rng.getrandbits(bits - 2) | 1)
    return dsa.DSAPublicNumbers(rng.getrandbits(bits - 2) | 1, numbers).public_key()


def crossing(
    keys: Sequence[PublicKey],
    *,
    cn: str = "Snom Phone 1 SHA-256",
    leaf_key: PublicKey | None = None,
    leaf_cn: str = "000413AABBCC",
) -> tuple[Certificate, ...]:
    """A leaf and one CA for each key, all of one name, each an issuer of all others.

    Every other one has an authority key identifier, the next one's; so names and
    identifiers allow many orders. No signature holds, but each is as long as the first
    key's would be, so that checking it costs the whole price.
    """
    name = Name.build([("CN", cn), ("O", "snom technology AG")])
    size = (keys[0].key_size + 7) // 8 if isinstance(keys[0], rsa.RSAPublicKey) else 64
    made = []
    for number, key in enumerate(keys):
        extensions = [("2.5.29.14", False, asn1.write(asn1.OCTET_STRING, _id(key)))]
        if number % 2:
            above = asn1.write(0x80, _id(keys[(number + 1) % len(keys)]))
            value = asn1.write(asn1.SEQUENCE, above)
            extensions.append(("2.5.29.35", False, value))
        made.append(_issue(name, key, name, number + 1, size, extensions, ca=True))
    own = leaf_key or _signer().public_key()
    leaf = _issue(Name.build([("CN", leaf_cn)]), own, name, 99, size, [], ca=False)
    return (leaf, *made)


@cache
def _signer():
    return new_key("rsa", 1024)


def _issue(subject, key, issuer, serial, size, extensions, *, ca) -> Certificate:
    dates = {"not_before": BEGIN, "not_after": END}
    above = issue(issuer, _signer(), None, serial=1, ca=True, key_ids=False, **dates)
    made = issue(
        subject, key, Issuer(above, _signer()), serial=serial, ca=ca, key_ids=False,
        extensions=extensions, **dates,
    )  # fmt: skip
    start, stop = made.tbs, made.der.rindex(made.signature)
    algorithm = made.der[made.der.index(start) + len(start) : stop]
    head = asn1.write(asn1.BIT_STRING, b"\0" * (len(made.signature) + 1))
    algorithm = algorithm[: len(algorithm) - (len(head) - len(made.signature))]
    signature = random.Random(serial).randbytes(size - 1)
    void = asn1.write(asn1.BIT_STRING, b"\0\1" + signature)
    return Certificate.from_der(asn1.write(asn1.SEQUENCE, start, algorithm, void))


def _id(key: PublicKey) -> bytes:
    return key_id(_spki(key))


def _spki(key: PublicKey) -> bytes:
    return key.public_bytes(
        serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo
    )
