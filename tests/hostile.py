"""Chains that a stranger can make to keep a server busy; the bench measures them too."""

import random
from collections.abc import Sequence
from datetime import UTC, datetime
from functools import cache

from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import dsa, rsa

from linekey.certs import der as asn1
from linekey.certs.build import (
    Issuer,
    PublicKey,
    RawExtension,
    issue,
    key_id,
    new_key,
)
from linekey.certs.certificate import Certificate
from linekey.certs.dn import Name

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
    like: Certificate | None = None,
    seed: int = 0,
) -> tuple[Certificate, ...]:
    """A leaf and one CA for each key, all of one name, each an issuer of half the others.

    Their key identifiers are two in turn, and each names the other's, so that names and
    identifiers allow a great many orders and none of them ends. No signature holds, but
    each is as long as the first key's would be, so that checking it costs the whole
    price. ``like``: whose name they take. ``seed``: for others of the same kind.
    """
    name = Name.build([("CN", cn), ("O", "snom technology AG")])
    if like is not None:
        name = like.subject
    size = (keys[0].key_size + 7) // 8 if isinstance(keys[0], rsa.RSAPublicKey) else 64
    ids = [_id(keys[0]), _id(keys[0])[::-1]]
    made = []
    for number, key in enumerate(keys):
        extensions = _key_ids(ids[number % 2], ids[(number + 1) % 2])
        serial = 1000 * seed + number + 1
        made.append(_issue(name, key, name, serial, size, extensions, ca=True))
    own = leaf_key or _signer().public_key()
    subject, above = Name.build([("CN", leaf_cn)]), _key_ids(None, ids[0])
    leaf = _issue(subject, own, name, 1000 * seed + 999, size, above, ca=False)
    return (leaf, *made)


def many_attributes(key: PublicKey, size: int, seed: int = 0) -> tuple[Certificate]:
    """A self-signed-looking leaf whose subject and issuer fill ``size`` bytes."""
    count = 250
    value = "x" * (size // (2 * count) - 12)
    name = Name.build([("OU", value)] * count)
    return (_issue(name, key, name, seed + 1, 128, [], ca=False),)


def extended(key: PublicKey, size: int, seed: int = 0) -> tuple[Certificate]:
    """A leaf with as many small extensions as fill ``size`` bytes, all different."""
    one = len(asn1.write(asn1.SEQUENCE, asn1.write_oid("1.2.3.4.100000"), b"\4\0"))
    extensions = [(f"1.2.3.4.{100_000 + n}", False, b"") for n in range(size // one)]
    name = Name.build([("CN", "000413AABBCC")])
    above = Name.build([("CN", "Snom Phone 1 SHA-256"), ("O", "snom technology AG")])
    return (_issue(name, key, above, seed + 1, 128, extensions, ca=False),)


@cache
def _signer() -> rsa.RSAPrivateKey:
    made = new_key("rsa", 1024)
    assert isinstance(made, rsa.RSAPrivateKey)
    return made


def _issue(
    subject: Name, key: PublicKey, issuer: Name, serial: int, size: int,
    extensions: Sequence[RawExtension], *, ca: bool,
) -> Certificate:  # fmt: skip
    above = issue(
        issuer, _signer(), None, serial=1, ca=True, key_ids=False, not_before=BEGIN,
        not_after=END,
    )  # fmt: skip
    made = issue(
        subject, key, Issuer(above, _signer()), serial=serial, ca=ca, key_ids=False,
        extensions=extensions, not_before=BEGIN, not_after=END,
    )  # fmt: skip
    # The same with another signature, of as many bytes as asked for.
    at = made.der.index(made.tbs) + len(made.tbs)
    _, _, end = asn1.read_span(made.der, at, len(made.der))
    signature = b"\1" + random.Random(serial).randbytes(size - 1)
    void = asn1.write(asn1.BIT_STRING, b"\0" + signature)
    whole = asn1.write(asn1.SEQUENCE, made.tbs, made.der[at:end], void)
    return Certificate.from_der(whole)


def _key_ids(own: bytes | None, above: bytes) -> list[RawExtension]:
    """Subject and authority key identifier (RFC 5280 §4.2.1.2 and §4.2.1.1)."""
    value = asn1.write(asn1.SEQUENCE, asn1.write(0x80, above))
    found = [("2.5.29.35", False, value)]
    if own is not None:
        found.append(("2.5.29.14", False, asn1.write(asn1.OCTET_STRING, own)))
    return found


def _id(key: PublicKey) -> bytes:
    return key_id(_spki(key))


def _spki(key: PublicKey) -> bytes:
    return key.public_bytes(
        serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo
    )
