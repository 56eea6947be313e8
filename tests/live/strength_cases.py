"""Chains whose issuer's key, or the hash it signed with, is all that can decide.

Each is a leaf, the intermediate that issued it, and a sound root. Keys of 16,384 bits
are products of many small primes, which are made in a moment and verify as any other;
elliptic curves and the signatures with them come from the system's OpenSSL.
"""

import hashlib
import random
import subprocess
from collections.abc import Callable, Iterator
from functools import cache
from math import gcd, prod
from pathlib import Path

from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import padding
from tests.conftest import peer_path
from tests.live.line_cases import GOOD, NAME, key
from tests.live.odd_certificates import NULL, SHA256_RSA, root

from linekey.certs import der as asn1
from linekey.certs.dn import Name

Sign = Callable[[bytes], bytes]

RSA_HASHES = {
    "md4": "1.2.840.113549.1.1.3",
    "md5": "1.2.840.113549.1.1.4",
    "sha1": "1.2.840.113549.1.1.5",
    "sha1, OIW's number": "1.3.14.3.2.29",
    "ripemd160": "1.3.36.3.3.1.2",
    "sha224": "1.2.840.113549.1.1.14",
    "sha256": "1.2.840.113549.1.1.11",
    "sha384": "1.2.840.113549.1.1.12",
    "sha512": "1.2.840.113549.1.1.13",
    "sha3-256": "2.16.840.1.101.3.4.3.14",
}
"""Signature algorithms of RSA, PKCS #1 v1.5 (RFC 8017 §A.2.4, RFC 8702, TeleTrusT)."""
EC_HASHES = {
    "sha1": "1.2.840.10045.4.1",
    "sha224": "1.2.840.10045.4.3.1",
    "sha256": "1.2.840.10045.4.3.2",
    "sha384": "1.2.840.10045.4.3.3",
    "sha512": "1.2.840.10045.4.3.4",
}
CURVES = (
    "prime192v1", "secp224r1", "prime256v1", "secp384r1", "secp521r1", "secp256k1",
    "secp160r1", "secp112r1", "brainpoolP256r1", "brainpoolP384r1", "brainpoolP512r1",
    "sect163k1", "sect233r1", "sect571k1",
)  # fmt: skip
SIZES = (512, 768, 1024, 2048, 4096, 8192, 16_384, 16_392)
EXPONENTS = (1, 3, 65_537, 2**32 + 1, 2**64 - 1, 2**64 + 1, 2**100 + 1)
"""OpenSSL's limit for moduli of more than 3,072 bits is an exponent of 64 bits."""


def openssl(*words: str, stdin: bytes = b"") -> bytes:
    program = peer_path("openssl")
    assert program is not None
    ran = subprocess.run(
        [program, *words], input=stdin, capture_output=True, check=True, timeout=60
    )
    return ran.stdout


def certificate(
    subject: str, issuer: Name, spki: bytes, algorithm: bytes, sign: Sign, *, ca: bool
) -> bytes:
    """A certificate of version 3, DER; ``algorithm`` is an AlgorithmIdentifier."""
    true = asn1.write(asn1.BOOLEAN, b"\xff")
    oid, value = (
        ("2.5.29.19", true) if ca else ("2.5.29.17", asn1.write(0x82, NAME.encode()))
    )
    extension = asn1.write(
        0x30, asn1.write_oid(oid), asn1.write(4, asn1.write(0x30, value))
    )
    tbs = asn1.write(
        0x30,
        asn1.write(0xA0, asn1.write_integer(2)),
        asn1.write_integer(7),
        algorithm,
        issuer.der,
        asn1.write(0x30, *map(asn1.write_time, GOOD)),
        Name.build([("CN", subject)]).der,
        spki,
        asn1.write(0xA3, asn1.write(0x30, extension)),
    )
    bits = asn1.write(asn1.BIT_STRING, b"\x00", sign(tbs))
    return asn1.write(0x30, tbs, algorithm, bits)


def chain(spki: bytes, algorithm: bytes, sign: Sign) -> list[bytes]:
    """A leaf that the key of ``spki`` signed, and the intermediate that has it."""
    middle = certificate(
        "middle",
        root().subject,
        spki,
        asn1.write(0x30, SHA256_RSA, NULL),
        _root_signs,
        ca=True,
    )
    own = key("leaf").public_key().public_bytes(
        serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo
    )  # fmt: skip
    above = Name.build([("CN", "middle")])
    return [certificate(NAME, above, own, algorithm, sign, ca=False), middle]


def _root_signs(tbs: bytes) -> bytes:
    return key("odd root").sign(tbs, padding.PKCS1v15(), hashes.SHA256())  # type: ignore[call-arg,union-attr,arg-type]


# -- RSA ----------------------------------------------------------------------


def _prime(draw: random.Random, bits: int, exponent: int) -> int:
    while True:
        found = draw.getrandbits(bits) | 1 | 3 << (bits - 2)
        if gcd(found - 1, exponent) == 1 and pow(2, found - 1, found) == 1:
            return found


@cache
def _primes(bits: int, exponent: int) -> tuple[int, ...]:
    """Whose product has so many bits; the same for the same arguments."""
    draw = random.Random(bits * exponent)
    found: list[int] = []
    part = min(256, bits // 2)
    while (left := bits - prod(found).bit_length()) > part + 64:
        found.append(_prime(draw, part, exponent))
    while True:
        last = _prime(draw, left + draw.randint(0, 1), exponent)
        if prod((*found, last)).bit_length() == bits:
            return *found, last


def rsa_chain(
    bits: int, exponent: int, hash: str, digest: Callable[[bytes], bytes]
) -> list[bytes]:
    primes = _primes(bits, exponent)
    modulus = prod(primes)
    algorithm = asn1.write(0x30, asn1.write_oid(RSA_HASHES[hash]), NULL)
    info = asn1.write(0x30, asn1.write_oid("1.2.840.113549.1.1.1"), NULL)
    numbers = asn1.write(
        0x30, asn1.write_integer(modulus), asn1.write_integer(exponent)
    )
    spki = asn1.write(0x30, info, asn1.write(asn1.BIT_STRING, b"\x00", numbers))
    size = (bits + 7) // 8

    def sign(tbs: bytes) -> bytes:
        value = digest(tbs)
        padded = b"\x00\x01" + b"\xff" * (size - 3 - len(value)) + b"\x00" + value
        number, signed = int.from_bytes(padded), 0
        for prime in primes:  # by the Chinese remainder theorem, which is quick
            rest, private = modulus // prime, pow(exponent, -1, prime - 1)
            signed += pow(number, private, prime) * pow(rest, -1, prime) * rest
        return (signed % modulus).to_bytes(size)

    return chain(spki, algorithm, sign)


DIGESTS = {
    "md4": "1.2.840.113549.2.4", "md5": "1.2.840.113549.2.5", "sha1": "1.3.14.3.2.26",
    "ripemd160": "1.3.36.3.2.1", "sha224": "2.16.840.1.101.3.4.2.4",
    "sha256": "2.16.840.1.101.3.4.2.1", "sha384": "2.16.840.1.101.3.4.2.2",
    "sha512": "2.16.840.1.101.3.4.2.3", "sha3-256": "2.16.840.1.101.3.4.2.8",
}  # fmt: skip


def digest_info(hash: str) -> Callable[[bytes], bytes]:
    """DigestInfo (RFC 8017 §9.2) of what is signed."""
    name = hash.partition(",")[0]

    def made(tbs: bytes) -> bytes:
        if name == "md4":
            options = "-provider", "legacy", "-provider", "default"
            value = openssl("dgst", "-md4", "-binary", *options, stdin=tbs)
        else:
            value = hashlib.new(name.replace("-", "_"), tbs).digest()
        algorithm = asn1.write(0x30, asn1.write_oid(DIGESTS[name]), NULL)
        return asn1.write(0x30, algorithm, asn1.write(4, value))

    return made


# -- elliptic curves ----------------------------------------------------------


def ec_chain(
    curve: str, hash: str, folder: Path, *, explicit: bool = False
) -> list[bytes]:
    path = folder / f"{curve}{'-explicit' if explicit else ''}.pem"
    if not path.exists():
        form = "explicit" if explicit else "named_curve"
        path.write_bytes(
            openssl("ecparam", "-name", curve, "-genkey", "-noout", "-param_enc", form)
        )
    spki = openssl("ec", "-in", str(path), "-pubout", "-outform", "DER")
    algorithm = asn1.write(0x30, asn1.write_oid(EC_HASHES[hash]))

    def sign(tbs: bytes) -> bytes:
        return openssl("dgst", f"-{hash}", "-sign", str(path), stdin=tbs)

    return chain(spki, algorithm, sign)


def strength_cases(folder: Path) -> Iterator[tuple[str, list[bytes]]]:
    """Each by what is special about it: leaf and intermediate, DER."""
    sha256 = digest_info("sha256")
    for bits in SIZES:
        yield f"RSA of {bits} bits", rsa_chain(bits, 65_537, "sha256", sha256)
    for bits in (1024, 4096):
        for exponent in EXPONENTS:
            yield (
                f"RSA of {bits} bits with the exponent {exponent}",
                rsa_chain(bits, exponent, "sha256", sha256),
            )
    for hash in RSA_HASHES:
        yield f"RSA with {hash}", rsa_chain(1024, 65_537, hash, digest_info(hash))
    for hash in EC_HASHES:
        yield f"P-256 with {hash}", ec_chain("prime256v1", hash, folder)
    for curve in CURVES:
        yield curve, ec_chain(curve, "sha256", folder)
    for curve in (
        "prime256v1",
        "secp384r1",
        "brainpoolP256r1",
        "secp160r1",
        "sect233r1",
    ):
        yield f"{curve}, explicit", ec_chain(curve, "sha256", folder, explicit=True)
